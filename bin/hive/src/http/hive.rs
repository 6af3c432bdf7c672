//! `GET /v1/hive`: what this hive is and works with.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use hive_api::{HiveInfo, paths};
use http::Uri;

use super::{app::App, asker::Asker, problems::Refusal, query::Query, session::Admission};

/// Says what this hive is and works with
#[utoipa::path(
    get,
    path = paths::HIVE,
    tag = "hive",
    operation_id = "show_hive",
    responses((status = 200, description = "The hive", body = HiveInfo)),
)]
pub(super) async fn hive(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    Extension(admission): Extension<Admission>,
    uri: Uri,
) -> Result<Json<HiveInfo>, Refusal> {
    Query::of(&uri)?.finish()?;
    let counts = app.registry.counts();
    let free_bytes = app.store.free_bytes().await.ok();
    let mut info = app.facts.info(asker.caller.told(), counts, free_bytes);
    let provisioner = &app.operations.model_downloads.provisioner;
    info.caller.expires_at = admission.expires_at();
    info.hub_account = provisioner.known_hub_account();
    info.hub_token_source = provisioner.hub_token_source();
    Ok(Json(info))
}
