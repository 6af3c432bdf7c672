//! One trial: a job, a kill, a new hive, and what is right or wrong after it.

use std::{fmt, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
use futures_util::StreamExt;
use hive_api::{Job, JobId, JobState, ModelDownload, Operation, Priority, SubmitJob};
use hive_client::{Followed, HiveClient, IdempotencyKey};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::fetched::Fetched;
use crate::{
    crash::{
        dice::mix,
        life::Life,
        point::{Point, Size},
        store::Places,
    },
    programs::Programs,
};

const LIMIT: Duration = Duration::from_mins(2);
const FILE: &str = "Crash-Q4_K_M.gguf";
const LARGE_BYTES: u64 = 100_000_000;
const SMALL_BYTES: u64 = 5_000_000;
/// The most that may be fetched a second time.
const AGAIN_BYTES: u64 = 16 * 1024 * 1024;
/// The latest that a random kill comes after the last byte was sent.
const LATEST_MS: u64 = 80;

/// When the hive is killed.
#[derive(Debug)]
pub(super) enum Trial {
    At(&'static Point),
    /// When some bytes were sent, or soon after the last; this seed says how many.
    AtRandom(u64),
}

/// What became of a job whose hive was killed.
pub(super) struct Recovered {
    /// Bytes of the file that the second hive did not fetch.
    pub(super) resumed_bytes: u64,
    /// Bytes that were handed over to both.
    pub(super) again_bytes: u64,
}

/// A Hub with both models, for all trials.
pub(super) struct Bench<'a> {
    programs: &'a Programs,
    hub: FakeHub,
    large: Repository,
    small: Repository,
}

impl<'a> Bench<'a> {
    pub(super) async fn start(programs: &'a Programs) -> Self {
        let model =
            |id: &str, bytes| Repository::model(id).large_file(FILE, Content::gguf("Crash", bytes));
        let large = model("acme/Large-GGUF", LARGE_BYTES);
        let small = model("acme/Small-GGUF", SMALL_BYTES);
        let hub = FakeHub::builder()
            .repository(large.clone())
            .repository(small.clone())
            .start()
            .await;
        hub.on(Requests::cdn()).answer(Fault::Drip {
            bytes_per_second: 3_000_000,
        });
        Self {
            programs,
            hub,
            large,
            small,
        }
    }

    pub(super) async fn run(&self, trial: &Trial) -> Result<Recovered> {
        let folder = TempDir::with_prefix("crash-")?;
        let repository = match trial {
            Trial::At(point) if point.size == Size::Small => &self.small,
            Trial::At(_) | Trial::AtRandom(_) => &self.large,
        };
        let places = Places {
            home: folder.path().to_owned(),
            repository_folder: format!("models--{}", repository.id().replace('/', "--")),
            file: FILE.to_owned(),
            blob: repository.etag(FILE).context("it is served")?.to_owned(),
            commit: repository.commit(),
        };
        let key = IdempotencyKey::new(Uuid::new_v4());
        let begun = self.hub.cdn().requests().len();
        let accepted = self.first_life(trial, &places, repository, key).await?;
        self.hub
            .cdn()
            .wait_for_all_connections_closed(LIMIT)
            .await?;
        let killed = self.hub.cdn().requests().len();
        self.second_life(&places, repository, key, accepted).await?;
        let requests = self.hub.cdn().requests();
        let before = Fetched::by(&requests[begun..killed], FILE);
        let after = Fetched::by(&requests[killed..], FILE);

        let content = repository.content(FILE).context("it is served")?;
        places.check(content)?;
        let again_bytes = before.bytes_shared_with(&after);
        ensure!(
            again_bytes <= AGAIN_BYTES,
            "{again_bytes} bytes were fetched again"
        );
        Ok(Recovered {
            resumed_bytes: content.size_bytes().saturating_sub(after.bytes()),
            again_bytes,
        })
    }

    /// Submits a job and sees the hive die; the job's id, if it was accepted before.
    async fn first_life(
        &self,
        trial: &Trial,
        places: &Places,
        repository: &Repository,
        key: IdempotencyKey,
    ) -> Result<Option<JobId>> {
        let point = match trial {
            Trial::At(point) => Some(*point),
            Trial::AtRandom(_) => None,
        };
        let sent = self.hub.cdn().bytes_sent(FILE);
        let mut life = Life::start(self.programs, self.hub.endpoint(), places, point)?;
        let Some(client) = life.client().await? else {
            return Ok(None);
        };
        // A hive that dies meanwhile leaves the answer open.
        let accepted = tokio::select! {
            submitted = submit(&client, repository, key) => submitted.ok().map(|job| job.job_id),
            died = life.death() => {
                died?;
                None
            }
        };
        match trial {
            Trial::At(_) => tokio::select! {
                died = life.death() => died?,
                ended = end_of(&client, accepted) => bail!("the job ended before the point: {ended:?}"),
            },
            Trial::AtRandom(seed) => {
                let (bytes, wait) = moment(*seed);
                self.hub
                    .cdn()
                    .wait_for_bytes_sent(FILE, sent + bytes, LIMIT)
                    .await?;
                sleep(wait).await;
                life.kill().await?;
            }
        }
        Ok(accepted)
    }

    /// A new hive finishes the job without being told to.
    async fn second_life(
        &self,
        places: &Places,
        repository: &Repository,
        key: IdempotencyKey,
        accepted: Option<JobId>,
    ) -> Result<()> {
        let mut life = Life::start(self.programs, self.hub.endpoint(), places, None)?;
        let client = life.client().await?.context("the second hive died")?;
        let job = match accepted {
            Some(job) => job,
            // Nobody was promised anything; whoever asked asks again under the same key.
            None => submit(&client, repository, key).await?.job_id,
        };
        let last = timeout(LIMIT, last_event(&client, job)).await;
        let last = last.context("the job does not end")??;
        let succeeded = last.state.known() == Some(&JobState::Succeeded);
        ensure!(
            succeeded,
            "the job ended as {:?}: {:?}",
            last.state,
            last.error
        );
        life.stop().await
    }
}

/// The end of an accepted job, as its hive tells it.
async fn end_of(client: &HiveClient, accepted: Option<JobId>) -> Option<JobState> {
    let Some(job) = accepted else {
        return std::future::pending().await;
    };
    match last_event(client, job).await {
        Ok(last) => last.state.known().copied(),
        // A hive that dies tells no end.
        Err(_) => std::future::pending().await,
    }
}

/// How many bytes are sent before a random kill, and how long it waits then.
fn moment(seed: u64) -> (u64, Duration) {
    let first = mix(seed.wrapping_add(1));
    // One in ten comes after the last byte: while it is verified, placed, published.
    let bytes = (first % (LARGE_BYTES / 9 * 10)).min(LARGE_BYTES);
    let wait = if bytes == LARGE_BYTES {
        mix(first) % LATEST_MS
    } else {
        0
    };
    (bytes, Duration::from_millis(wait))
}

async fn submit(client: &HiveClient, repository: &Repository, key: IdempotencyKey) -> Result<Job> {
    let download = ModelDownload {
        model: repository.id().to_owned(),
        ..ModelDownload::default()
    };
    let request = SubmitJob {
        operation: Operation::ModelDownload(download),
        priority: Priority::Normal,
        limit_bytes_per_second: None,
    };
    Ok(client.submit(&request, key).await?)
}

async fn last_event(client: &HiveClient, job: JobId) -> Result<Job> {
    let mut events = client.follow(job);
    while let Some(item) = events.next().await {
        if let Followed::Event { event, .. } = item?
            && let Some(job) = event.last()
        {
            return Ok(job.clone());
        }
    }
    bail!("the stream ended without a last event")
}

impl Trial {
    /// What makes this trial again.
    pub(super) fn command(&self) -> String {
        match self {
            Self::At(_) => "cargo xtask crash download --points".to_owned(),
            Self::AtRandom(seed) => format!("cargo xtask crash download --random 1 --seed {seed}"),
        }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(point) => write!(formatter, "before {} ({})", point.name, point.call),
            Self::AtRandom(seed) => match moment(*seed) {
                (LARGE_BYTES, wait) => write!(formatter, "{wait:?} after the last byte"),
                (bytes, _) => write!(formatter, "at byte {bytes}"),
            },
        }
    }
}
