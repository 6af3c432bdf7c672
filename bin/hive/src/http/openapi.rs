//! `GET /openapi.json`: the description of the API (OpenAPI 3.1), made from the handlers and types that answer it.
//!
//! A handler describes its own parameters, bodies and refusals. What all of them share is written here once: who may
//! ask, what the checks before every route refuse, and that a request body with unknown fields is refused.

pub(super) mod refusals;
mod strict;

use axum::response::IntoResponse;
use hive_api::{
    Heartbeat, HiveHeartbeat, JobsSnapshot, LogEvent, PhaseEvent, Problem, ProblemCode, Progress,
    Scope, Snapshot, StateEvent, StreamTick, paths,
};
use http::{Method, Uri, header};
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Description,
        path::{Operation, PathItem},
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

use super::{
    problems::Refusal,
    query::Query,
    scopes::{self, Least},
};

/// What stands before every route refuses, or answers where a handler breaks.
const BEFORE_EVERY_ROUTE: [ProblemCode; 6] = [
    ProblemCode::MalformedHeader,
    ProblemCode::HttpsRequired,
    ProblemCode::UriTooLong,
    ProblemCode::HostNotAllowed,
    ProblemCode::OriginNotAllowed,
    ProblemCode::Internal,
];

/// What every route refuses but those that anyone may ask.
const BEFORE_GUARDED_ROUTES: [ProblemCode; 2] =
    [ProblemCode::Unauthenticated, ProblemCode::TooManyFailures];

/// What every route refuses but the one that takes whatever it is sent.
const OF_EVERY_READER: [ProblemCode; 2] = [ProblemCode::InvalidRequest, ProblemCode::ShuttingDown];

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
        Heartbeat, HiveHeartbeat, JobsSnapshot, LogEvent, PhaseEvent, Problem, Progress, Snapshot, StateEvent,
        StreamTick
    )),
    security(("bearer" = []), ("session" = [])),
    tags(
        (name = "jobs", description = "Work on the hive, and watching it"),
        (name = "models", description = "What could be fetched, and what the store holds"),
        (name = "access", description = "Who may ask, and who did what"),
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
        for (method, operation) in operations(item) {
            refusals::add(&mut operation.responses, &BEFORE_EVERY_ROUTE);
            if path != paths::HEALTHZ {
                refusals::add(&mut operation.responses, &OF_EVERY_READER);
            }
            if let Least::Scope(least) = scopes::of_route(&method, path) {
                refusals::add(&mut operation.responses, &BEFORE_GUARDED_ROUTES);
                need(operation, least);
            }
        }
    }
    strict::close_request_bodies(&mut description);
    let components = description.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "What `hive token` prints on the machine of the hive, or a named token; each route names the least scope, \
             of `read`, `infer`, `operate` and `admin`",
        ));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let session = ApiKeyValue::with_description(
        "hive_session_7835",
        "For browsers: set by `POST /v1/session`, its name ends with the port of the hive. A request by cookie that \
         changes anything also needs an `Origin` that is the hive's own",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    description
}

/// Says how far a token must reach.
fn need(operation: &mut Operation, least: Scope) {
    if least > Scope::Read {
        refusals::add(&mut operation.responses, &[ProblemCode::Forbidden]);
    }
    // A session is opened with the bearer alone, and says so itself.
    operation.security.get_or_insert_with(|| {
        ["bearer", "session"]
            .map(|scheme| SecurityRequirement::new(scheme, [least.as_str()]))
            .to_vec()
    });
}

/// Every operation of a path.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}
