//! The checks that stand before every route, in the order in which they are cheap and say least.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hive_api::ProblemCode;

use super::{
    Door,
    app::App,
    asker::{Asker, Visit},
    auth::{Denied, Stranger},
    heads::Framing,
    origin,
    problems::Refusal,
    scopes::{self, Least},
    session::Admission,
};

/// No address of ours is longer, the longest query included.
const LONGEST_URI_BYTES: usize = 8 * 1024;

/// Lets a request through to its route, with its caller named, or refuses it.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let visit = Visit::of(&request);
    let checked = check(&app, &mut request, &visit);
    request.extensions_mut().insert(visit.clone());
    match checked {
        Ok(Some(admission)) if request.method().is_safe() => {
            // A question that waits for news is not answered any more when its asker may not ask.
            tokio::select! {
                biased;
                response = next.run(request) => response,
                () = admission.over() => Denied::Stranger(Stranger::WrongToken).into_response(),
            }
        }
        Ok(_) => next.run(request).await,
        Err(denied) => {
            if let (Denied::Stranger(_), Some(address)) = (&denied, visit.address())
                && let Err(refusal) = app.doorkeeper.slow_down(address, &app.drain).await
            {
                return refusal.into_response();
            }
            denied.into_response()
        }
    }
}

/// How the caller was let in; `None` where anyone is.
fn check(app: &App, request: &mut Request, visit: &Visit) -> Result<Option<Admission>, Denied> {
    // A request that did not come through a door of ours is treated as a stranger's.
    let door = request
        .extensions()
        .get::<Door>()
        .copied()
        .unwrap_or(Door::Tcp);
    if request.extensions().get() == Some(&Framing::Ambiguous) {
        let detail =
            "a body has a `Content-Length` or a `Transfer-Encoding`, and this request has both";
        return Err(Refusal::new(ProblemCode::MalformedHeader, detail).into());
    }
    let uri_bytes = request.uri().to_string().len();
    if uri_bytes > LONGEST_URI_BYTES {
        let detail = format!("the address of the request is longer than {LONGEST_URI_BYTES} bytes");
        return Err(Refusal::new(ProblemCode::UriTooLong, detail).into());
    }
    if door == Door::Tcp {
        app.hosts.check(request)?;
        origin::check(request)?;
    }
    let path = request.extensions().get::<MatchedPath>();
    let Least::Scope(least) = scopes::least(request.method(), path) else {
        return Ok(None);
    };
    let (caller, admission) = app.doorkeeper.admit(door, request)?;
    if matches!(admission, Admission::Session(_)) {
        origin::check_change(request)?;
    }
    if caller.scope < least {
        return Err(Denied::TooLittle(caller, least));
    }
    let asker = Asker::new(caller, visit.clone());
    request.extensions_mut().insert(asker);
    request.extensions_mut().insert(admission.clone());
    Ok(Some(admission))
}
