//! The routes of HTTP API v1, each written once.

use crate::JobId;

/// `POST` submits a job, `GET` lists jobs.
pub const JOBS: &str = "/v1/jobs";
/// `POST` answers what a download would fetch.
pub const PLANS: &str = "/v1/plans";
/// `GET` lists the store or shows one model, `DELETE` removes.
pub const MODELS: &str = "/v1/models";
/// `GET` tells about the hive.
pub const HIVE: &str = "/v1/hive";
/// `GET` is the event stream of all jobs.
pub const EVENTS: &str = "/v1/events";
/// `GET` tells as whom the Hub is asked, `PUT` takes a token for it, `DELETE` forgets it.
pub const HUB_TOKEN: &str = "/v1/hub-token";
/// `POST` has the hive look at itself and what it works with.
pub const DOCTOR: &str = "/v1/doctor";
/// `GET` is a short event stream that shows whether something on the way holds events back.
pub const DOCTOR_STREAM: &str = "/v1/doctor/stream";
/// `POST` opens a browser's session, `DELETE` ends it.
pub const SESSION: &str = "/v1/session";
/// `POST` makes a token, `GET` lists them.
pub const TOKENS: &str = "/v1/tokens";
/// `GET` tells what was done by whom.
pub const AUDIT: &str = "/v1/audit";
/// `POST` exchanges a code for a token; needs none.
pub const PAIR: &str = "/v1/pair";
/// `POST` makes a code.
pub const PAIR_CODES: &str = "/v1/pair/codes";
/// `GET` answers 200 as long as the hive can take work.
pub const READYZ: &str = "/readyz";
/// `GET` tells how the hive does, for Prometheus.
pub const METRICS: &str = "/metrics";
/// `GET` answers 200 as long as the process serves; needs no token.
pub const HEALTHZ: &str = "/healthz";
/// `GET` describes the API (OpenAPI 3.1).
pub const OPENAPI: &str = "/openapi.json";

/// One job.
pub fn job(id: JobId) -> String {
    format!("{JOBS}/{id}")
}

/// One job's event stream.
pub fn job_events(id: JobId) -> String {
    format!("{JOBS}/{id}/events")
}

/// `POST` makes one job give back its slot and keep its bytes.
pub fn job_pause(id: JobId) -> String {
    format!("{JOBS}/{id}/pause")
}

/// `DELETE` revokes the token of this name.
pub fn token(name: &str) -> String {
    format!("{TOKENS}/{name}")
}

/// `POST` puts one paused job back into the queue.
pub fn job_resume(id: JobId) -> String {
    format!("{JOBS}/{id}/resume")
}
