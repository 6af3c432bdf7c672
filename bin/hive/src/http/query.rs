//! A request's query, read strictly: an unknown or repeated parameter is refused, so that a misspelt one does not
//! vanish.

use std::{collections::BTreeMap, str::FromStr};

use hive_api::InvalidField;
use http::Uri;

use super::problems::Refusal;

/// The parameters that were not taken yet.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads all parameters of the address.
    pub(super) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        let text = uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if parameters.contains_key(&*name) {
                return Err(refused(&name, "is given twice"));
            }
            parameters.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self(parameters))
    }

    /// Takes one number, digits alone; `expected` says what it may be.
    pub(super) fn take<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.0.remove(name) else {
            return Ok(None);
        };
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(refused(name, &format!("must be {expected}"))),
        }
    }

    /// Takes `true` or `false`; false where it is not given.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.0.remove(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(refused(name, "must be true or false")),
        }
    }

    /// Takes one text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(refused(&name, "is not a parameter of this route")),
        }
    }
}

/// A parameter that cannot be.
pub(super) fn refused(name: &str, what: &str) -> Refusal {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    Refusal::invalid(vec![InvalidField {
        pointer: format!("/{escaped}"),
        detail: format!("the query parameter `{name}` {what}"),
    }])
}
