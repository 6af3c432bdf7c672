//! How far a token must reach for each route: one table, which a test holds against the router.

use axum::extract::MatchedPath;
use hive_api::{Scope, paths};
use http::Method;

/// Who may ask a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Least {
    /// Anyone, without a token.
    Anyone,
    /// A token of this scope, or above it.
    Scope(Scope),
}

const ANYONE: Least = Least::Anyone;
const READ: Least = Least::Scope(Scope::Read);
const OPERATE: Least = Least::Scope(Scope::Operate);
const ADMIN: Least = Least::Scope(Scope::Admin);

/// Every method of every route.
const TABLE: [(Method, &str, Least); 30] = [
    (Method::GET, paths::HEALTHZ, ANYONE),
    (Method::POST, paths::PAIR, ANYONE),
    (Method::GET, paths::READYZ, READ),
    (Method::GET, paths::METRICS, READ),
    (Method::GET, paths::OPENAPI, READ),
    (Method::GET, paths::HIVE, READ),
    (Method::GET, paths::EVENTS, READ),
    (Method::GET, paths::DOCTOR_STREAM, READ),
    (Method::POST, paths::SESSION, READ),
    (Method::DELETE, paths::SESSION, READ),
    (Method::GET, paths::MODELS, READ),
    (Method::POST, paths::PLANS, READ),
    (Method::GET, paths::JOBS, READ),
    (Method::GET, "/v1/jobs/{id}", READ),
    (Method::GET, "/v1/jobs/{id}/events", READ),
    (Method::POST, paths::JOBS, OPERATE),
    (Method::DELETE, "/v1/jobs/{id}", OPERATE),
    (Method::PATCH, "/v1/jobs/{id}", OPERATE),
    (Method::POST, "/v1/jobs/{id}/pause", OPERATE),
    (Method::POST, "/v1/jobs/{id}/resume", OPERATE),
    (Method::POST, paths::DOCTOR, OPERATE),
    (Method::GET, paths::HUB_TOKEN, READ),
    (Method::PUT, paths::HUB_TOKEN, OPERATE),
    (Method::DELETE, paths::HUB_TOKEN, OPERATE),
    (Method::DELETE, paths::MODELS, ADMIN),
    (Method::POST, paths::TOKENS, ADMIN),
    (Method::GET, paths::TOKENS, ADMIN),
    (Method::DELETE, "/v1/tokens/{name}", ADMIN),
    (Method::GET, paths::AUDIT, ADMIN),
    (Method::POST, paths::PAIR_CODES, ADMIN),
];

/// Who may ask this. A path that is no route is told so to everyone who is known. A method that a route does not know
/// is told so to whoever may ask the route at all: anyone where it is open, else the owner alone, as one that was
/// forgotten here would be.
pub(super) fn least(method: &Method, path: Option<&MatchedPath>) -> Least {
    path.map_or(READ, |path| of_route(method, path.as_str()))
}

/// Who may ask this route.
pub(super) fn of_route(method: &Method, path: &str) -> Least {
    // Answered by the handler of GET (RFC 9110, section 9.3.2).
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let rows = || TABLE.iter().filter(|(_, route, _)| *route == path);
    let row = rows().find(|(of, ..)| of == method);
    let is_open = || rows().any(|(_, _, least)| *least == ANYONE);
    match row {
        Some((_, _, least)) => *least,
        None if is_open() => ANYONE,
        None => ADMIN,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_method_that_a_route_lacks_is_told_to_those_who_may_ask_the_route() {
        assert_eq!(of_route(&Method::TRACE, paths::HEALTHZ), ANYONE);
        assert_eq!(of_route(&Method::GET, paths::PAIR), ANYONE);
        assert_eq!(of_route(&Method::TRACE, paths::JOBS), ADMIN);
    }

    #[test]
    fn every_route_is_in_the_table_and_every_row_is_a_route() {
        let mut description = crate::http::routes().into_openapi();
        let mut routes = BTreeSet::new();
        for (path, item) in &mut description.paths.paths {
            for (method, _) in crate::http::openapi::operations(item) {
                routes.insert((method.to_string(), path.clone()));
            }
        }
        let rows: BTreeSet<_> = TABLE
            .iter()
            .map(|(method, path, _)| (method.to_string(), (*path).to_owned()))
            .collect();
        assert_eq!(rows, routes);
        assert_eq!(rows.len(), TABLE.len(), "a row is there twice");
    }
}
