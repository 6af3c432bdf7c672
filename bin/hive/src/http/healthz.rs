//! `GET /healthz`: the process serves. It says nothing else, since anyone may ask.

use hive_api::paths;

/// Says that the process serves
#[utoipa::path(
    get,
    path = paths::HEALTHZ,
    tag = "hive",
    operation_id = "is_alive",
    security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")),
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}
