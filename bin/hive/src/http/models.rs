//! `/v1/models`: what the store holds.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use hive_api::{Job, ModelList, Problem, ProblemCode, RemovedModel, paths};
use http::Uri;
use model_store::{RepoId, RepoKind, Revision};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    app::App,
    asker::{Asker, Did},
    openapi::refusals::{OfName, OfRegistry, OfStore, OfUse},
    problems::Refusal,
    query::{Query, refused},
};
use crate::store::AskError;

/// What names a repository.
const REPO: &str = "`org/name`, with `datasets/` before it for a dataset";

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(read, remove))
}

/// Lists what the store holds, or shows one repository
#[utoipa::path(
    get,
    path = paths::MODELS,
    tag = "models",
    operation_id = "list_models",
    params(
        ("repo" = Option<String>, Query, description = REPO, example = "Qwen/Qwen3-8B-GGUF"),
        ("revision" = Option<String>, Query, description = "A commit or a ref; needs `repo`"),
    ),
    responses(
        (status = 200, description = "The models", body = ModelList),
        OfName,
        OfStore,
    ),
)]
async fn read(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<ModelList>, Refusal> {
    match Named::of(&uri)? {
        None => Ok(Json(app.store.list().await?)),
        Some(Named { repo, revision }) => {
            let found = app.store.show(repo.clone(), revision).await?;
            found.map(Json).ok_or_else(|| not_stored(&repo))
        }
    }
}

/// Removes a repository, or one revision of it, from the store
#[utoipa::path(
    delete,
    path = paths::MODELS,
    tag = "models",
    operation_id = "remove_model",
    params(
        ("repo" = String, Query, description = REPO, example = "Qwen/Qwen3-8B-GGUF"),
        ("revision" = Option<String>, Query, description = "A commit or a ref; all if not given"),
    ),
    responses(
        (status = 200, description = "What is gone", body = RemovedModel),
        OfName,
        OfUse,
        OfRegistry,
    ),
)]
async fn remove(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    uri: Uri,
) -> Result<Json<RemovedModel>, Refusal> {
    let Named { repo, revision } =
        Named::of(&uri)?.ok_or_else(|| refused("repo", "must name what to remove"))?;
    refuse_in_use(&app, &repo).await?;
    let changing = Arc::clone(&app);
    let removed = asker.change(&app, async move {
        let removed = changing.store.remove(repo.clone(), revision).await?;
        let removed = removed.ok_or_else(|| not_stored(&repo))?;
        let did = Did::new("model.remove", &repo, removed.commits.join(" "));
        Ok((removed, Some(did)))
    });
    let removed = removed.await?;
    tracing::info!(
        model.repo = removed.repo,
        model.bytes_freed = removed.bytes_freed,
        "removed from the store"
    );
    Ok(Json(removed))
}

/// What the query names.
struct Named {
    repo: RepoId,
    revision: Option<Revision>,
}

impl Named {
    /// `?repo=[datasets/]org/name[&revision=]`, or nothing.
    fn of(uri: &Uri) -> Result<Option<Self>, Refusal> {
        let mut query = Query::of(uri)?;
        let (repo, revision) = (query.text("repo"), query.text("revision"));
        query.finish()?;
        let Some(repo) = repo else {
            return match revision {
                Some(_) => Err(refused("revision", "needs `repo` beside it")),
                None => Ok(None),
            };
        };
        let (kind, name) = match repo.strip_prefix("datasets/") {
            Some(name) => (RepoKind::Dataset, name),
            None => (RepoKind::Model, repo.as_str()),
        };
        let unsafe_name = |name: &str, error: &dyn std::fmt::Display| {
            refused(name, &format!("cannot be: {error}"))
        };
        let repo = RepoId::new(kind, name).map_err(|error| unsafe_name("repo", &error))?;
        let revision = revision
            .map(|name| Revision::new(&name).map_err(|error| unsafe_name("revision", &error)))
            .transpose()?;
        Ok(Some(Self { repo, revision }))
    }
}

async fn refuse_in_use(app: &App, repo: &RepoId) -> Result<(), Refusal> {
    let jobs = app.jobs_at_work().await?;
    let uses_it = |job: &&Job| {
        let operation = job.operation.known();
        operation
            .and_then(|known| app.operations.repository(known))
            .as_ref()
            == Some(repo)
    };
    let Some(job) = jobs.iter().find(uses_it) else {
        return Ok(());
    };
    let id = job.job_id;
    let detail = format!("job {id} is working on {repo}");
    Err(Problem::new(ProblemCode::ModelInUse, detail)
        .with_hint(format!("wait for it, or keeper job cancel {}", id.short()))
        .into())
}

fn not_stored(repo: &RepoId) -> Refusal {
    let detail = format!("the store has no {repo} at that revision");
    Problem::new(ProblemCode::NotFound, detail)
        .with_hint("keeper model list shows what it has")
        .into()
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        Problem::new(ProblemCode::StoreUnavailable, error.to_string())
            .with_hint("the hive's log says why")
            .into()
    }
}
