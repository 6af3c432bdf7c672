//! `GET /readyz`: whether this hive can take work, and if not, which part is in the way and what to do about it.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use hive_api::{Problem, ProblemCode, Ready, paths};
use http::Uri;
use tokio::time::timeout;

use super::{app::App, openapi::refusals::OfStore, problems::Refusal, query::Query};

/// What does not answer within this is not ready: a platform asks again soon, and must not pile up questions.
const LIMIT: Duration = Duration::from_secs(5);

/// Says whether the hive can take work
///
/// The job database and the audit log take writes, the state folder has room, the store can be written, and the hive is not stopping.
#[utoipa::path(
    get,
    path = paths::READYZ,
    tag = "hive",
    operation_id = "is_ready",
    responses((status = 200, description = "It can", body = Ready), OfStore),
)]
pub(super) async fn readyz(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<Ready>, Refusal> {
    Query::of(&uri)?.finish()?;
    if app.drain.is_cancelled() {
        return Err(Refusal::new(
            ProblemCode::ShuttingDown,
            "the hive is stopping",
        ));
    }
    let checks =
        async { tokio::try_join!(database(&app), state_folder(&app), store(&app), audit(&app)) };
    match timeout(LIMIT, checks).await {
        Ok(checked) => checked.map(|_| Json(Ready { ready: true })),
        Err(_) => Err(not_ready(
            format!(
                "the disk or the job database does not answer within {} s",
                LIMIT.as_secs()
            ),
            "look at the disks of the state folder and of the store",
        )),
    }
}

async fn database(app: &App) -> Result<(), Refusal> {
    let checked = app.registry.check_writable().await;
    checked.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
        not_ready(
            format!("the job database takes no writes: {error}"),
            "make room on the disk of the state folder and close other programs that have hive.db open",
        )
    })
}

/// Also tries again what the disk refused.
async fn audit(app: &App) -> Result<(), Refusal> {
    let written = app.access.audit.check().await;
    written.map_err(|error| {
        not_ready(
            format!("the audit log takes no line: {error}"),
            "make room on the disk of the state folder; the lines wait, and are written then",
        )
    })
}

async fn state_folder(app: &App) -> Result<(), Refusal> {
    let folder = app.facts.state_path.clone();
    let free_bytes = off_the_workers(move || {
        let disk = rustix::fs::statvfs(&folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    });
    match free_bytes.await {
        Ok(1..) => Ok(()),
        Ok(0) => Err(not_ready(
            format!(
                "the disk of the state folder {} is full",
                app.facts.state_path.display()
            ),
            "make room there",
        )),
        Err(error) => Err(not_ready(
            format!(
                "the state folder {} cannot be reached: {error}",
                app.facts.state_path.display()
            ),
            "look at its disk",
        )),
    }
}

async fn store(app: &App) -> Result<(), Refusal> {
    let folder = app.facts.store_path.clone();
    let written = off_the_workers(move || {
        use rustix::fs::{Access, access};
        // A store that does not exist yet is made where its nearest ancestor is.
        let there = folder.ancestors().find(|folder| folder.exists());
        access(
            there.unwrap_or(Path::new("/")),
            Access::WRITE_OK | Access::EXEC_OK,
        )
    });
    written.await.map_err(|error| {
        not_ready(
            format!(
                "the store {} cannot be written: {error}",
                app.facts.store_path.display()
            ),
            "give the hive's user the right to write there, or start it with another --model-dir",
        )
    })
}

/// Asks a disk that may not answer.
async fn off_the_workers<T: Send + 'static>(
    question: impl FnOnce() -> rustix::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let answered = tokio::task::spawn_blocking(question).await;
    Ok(answered.map_err(std::io::Error::other)??)
}

fn not_ready(detail: String, hint: &str) -> Refusal {
    Problem::new(ProblemCode::StoreUnavailable, detail)
        .with_hint(hint)
        .into()
}
