//! HTTP API v1: from a connection to a call of the registry, the store or the provisioner, and back.
//!
//! Decides who may ask and whether the question is well-formed, and nothing about jobs or models.

pub(crate) mod accept;
pub(crate) mod app;
mod asker;
mod audit;
pub(crate) mod auth;
mod dashboard;
mod doctor;
mod guard;
mod handshake;
mod heads;
mod healthz;
mod hive;
pub(crate) mod host;
mod hub_token;
mod jobs;
mod json;
mod metrics;
mod models;
pub(crate) mod openapi;
mod origin;
mod pair;
mod peers;
mod plans;
mod problems;
mod query;
mod rate_limit;
mod readyz;
mod receiving;
mod request;
mod scopes;
pub(crate) mod seats;
mod session;
mod sse;
mod submission;
mod tokens;

use std::{net::SocketAddr, sync::Arc};

use app::App;
use axum::{Router, middleware};
use hive_api::ProblemCode;
use problems::Refusal;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

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

/// Who is at the other end of a connection; none can be told over the unix socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) Option<SocketAddr>);

/// Every route, behind its checks.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::from(routes())
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

/// Every route with its description: one cannot be without the other.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::Api::openapi())
        .merge(jobs::router())
        .merge(models::router())
        .merge(tokens::router())
        .merge(pair::router())
        .routes(routes!(audit::audit))
        .routes(routes!(plans::plan))
        .routes(routes!(hive::hive))
        .routes(routes!(hub_token::show, hub_token::set, hub_token::forget))
        .routes(routes!(dashboard::events))
        .routes(routes!(doctor::run))
        .routes(routes!(doctor::ticks))
        .routes(routes!(session::open, session::end))
        .routes(routes!(healthz::healthz))
        .routes(routes!(readyz::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::openapi))
}

async fn no_such_route() -> Refusal {
    Refusal::new(ProblemCode::NotFound, "there is no such route")
}
