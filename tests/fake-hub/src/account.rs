//! Who asks: the accounts whose tokens the fake Hub accepts, and what each may read.

use std::collections::BTreeSet;

/// A user of the fake Hub with one token.
#[derive(Clone, Debug)]
pub struct Account {
    pub(crate) name: String,
    pub(crate) token: String,
    granted: BTreeSet<String>,
    pub(crate) gated_scope: bool,
}

impl Account {
    /// A user called `name` whose requests carry `token`.
    pub fn new(name: &str, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            token: token.to_owned(),
            granted: BTreeSet::new(),
            gated_scope: true,
        }
    }

    /// Lets this user read a gated or private repository.
    #[must_use]
    pub fn grant(mut self, repository: &str) -> Self {
        self.granted.insert(repository.to_owned());
        self
    }

    /// The token is a fine-grained one that may not read public gated repositories.
    #[must_use]
    pub fn without_gated_scope(mut self) -> Self {
        self.gated_scope = false;
        self
    }

    pub(crate) fn may_read(&self, repository: &str) -> bool {
        self.granted.contains(repository)
    }
}
