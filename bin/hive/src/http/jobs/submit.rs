//! `POST /v1/jobs`: a job that is durable before the answer.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use hive_api::{Job, Problem, ProblemCode, SubmitJob, paths};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use job_registry::{Submission, SubmitError};

use crate::http::{
    app::App,
    asker::{Asker, Did},
    openapi::refusals::{OfBody, OfKey, OfQuota, OfRegistry},
    problems::Refusal,
    query::Query,
    submission,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_KEY: usize = 255;

/// Submits a job
///
/// It is on disk before the answer, and starts whether or not someone watches.
#[utoipa::path(
    post,
    path = paths::JOBS,
    tag = "jobs",
    operation_id = "submit_job",
    params((
        "Idempotency-Key" = Option<String>,
        Header,
        description = "The same key with the same body is the same job for 24 hours",
        min_length = 1,
        max_length = 255,
        pattern = r"^[\x20-\x7e]+$",
    )),
    request_body = SubmitJob,
    responses(
        (
            status = 202,
            description = "The job, accepted",
            body = Job,
            headers(
                ("Location" = String, description = "The job's path"),
                ("Idempotency-Replayed" = bool, description = "`true` where an earlier request made the job"),
            ),
            links(
                ("show" = (operation_id = "show_job", parameters(("id" = "$response.body#/job_id")))),
                ("follow" = (operation_id = "follow_job", parameters(("id" = "$response.body#/job_id")))),
                ("change" = (operation_id = "change_job", parameters(("id" = "$response.body#/job_id")))),
                ("pause" = (operation_id = "pause_job", parameters(("id" = "$response.body#/job_id")))),
                ("resume" = (operation_id = "resume_job", parameters(("id" = "$response.body#/job_id")))),
                ("cancel" = (operation_id = "cancel_job", parameters(("id" = "$response.body#/job_id")))),
            ),
        ),
        OfBody,
        OfKey,
        OfQuota,
        OfRegistry,
    ),
)]
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Result<Response, Refusal> {
    Query::of(request.uri())?.finish()?;
    let idempotency_key = idempotency_key(request.headers())?;
    let body = submission::read(&app, request).await?;
    let submission = Submission {
        request: body,
        submitted_by: asker.caller.name.clone(),
        idempotency_key,
    };
    let caller = asker.caller.name.clone();
    let submitting = Arc::clone(&app);
    let submitted = asker.change(&app, async move {
        let submitted = submitting.registry.submit(submission).await;
        let submitted = submitted.map_err(refusal)?;
        let is_new = !submitted.replayed;
        let did = is_new.then(|| Did::of_job("job.submit", &submitted.job));
        Ok((submitted, did))
    });
    let submitted = submitted.await?;
    let job = submitted.job;
    tracing::info!(
        job.id = %job.job_id,
        job.replayed = submitted.replayed,
        caller,
        "submitted"
    );
    let location = [(header::LOCATION, job.links.this.clone())];
    let mut response = (StatusCode::ACCEPTED, location, Json(job)).into_response();
    if submitted.replayed {
        let replayed = HeaderValue::from_static("true");
        response
            .headers_mut()
            .insert(IDEMPOTENCY_REPLAYED, replayed);
    }
    Ok(response)
}

/// The key of the one `Idempotency-Key` header: 1 to 255 printable ASCII characters.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => printable(value).unwrap_or_default(),
        (Some(_), Some(_)) => "",
    };
    if (1..=LONGEST_KEY).contains(&key.len()) {
        return Ok(Some(key.to_owned()));
    }
    let detail = "`Idempotency-Key` must be one header of 1 to 255 printable ASCII characters";
    Err(Refusal::new(ProblemCode::MalformedHeader, detail))
}

fn printable(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    text.bytes()
        .all(|byte| (b' '..=b'~').contains(&byte))
        .then_some(text)
}

fn refusal(error: SubmitError) -> Refusal {
    match error {
        SubmitError::KeyReused => Problem::new(
            ProblemCode::IdempotencyKeyReuse,
            "this idempotency key came before with another body",
        )
        .with_hint("use a new key for a new job")
        .into(),
        SubmitError::TooMany { unfinished } => Problem::new(
            ProblemCode::QuotaExceeded,
            format!("this hive has {unfinished} jobs that have not ended, and takes no more"),
        )
        .with_hint("cancel some, or wait until some have ended")
        .into(),
        SubmitError::Registry(error) => error.into(),
    }
}
