//! `GET /healthz`: the process serves. It says nothing else, since anyone may ask.

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}
