//! `/v1/pair`: a code that the owner of the hive hands over, exchanged once for a token.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Request, State},
};
use hive_api::{
    CreatePairCode, CreateToken, InvalidField, NewToken, Pair, PairCode, Problem, ProblemCode,
    paths,
};
use http::{HeaderMap, StatusCode, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    app::App,
    asker::{Asker, Did, Visit},
    auth::Caller,
    json::{receive, strict},
    openapi::refusals::{OfBody, OfCode, OfCodes},
    problems::Refusal,
    query::Query,
    tokens::off_the_workers,
};
use crate::access::{
    pairing::LIFETIME,
    tokens::{CreateError, LOCAL, is_token_name},
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(open_code))
        .routes(routes!(pair))
}

/// Opens a pairing code
///
/// It is good for one token, for 10 minutes and until the fifth wrong one, and takes the place of an earlier one.
#[utoipa::path(
    post,
    path = paths::PAIR_CODES,
    tag = "access",
    operation_id = "open_pair_code",
    request_body = CreatePairCode,
    responses(
        (status = 201, description = "The code", body = PairCode),
        OfBody,
        OfCodes,
    ),
)]
async fn open_code(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Result<(StatusCode, Json<PairCode>), Refusal> {
    Query::of(request.uri())?.finish()?;
    let text = receive(request, app.limits.body_timeout).await?;
    let wanted: CreatePairCode = strict::typed(&strict::parse(&text)?).map_err(Refusal::invalid)?;
    if let Some(name) = &wanted.name {
        check_name(name)?;
    }
    let url = app.facts.pairing_url().map_err(|unreachable| {
        Refusal::from(
            Problem::new(ProblemCode::PairingUnavailable, unreachable.to_string())
                .with_hint("start it with hive serve --listen 0.0.0.0:7835 --tls-self-signed"),
        )
    })?;
    let scope = wanted.scope;
    let code = app.access.pairing.open(wanted).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        Refusal::new(ProblemCode::Internal, "the system gives no random bytes")
    })?;
    let did = Did::new("pair.code", &scope.as_str(), "opened");
    asker
        .change(&app, async move { Ok(((), Some(did))) })
        .await?;
    let answer = PairCode {
        code,
        expires_in_seconds: LIFETIME.as_secs(),
        machine: app.facts.machine.clone(),
        url,
        pin: app.facts.pin().map(|pin| pin.to_string()),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Exchanges a pairing code for a token
///
/// Needs no token, and is never for a browser. Every wrong code is answered alike, whether one is open or not.
#[utoipa::path(
    post,
    path = paths::PAIR,
    tag = "access",
    operation_id = "pair",
    security(()),
    request_body = Pair,
    responses(
        (status = 201, description = "A token of one's own", body = NewToken),
        OfBody,
        OfCode,
    ),
)]
async fn pair(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Result<(StatusCode, Json<NewToken>), Refusal> {
    Query::of(request.uri())?.finish()?;
    refuse_browsers(request.headers())?;
    refuse_in_the_open(&app, visit.address())?;
    let text = receive(request, app.limits.body_timeout).await?;
    let asked: Pair = strict::typed(&strict::parse(&text)?).map_err(Refusal::invalid)?;
    // `local` is no name of a token, and is what some machine is called: it gets another.
    if asked.name != LOCAL {
        check_name(&asked.name)?;
    }
    let Some(terms) = app.access.pairing.redeem(&asked.code) else {
        if let Some(address) = visit.address() {
            app.doorkeeper.slow_down(address, &app.drain).await?;
        }
        return Err(wrong_code());
    };
    let wanted = CreateToken {
        name: terms.name.unwrap_or(asked.name),
        scope: terms.scope,
        expires_in_seconds: None,
    };
    let changing = Arc::clone(&app);
    let made = app.changes.spawn(async move {
        let tokens = Arc::clone(&changing.access.tokens);
        let made = off_the_workers(move || tokens.create_near(&wanted)).await??;
        let caller = Caller {
            name: made.name.clone(),
            scope: terms.scope,
        };
        let did = Did::new("pair.token", &made.name, "created");
        Asker::new(caller, visit).record(&changing, did).await;
        Ok(Json(made))
    });
    let made = made.await.unwrap_or_else(|_| {
        let detail = "the hive made a mistake at this request";
        Err(Refusal::new(ProblemCode::Internal, detail))
    });
    Ok((StatusCode::CREATED, made?))
}

fn wrong_code() -> Refusal {
    let detail = "this pairing code is wrong, was used, or is not open any more";
    Problem::new(ProblemCode::PairingRefused, detail)
        .with_hint("hive pair on the machine of the hive prints a new one")
        .into()
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if is_token_name(name) {
        return Ok(());
    }
    Err(Refusal::invalid(vec![InvalidField {
        pointer: "/name".to_owned(),
        detail: CreateError::Name.to_string(),
    }]))
}

/// A page that a person looks at must not try codes.
fn refuse_browsers(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_fetch = |name: &http::HeaderName| name.as_str().starts_with("sec-fetch-");
    if headers.contains_key(header::ORIGIN) || headers.keys().any(is_fetch) {
        let detail = "a browser does not pair";
        return Err(Refusal::new(ProblemCode::OriginNotAllowed, detail));
    }
    Ok(())
}

/// Without TLS everyone on the way would read the token.
fn refuse_in_the_open(app: &App, address: Option<IpAddr>) -> Result<(), Refusal> {
    let is_here = address.is_none_or(|address| address.is_loopback());
    if is_here || app.facts.tls.is_some() {
        return Ok(());
    }
    let detail = "without TLS this hive pairs on its own machine only";
    Err(Problem::new(ProblemCode::PairingRefused, detail)
        .with_hint("start it with hive serve --tls-self-signed")
        .into())
}
