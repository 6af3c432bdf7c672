//! The commands of a night, in an order that its seed decides; each is asked again until a hive answers it.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use fake_hub::FakeHub;
use futures_util::StreamExt;
use hive_api::{
    Event, Job, JobId, JobState, ModelDownload, Operation, Priority, ProblemCode, SubmitJob,
};
use hive_client::{CancelJob, ClientError, Followed, FollowedStream, HiveClient, IdempotencyKey};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::history::{History, Told, What};
use crate::crash::dice::Dice;

/// Commands after the first submission.
const STEPS: u64 = 16;
const LONGEST_REST_MS: u64 = 120;
/// Between two tries to reach a hive that is not there.
const POLL: Duration = Duration::from_millis(20);

/// A person's evening.
pub(super) struct Script<'a> {
    pub(super) client: HiveClient,
    pub(super) hub: Arc<FakeHub>,
    /// A model for each job that may be submitted.
    pub(super) models: &'a [Model],
    pub(super) history: History,
    /// Whether the first job is left in peace, so that it surely comes to its end.
    pub(super) spares_first: bool,
}

/// What one job downloads; no other one does.
pub(super) struct Model {
    pub(super) id: String,
    pub(super) file: String,
}

impl Script<'_> {
    /// Plays it, and watches every job to its last event.
    pub(super) async fn play(&self, seed: u64) -> Result<()> {
        let mut dice = Dice::new(seed);
        let mut watchers = JoinSet::new();
        self.submit(0, &mut watchers).await?;
        for _ in 0..STEPS {
            sleep(Duration::from_millis(dice.below(LONGEST_REST_MS))).await;
            let jobs = self.history.jobs();
            let chance = dice.below(8);
            let at = usize::try_from(dice.below(jobs.len() as u64))?;
            let id = jobs[at].id;
            match chance {
                0..=2 if jobs.len() < self.models.len() => {
                    self.submit(jobs.len(), &mut watchers).await?;
                }
                _ if at == 0 && self.spares_first => {}
                0..=3 => self.cancel(at, id).await?,
                4 | 5 => self.pause(id).await?,
                _ => self.resume(id).await?,
            }
        }
        for job in self.history.jobs() {
            self.let_go_on(job.id).await?;
        }
        while let Some(watched) = watchers.join_next().await {
            watched??;
        }
        Ok(())
    }

    /// Submits the model's job, twice under one key: one job.
    async fn submit(&self, model: usize, watchers: &mut JoinSet<Result<()>>) -> Result<()> {
        let request = SubmitJob {
            operation: Operation::ModelDownload(ModelDownload {
                model: self.models[model].id.clone(),
                ..ModelDownload::default()
            }),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        };
        let key = IdempotencyKey::new(Uuid::new_v4());
        let submit = || self.client.submit(&request, key);
        let job = until_answered(submit).await?;
        let at = self.history.acknowledged(job.job_id, model);
        let again = until_answered(submit).await?;
        if again.job_id != job.job_id {
            bail!("one key has made two jobs");
        }
        watchers.spawn(watch(
            self.client.follow(job.job_id),
            at,
            self.history.clone(),
            (Arc::clone(&self.hub), self.models[model].file.clone()),
        ));
        Ok(())
    }

    async fn cancel(&self, at: usize, id: JobId) -> Result<()> {
        let job = until_answered(|| self.client.cancel(id, CancelJob::default())).await?;
        let promised = [JobState::Cancelling, JobState::Cancelled];
        if job
            .state
            .known()
            .is_some_and(|state| promised.contains(state))
        {
            self.history.change(at, |job| job.cancel_promised = true);
        }
        Ok(())
    }

    async fn pause(&self, id: JobId) -> Result<()> {
        until_answered(|| async { granted_or_not(self.client.pause(id, None).await) }).await
    }

    async fn resume(&self, id: JobId) -> Result<()> {
        until_answered(|| async { granted_or_not(self.client.resume(id).await) }).await
    }

    /// Resumes a job until it is not paused any more.
    async fn let_go_on(&self, id: JobId) -> Result<()> {
        let waits = [JobState::Pausing, JobState::Paused];
        loop {
            let job = until_answered(|| self.client.job(id)).await?;
            if !job.state.known().is_some_and(|state| waits.contains(state)) {
                return Ok(());
            }
            self.resume(id).await?;
            sleep(POLL).await;
        }
    }
}

/// Asks again while no hive answers.
async fn until_answered<Answer, Asked>(mut ask: impl FnMut() -> Asked) -> Result<Answer>
where
    Asked: Future<Output = Result<Answer, ClientError>>,
{
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_unanswered() => sleep(POLL).await,
            Err(refused) => return Err(refused.into()),
        }
    }
}

/// A job that has just ended, or is where it cannot be asked this, is no failure.
fn granted_or_not(answer: Result<Job, ClientError>) -> Result<(), ClientError> {
    match answer {
        Ok(_) => Ok(()),
        Err(ClientError::Problem(problem))
            if problem.code.known() == Some(&ProblemCode::WrongState) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Writes down everything that a watcher is told, over every connection that it needs.
async fn watch(
    mut events: FollowedStream,
    at: usize,
    history: History,
    (hub, file): (Arc<FakeHub>, String),
) -> Result<()> {
    let mut is_first = true;
    while let Some(item) = events.next().await {
        let Followed::Event { id, event } = item? else {
            continue;
        };
        if let Event::Snapshot(_) = event
            && std::mem::take(&mut is_first)
        {
            history.change(at, |job| job.watched_from = id);
        }
        if let Event::Cancelled(_) = event {
            let sent = hub.cdn().bytes_sent(&file);
            history.change(at, |job| job.cancelled = Some((Instant::now(), sent)));
        }
        if let Some(what) = What::of(&event) {
            let told = Told { sequence: id, what };
            history.change(at, |job| job.watched.push(told));
        }
    }
    Ok(())
}
