//! The checks that stand before every route, in the order in which they are cheap and say least.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hive_api::paths;

use super::{Door, app::App, origin, problems::Refusal, session::Admission};

/// Lets a request through to its route, with its caller named, or refuses it.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    match check(&app, &mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(app: &App, request: &mut Request) -> Result<(), Refusal> {
    // A request that did not come through a door of ours is treated as a stranger's.
    let door = request
        .extensions()
        .get::<Door>()
        .copied()
        .unwrap_or(Door::Tcp);
    if door == Door::Tcp {
        app.hosts.check(request)?;
        origin::check(request)?;
    }
    if request.uri().path() == paths::HEALTHZ {
        return Ok(());
    }
    let (caller, admission) = app.doorkeeper.admit(door, request)?;
    if matches!(admission, Admission::Session(_)) {
        origin::check_change(request)?;
    }
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(admission);
    Ok(())
}
