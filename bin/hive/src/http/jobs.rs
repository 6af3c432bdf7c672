//! `/v1/jobs`: one file a verb.

mod cancel;
mod change;
mod events;
mod get;
mod list;
mod pause;
mod resume;
mod submit;

use std::{sync::Arc, time::Duration};

use axum::extract::{FromRequestParts, Path};
use hive_api::{Job, JobId, Problem, ProblemCode};
use http::request::Parts;
use job_registry::{ChangeError, RegistryError};
use tokio::time::timeout;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    app::App,
    problems::Refusal,
    query::{Query, refused},
};

/// One job.
const PATH: &str = "/v1/jobs/{id}";

/// A client that waits longer than this asks again.
const LONGEST_WAIT_SECONDS: u64 = 300;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(submit::submit, list::list))
        .routes(routes!(get::get, cancel::cancel, change::change))
        .routes(routes!(events::events))
        .routes(routes!(pause::pause))
        .routes(routes!(resume::resume))
}

/// The job id of the path; one that cannot be is as unknown as one that is not.
struct InPath(JobId);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        text.ok()
            .and_then(|Path(text)| text.parse().ok())
            .map(Self)
            .ok_or_else(no_such_job)
    }
}

fn no_such_job() -> Refusal {
    Refusal::new(ProblemCode::NotFound, "this hive has no such job")
}

/// A change that a job did not take: `reason` says in which states it would, `hint` what to do instead.
fn unchanged(id: JobId, error: ChangeError, reason: &str, hint: &str) -> Refusal {
    match error {
        ChangeError::WrongState { state } => {
            let short = id.short();
            let detail = if state.has_ended() {
                format!("job {short} has ended already")
            } else {
                format!("job {short} is {}", state.as_str())
            };
            Problem::new(ProblemCode::WrongState, detail)
                .with_reason(reason)
                .with_hint(hint)
                .into()
        }
        ChangeError::Registry(error) => error.into(),
    }
}

/// Takes `wait_seconds`.
fn take_wait(query: &mut Query) -> Result<Option<Duration>, Refusal> {
    let expected = "a whole number of seconds";
    match query.take::<u64>("wait_seconds", expected)? {
        Some(seconds) if seconds > LONGEST_WAIT_SECONDS => Err(refused(
            "wait_seconds",
            &format!("can be {LONGEST_WAIT_SECONDS} at most"),
        )),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

/// Waits for `change` as long as the client wants and the hive serves, then answers the job as it is.
async fn wait_for(
    app: &App,
    id: JobId,
    wait: Duration,
    change: impl Future<Output = Result<Option<Job>, RegistryError>>,
) -> Result<Job, Refusal> {
    let waited = app.drain.run_until_cancelled(timeout(wait, change)).await;
    let job = match waited {
        Some(Ok(job)) => job?,
        Some(Err(_)) | None => app.registry.get(id).await?,
    };
    job.ok_or_else(no_such_job)
}
