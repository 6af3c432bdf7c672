//! One night: a Hub, a store, a script, and hives that die.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
use hive_client::{Endpoint, HiveClient};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    checks,
    history::History,
    script::{Model, Script},
};
use crate::{
    crash::{dice::Dice, life::Life, point::Point, store::Places},
    programs::Programs,
};

const LIMIT: Duration = Duration::from_mins(3);
/// The most jobs of a night; more than may run at once.
const MODELS: u32 = 6;
const MODEL_BYTES: u64 = 3_000_000;
const BYTES_PER_SECOND: u64 = 1_000_000;
/// The most deaths at random, and the longest life before one.
const DEATHS: u64 = 3;
const LONGEST_LIFE_MS: u64 = 1_500;

/// When a hive is killed.
#[derive(Debug)]
pub(super) enum Death {
    At(&'static Point),
    /// One to three times, when the night's seed says.
    AtRandom,
}

/// How much a night had to tell.
pub(super) struct Told {
    pub(super) deaths: u64,
    pub(super) jobs: usize,
    pub(super) events: usize,
}

/// What all lives of a night share.
pub(super) struct Night<'a> {
    programs: &'a Programs,
    folder: TempDir,
    pub(super) hub: Arc<FakeHub>,
    pub(super) repositories: Vec<Repository>,
    pub(super) models: Vec<Model>,
    pub(super) history: History,
}

impl<'a> Night<'a> {
    /// Plays the whole night and checks what was told in it.
    pub(super) async fn play(programs: &'a Programs, death: &Death, seed: u64) -> Result<Told> {
        let night = Self::begin(programs).await?;
        let played = timeout(LIMIT, night.lives(death, seed)).await;
        let (life, deaths) = played.context("the jobs do not end")??;
        checks::check(&night).await?;
        life.stop().await?;
        checks::check_database(&night.places(0)?).await?;
        let jobs = night.history.jobs();
        Ok(Told {
            deaths,
            jobs: jobs.len(),
            events: jobs.iter().map(|job| job.watched.len()).sum(),
        })
    }

    async fn begin(programs: &'a Programs) -> Result<Self> {
        let names = (1..=MODELS).map(|number| Model {
            id: format!("acme/Night-{number}-GGUF"),
            file: format!("Night-{number}-Q4_K_M.gguf"),
        });
        let models: Vec<Model> = names.collect();
        let repositories: Vec<Repository> = models
            .iter()
            .map(|model| {
                let content = Content::gguf(&model.id, MODEL_BYTES);
                Repository::model(&model.id).large_file(&model.file, content)
            })
            .collect();
        let mut builder = FakeHub::builder();
        for repository in &repositories {
            builder = builder.repository(repository.clone());
        }
        let hub = builder.start().await;
        hub.on(Requests::cdn()).answer(Fault::Drip {
            bytes_per_second: BYTES_PER_SECOND,
        });
        Ok(Self {
            programs,
            folder: TempDir::with_prefix("night-")?,
            hub: Arc::new(hub),
            repositories,
            models,
            history: History::default(),
        })
    }

    /// The script with every hive that it outlives; gives the last one and how many died.
    async fn lives(&self, death: &Death, seed: u64) -> Result<(Life, u64)> {
        let script = Script {
            client: self.client()?,
            hub: Arc::clone(&self.hub),
            models: &self.models,
            history: self.history.clone(),
            spares_first: matches!(death, Death::At(_)),
        };
        let script = script.play(seed);
        tokio::pin!(script);
        let mut deaths = 0;
        match death {
            Death::At(point) => {
                let mut life = self.life(Some(point))?;
                tokio::select! {
                    died = life.death() => died?,
                    played = &mut script => {
                        played?;
                        bail!("the night was over before the point");
                    }
                }
                deaths += 1;
            }
            Death::AtRandom => {
                let mut dice = Dice::new(!seed);
                for _ in 0..=dice.below(DEATHS) {
                    let mut life = self.life(None)?;
                    tokio::select! {
                        () = sleep(Duration::from_millis(dice.below(LONGEST_LIFE_MS))) => {}
                        played = &mut script => {
                            played?;
                            return Ok((life, deaths));
                        }
                    }
                    life.kill().await?;
                    deaths += 1;
                }
            }
        }
        let mut life = self.life(None)?;
        tokio::select! {
            played = &mut script => played?,
            died = life.death() => {
                died?;
                bail!("a hive died by itself");
            }
        }
        Ok((life, deaths))
    }

    fn life(&self, point: Option<&Point>) -> Result<Life> {
        Life::start(self.programs, self.hub.endpoint(), &self.places(0)?, point)
    }

    pub(super) fn client(&self) -> Result<HiveClient> {
        let socket = self.places(0)?.socket();
        Ok(HiveClient::connect(&Endpoint::UnixSocket(socket))?)
    }

    /// Where the files of one of its models are.
    pub(super) fn places(&self, model: usize) -> Result<Places> {
        let Model { id, file } = self.models.get(model).context("it is a model")?;
        let repository = &self.repositories[model];
        ensure!(repository.id() == id, "in the same order");
        Ok(Places {
            home: self.folder.path().to_owned(),
            repository_folder: format!("models--{}", id.replace('/', "--")),
            file: file.clone(),
            blob: repository.etag(file).context("it is served")?.to_owned(),
            commit: repository.commit(),
        })
    }
}

impl Death {
    /// What plays such a night again.
    pub(super) fn command(&self, seed: u64) -> String {
        match self {
            Self::At(_) => "cargo xtask crash jobs --points".to_owned(),
            Self::AtRandom => format!("cargo xtask crash jobs --random 1 --seed {seed}"),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(point) => write!(formatter, "before {} ({})", point.name, point.call),
            Self::AtRandom => write!(formatter, "at random"),
        }
    }
}
