//! `/v1/hub-token`: the Hub account that this hive asks as.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use hive_api::{HubAccount, InvalidField, SetHubToken, paths};
use http::Uri;
use secrecy::SecretString;

use super::{
    app::App,
    json::{receive, strict},
    openapi::refusals::{OfAccount, OfBody},
    problems::Refusal,
    query::Query,
};

/// Says as whom the Hub is asked
///
/// The Hub is asked for the name.
#[utoipa::path(
    get,
    path = paths::HUB_TOKEN,
    tag = "hive",
    operation_id = "show_hub_account",
    responses((status = 200, description = "The account", body = HubAccount), OfAccount),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<HubAccount>, Refusal> {
    Query::of(&uri)?.finish()?;
    Ok(Json(app.hub_login.account().await?))
}

/// Takes a token for the Hub
///
/// It is tried at the Hub first, and kept on the machine of the hive. Jobs that run ask with it from now on.
#[utoipa::path(
    put,
    path = paths::HUB_TOKEN,
    tag = "hive",
    operation_id = "set_hub_token",
    request_body = SetHubToken,
    responses((status = 200, description = "The account", body = HubAccount), OfBody, OfAccount),
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<HubAccount>, Refusal> {
    Query::of(request.uri())?.finish()?;
    let text = receive(request, app.limits.body_timeout).await?;
    let body: SetHubToken = strict::typed(&strict::parse(&text)?).map_err(Refusal::invalid)?;
    let token = body.token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::invalid(vec![InvalidField {
            pointer: "/token".to_owned(),
            detail: "no token of the Hub looks like this".to_owned(),
        }]));
    }
    let token = SecretString::from(token.to_owned());
    Ok(Json(app.hub_login.log_in(token).await?))
}

/// Forgets the token for the Hub
///
/// One of the hive's environment counts again. Repeatable.
#[utoipa::path(
    delete,
    path = paths::HUB_TOKEN,
    tag = "hive",
    operation_id = "forget_hub_token",
    responses((status = 200, description = "The account from now on", body = HubAccount), OfAccount),
)]
pub(super) async fn forget(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<HubAccount>, Refusal> {
    Query::of(&uri)?.finish()?;
    Ok(Json(app.hub_login.log_out().await?))
}
