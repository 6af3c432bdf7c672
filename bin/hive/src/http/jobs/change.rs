//! `PATCH /v1/jobs/{id}`: another rate limit, durable before the answer and in force at once.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
};
use hive_api::{ChangeJob, Job, JobId};

use super::{InPath, PATH, no_such_job, unchanged};
use crate::http::{
    app::App,
    asker::{Asker, Did},
    json::{receive, strict},
    openapi::refusals::{OfBody, OfName, OfRegistry, OfState},
    problems::Refusal,
    query::Query,
    rate_limit,
};

const REASON: &str = "a limit can be changed until a job ends or is cancelled";
const HINT: &str = "keeper job list shows which jobs run and wait";

/// Changes a job's rate limit
#[utoipa::path(
    patch,
    path = PATH,
    tag = "jobs",
    operation_id = "change_job",
    params(("id" = JobId, Path, description = "The job")),
    request_body = ChangeJob,
    responses(
        (status = 200, description = "The job, changed", body = Job),
        OfName,
        OfState,
        OfBody,
        OfRegistry,
    ),
)]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    InPath(id): InPath,
    request: Request,
) -> Result<Json<Job>, Refusal> {
    Query::of(request.uri())?.finish()?;
    let text = receive(request, app.limits.body_timeout).await?;
    let change: ChangeJob = strict::typed(&strict::parse(&text)?).map_err(Refusal::invalid)?;
    let limit = change.limit_bytes_per_second;
    rate_limit::check(limit)?;
    let caller = asker.caller.name.clone();
    let changing = Arc::clone(&app);
    let job = asker.change(&app, async move {
        let changed = changing.registry.change(id, change).await;
        let job = changed
            .map_err(|error| unchanged(id, error, REASON, HINT))?
            .ok_or_else(no_such_job)?;
        let outcome = match limit {
            Some(bytes) => format!("limit {bytes} bytes a second"),
            None => "no limit".to_owned(),
        };
        let did = Did::new("job.change", &id, outcome);
        Ok((job, Some(did)))
    });
    let job = job.await?;
    tracing::info!(job.id = %id, job.limit_bytes_per_second = limit, caller, "changed");
    Ok(Json(job))
}
