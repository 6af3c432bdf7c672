//! The body of `POST /v1/jobs` and `POST /v1/plans`: what is wanted, checked as far as it can be without the Hub,
//! so that what cannot be never becomes a job.

use axum::extract::Request;
use hive_api::{InvalidField, ModelDownload, Operation, SubmitJob};
use serde_json::Value;

use super::{
    app::App,
    json::{receive, strict},
    problems::Refusal,
    rate_limit,
};
use crate::operations;

/// Where the operation stands in the body.
const OPERATION: &str = "/operation";

pub(super) async fn read(app: &App, request: Request) -> Result<SubmitJob, Refusal> {
    let text = receive(request, app.limits.body_timeout).await?;
    let body = strict::parse(&text)?;
    let submit: SubmitJob =
        strict::typed(&body).map_err(|errors| Refusal::invalid(inside_operation(&body, errors)))?;
    rate_limit::check(submit.limit_bytes_per_second)?;
    app.operations
        .check(&submit.operation)
        .map_err(|errors| Refusal::invalid(below_operation(errors)))?;
    Ok(submit)
}

/// Serde cannot say where in a tagged object something is wrong, so the operation is read once more as its kind.
fn inside_operation(body: &Value, errors: Vec<InvalidField>) -> Vec<InvalidField> {
    let Some(Value::Object(operation)) = body.get("operation") else {
        return errors;
    };
    if !matches!(errors.as_slice(), [one] if one.pointer == OPERATION) {
        return errors;
    }
    let Some(kind) = operation.get("kind").and_then(Value::as_str) else {
        return errors;
    };
    let mut spec = operation.clone();
    spec.remove("kind");
    let found = if kind == Operation::ModelDownload(ModelDownload::default()).kind() {
        strict::typed::<ModelDownload>(&Value::Object(spec)).err()
    } else {
        let kinds = operations::KINDS.join(", ");
        Some(vec![InvalidField {
            pointer: "/kind".to_owned(),
            detail: format!("unknown kind `{kind}`, this hive knows {kinds}"),
        }])
    };
    found.map_or(errors, below_operation)
}

fn below_operation(mut errors: Vec<InvalidField>) -> Vec<InvalidField> {
    for error in &mut errors {
        error.pointer.insert_str(0, OPERATION);
    }
    errors
}
