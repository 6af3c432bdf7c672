//! `GET /openapi.json`: the description of the API (OpenAPI 3.1), made from the handlers and types that answer it.
//!
//! A handler describes its own parameters, bodies and refusals. What all of them share is written here once: who may
//! ask, what the checks before every route refuse, and that a request body with unknown fields is refused.

pub(super) mod refusals;
mod strict;

use axum::response::IntoResponse;
use hive_api::{
    Heartbeat, HiveHeartbeat, JobsSnapshot, LogEvent, PhaseEvent, Problem, ProblemCode, Progress,
    Snapshot, StateEvent, paths,
};
use http::{Uri, header};
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Description,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{problems::Refusal, query::Query};

/// What stands before every route refuses, or answers where a handler breaks.
const BEFORE_EVERY_ROUTE: [ProblemCode; 4] = [
    ProblemCode::MalformedHeader,
    ProblemCode::HostNotAllowed,
    ProblemCode::OriginNotAllowed,
    ProblemCode::Internal,
];

/// What every route refuses but the one that anyone may ask, which takes whatever it is sent.
const BEFORE_GUARDED_ROUTES: [ProblemCode; 3] = [
    ProblemCode::Unauthenticated,
    ProblemCode::InvalidRequest,
    ProblemCode::ShuttingDown,
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "hive",
        description = "Downloads of models as jobs. Over the hive's unix socket no token is needed: the file's \
                       permission is it. Every answer carries `X-Request-Id`, and every error is a problem (RFC 9457) \
                       with a stable `code`. Readers accept fields, words and events that they do not know.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(
        Heartbeat, HiveHeartbeat, JobsSnapshot, LogEvent, PhaseEvent, Problem, Progress, Snapshot, StateEvent
    )),
    security(("bearer" = []), ("session" = [])),
    tags(
        (name = "jobs", description = "Work on the hive, and watching it"),
        (name = "models", description = "What could be fetched, and what the store holds"),
        (name = "hive", description = "The hive itself")
    )
)]
pub(super) struct Api;

/// The description itself.
#[utoipa::path(
    get,
    path = paths::OPENAPI,
    tag = "hive",
    operation_id = "describe_api",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub(super) async fn openapi(uri: Uri) -> Result<impl IntoResponse, Refusal> {
    Query::of(&uri)?.finish()?;
    let text = text().map_err(|error| {
        tracing::error!(%error, "the description cannot be written");
        Refusal::new(ProblemCode::Internal, "the description cannot be written")
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}

/// The description as it is served, printed and committed.
pub(crate) fn text() -> Result<String, serde_json::Error> {
    let mut text = description().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

fn description() -> Description {
    let mut description = super::routes().into_openapi();
    for (path, item) in &mut description.paths.paths {
        for operation in operations(item) {
            refusals::add(&mut operation.responses, &BEFORE_EVERY_ROUTE);
            if path != paths::HEALTHZ {
                refusals::add(&mut operation.responses, &BEFORE_GUARDED_ROUTES);
            }
        }
    }
    strict::close_request_bodies(&mut description);
    let components = description.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("What `hive token` prints on the machine of the hive"));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let session = ApiKeyValue::with_description(
        "hive_session_7835",
        "For browsers: set by `POST /v1/session`, its name ends with the port of the hive. A request by cookie that \
         changes anything also needs an `Origin` that is the hive's own",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    description
}

/// Every operation of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}
