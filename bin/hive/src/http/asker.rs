//! Whoever asks for a change: who, from where, by which request; and the change with its line in the audit log.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::extract::Request;
use hive_api::{Job, JobState, ProblemCode};

use super::{Peer, app::App, auth::Caller, problems::Refusal, request::RequestId};
use crate::access::audit::Done;

/// A request, as the audit log names it.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    request_id: String,
    /// `None` over the unix socket.
    peer: Option<SocketAddr>,
}

impl Visit {
    pub(super) fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        let id = extensions.get::<RequestId>();
        Self {
            request_id: id.map(|id| id.0.clone()).unwrap_or_default(),
            peer: extensions.get::<Peer>().and_then(|peer| peer.0),
        }
    }

    /// The address it came from; none over the unix socket.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip().to_canonical())
    }
}

/// Who asks, by which request.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) caller: Caller,
    visit: Visit,
}

/// What a change did.
#[derive(Debug)]
pub(super) struct Did {
    what: &'static str,
    target: String,
    outcome: String,
}

impl Did {
    /// `what` is a stable verb, such as `job.submit`; `target` what it was done to.
    pub(super) fn new(
        what: &'static str,
        target: &impl ToString,
        outcome: impl Into<String>,
    ) -> Self {
        Self {
            what,
            target: target.to_string(),
            outcome: outcome.into(),
        }
    }

    /// Of a job that came into one of these states; `None` where it was in it before.
    pub(super) fn moved(
        what: &'static str,
        before: Option<&Job>,
        after: &Job,
        into: [JobState; 2],
    ) -> Option<Self> {
        let is_there = after
            .state
            .known()
            .is_some_and(|state| into.contains(state));
        let was_there = before.is_some_and(|before| before.state == after.state);
        (is_there && !was_there).then(|| Self::of_job(what, after))
    }

    /// Of a job as it is now.
    pub(super) fn of_job(what: &'static str, job: &Job) -> Self {
        Self::new(what, &job.job_id, job.state.as_str())
    }
}

impl Asker {
    pub(super) const fn new(caller: Caller, visit: Visit) -> Self {
        Self { caller, visit }
    }

    /// Makes a change and writes its line, both to the end also where the asker goes away meanwhile: what was done is
    /// in the log, and is not answered before.
    pub(super) async fn change<T: Send + 'static>(
        self,
        app: &Arc<App>,
        change: impl Future<Output = Result<(T, Option<Did>), Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let inner = Arc::clone(app);
        let changed = app.changes.spawn(async move {
            let (answer, did) = change.await?;
            if let Some(did) = did {
                self.record(&inner, did).await;
            }
            Ok(answer)
        });
        changed.await.unwrap_or_else(|_| {
            let detail = "the hive made a mistake at this request";
            Err(Refusal::new(ProblemCode::Internal, detail))
        })
    }

    /// Writes the line of a change that was made.
    pub(super) async fn record(self, app: &App, did: Did) {
        let done = Done {
            caller: self.caller.told(),
            request_id: self.visit.request_id,
            from: self
                .visit
                .peer
                .map_or_else(|| "unix".to_owned(), |peer| peer.to_string()),
            what: did.what,
            target: did.target,
            outcome: did.outcome,
        };
        app.access.audit.record(done).await;
    }
}
