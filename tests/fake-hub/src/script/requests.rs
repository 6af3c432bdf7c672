//! Which requests are meant: by route, file, repository, method, and by their number among those.

use std::ops::RangeInclusive;

use crate::route::Route;
use crate::traffic::RequestRecord;

/// A set of requests, for scripting a fault or for waiting. Every condition narrows it.
#[derive(Clone, Debug)]
pub struct Requests {
    route: Option<Route>,
    hub_only: bool,
    method: Option<&'static str>,
    repository: Option<String>,
    file: Option<String>,
    ranged: Option<bool>,
    numbers: RangeInclusive<u64>,
}

impl Requests {
    /// All requests, at the Hub and at the CDN.
    pub fn any() -> Self {
        Self {
            route: None,
            hub_only: false,
            method: None,
            repository: None,
            file: None,
            ranged: None,
            numbers: 1..=u64::MAX,
        }
    }

    /// Everything at the Hub, nothing at the CDN.
    pub fn hub() -> Self {
        Self {
            hub_only: true,
            ..Self::any()
        }
    }

    /// Everything at the CDN: the bodies of large files.
    pub fn cdn() -> Self {
        Self::to(Route::Cdn)
    }

    /// The requests of one route.
    pub fn to(route: Route) -> Self {
        Self {
            route: Some(route),
            ..Self::any()
        }
    }

    /// Only for this file, as its repository names it.
    #[must_use]
    pub fn file(self, path: &str) -> Self {
        Self {
            file: Some(path.to_owned()),
            ..self
        }
    }

    /// Only for this repository.
    #[must_use]
    pub fn repository(self, id: &str) -> Self {
        Self {
            repository: Some(id.to_owned()),
            ..self
        }
    }

    /// Only with this method, such as `HEAD`.
    #[must_use]
    pub fn method(self, method: &'static str) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    /// Only with a `Range` header.
    #[must_use]
    pub fn ranged(self) -> Self {
        Self {
            ranged: Some(true),
            ..self
        }
    }

    /// Only without a `Range` header.
    #[must_use]
    pub fn unranged(self) -> Self {
        Self {
            ranged: Some(false),
            ..self
        }
    }

    /// Of these requests the first `count`.
    #[must_use]
    pub fn first(self, count: u64) -> Self {
        Self {
            numbers: 1..=count,
            ..self
        }
    }

    /// Of these requests the one with this number, counted from 1.
    #[must_use]
    pub fn nth(self, number: u64) -> Self {
        Self {
            numbers: number..=number,
            ..self
        }
    }

    /// Of these requests all but the first `count`.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self {
            numbers: count + 1..=u64::MAX,
            ..self
        }
    }

    /// Whether this is such a request, whatever its number.
    pub(crate) fn describe(&self, request: &RequestRecord) -> bool {
        let same =
            |wanted: &Option<String>, actual: &Option<String>| wanted.is_none() || wanted == actual;
        self.route.is_none_or(|route| route == request.route)
            && !(self.hub_only && request.route == Route::Cdn)
            && self.method.is_none_or(|method| method == request.method)
            && same(&self.repository, &request.repository)
            && same(&self.file, &request.file)
            && self
                .ranged
                .is_none_or(|ranged| ranged == request.header("range").is_some())
    }

    /// Whether the request with this number among those described is meant.
    pub(crate) fn count(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// Those of the requests that are meant.
    pub(crate) fn among<'a>(
        &self,
        requests: &'a [RequestRecord],
    ) -> impl Iterator<Item = &'a RequestRecord> {
        let described = requests.iter().filter(|request| self.describe(request));
        (1..)
            .zip(described)
            .filter(|(number, _)| self.count(*number))
            .map(|(_, request)| request)
    }
}
