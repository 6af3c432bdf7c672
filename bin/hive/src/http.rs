//! HTTP API v1: from a connection to a call of the registry, the store or the provisioner, and back.
//!
//! Decides who may ask and whether the question is well-formed, and nothing about jobs or models.

pub(crate) mod accept;
pub(crate) mod app;
pub(crate) mod auth;
mod guard;
mod healthz;
mod hive;
pub(crate) mod host;
mod jobs;
mod json;
mod models;
mod origin;
mod plans;
mod problems;
mod query;
mod rate_limit;
mod receiving;
mod request;
mod submission;

use std::sync::Arc;

use app::App;
use axum::{
    Router, middleware,
    routing::{get, post},
};
use hive_api::{ProblemCode, paths};
use problems::Refusal;

/// The way a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The unix socket, which only its owner can open.
    Unix,
    /// TCP, where anyone may knock.
    Tcp,
}

impl Door {
    /// The door in a log line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp => "tcp",
        }
    }
}

/// Every route, behind its checks.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(jobs::router())
        .merge(models::router())
        .route(paths::PLANS, post(plans::plan))
        .route(paths::HIVE, get(hive::hive))
        .route(paths::HEALTHZ, get(healthz::healthz))
        .fallback(no_such_route)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            receiving::unless_stopping,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            guard::guard,
        ))
        .layer(middleware::from_fn(request::answer))
        .with_state(app)
}

async fn no_such_route() -> Refusal {
    Refusal::new(ProblemCode::NotFound, "there is no such route")
}
