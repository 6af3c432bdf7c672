//! `/v1/hub-token`: the Hub account that this hive asks as.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
};
use hive_api::{HubAccount, InvalidField, SetHubToken, paths};
use http::Uri;
use secrecy::SecretString;

use super::{
    app::App,
    asker::{Asker, Did},
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
    Extension(asker): Extension<Asker>,
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
    let changing = Arc::clone(&app);
    let account = asker.change(&app, async move {
        let account = changing.hub_login.log_in(token).await?;
        let did = Did::new("hub_token.set", &changing.facts.hub_endpoint, "set");
        Ok((account, Some(did)))
    });
    account.await.map(Json)
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
    Extension(asker): Extension<Asker>,
    uri: Uri,
) -> Result<Json<HubAccount>, Refusal> {
    Query::of(&uri)?.finish()?;
    let changing = Arc::clone(&app);
    let account = asker.change(&app, async move {
        let account = changing.hub_login.log_out().await?;
        let did = Did::new(
            "hub_token.forget",
            &changing.facts.hub_endpoint,
            "forgotten",
        );
        Ok((account, Some(did)))
    });
    account.await.map(Json)
}
