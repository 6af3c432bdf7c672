//! One run: downloads under the plan's faults, a look at the store, and one more when the Hub is well again.

mod judgement;
mod litter;

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use fake_hub::{Account, FakeHub, Repository, Requests, Script};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::code::Code;
use crate::hive::{Ended, Hive, TOKEN, request};
use crate::inspection::Inspection;
use crate::model::{MAIN, NEIGHBOUR};
use crate::plan::{Moment, Plan, Trouble};

/// What a run without a violation brought.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// How the downloads under faults ended; `None` is success.
    pub(crate) ended: Vec<Option<Code>>,
    /// How many requests met which fault of the matrix.
    pub(crate) hits: BTreeMap<(&'static str, &'static str), u64>,
    pub(crate) retries: u64,
}

/// Runs a plan. An error is a violation of a promise.
pub(crate) async fn run(plan: &Plan) -> Result<Story> {
    let hub = FakeHub::builder()
        .account(Account::new("chaos", TOKEN))
        .repository(plan.models.main.clone())
        .repository(plan.models.neighbour.clone())
        .try_start()
        .await?;
    let story = Box::pin(Stage::new(plan, &hub)?.play()).await;
    let closed = spawn_blocking(move || drop(hub)).await;
    closed.map_err(|panic| anyhow!("the Hub saw what it must not see: {panic}"))?;
    story
}

/// A Hub with its faults and a store on which hives work.
struct Stage<'a> {
    plan: &'a Plan,
    hub: &'a FakeHub,
    scripts: Vec<Vec<Script>>,
    folder: TempDir,
    inspection: Inspection,
    story: Story,
}

impl<'a> Stage<'a> {
    fn new(plan: &'a Plan, hub: &'a FakeHub) -> Result<Self> {
        let mut inspection = Inspection::default();
        inspection.knows(&plan.models.main);
        inspection.knows(&plan.models.neighbour);
        let troubles = plan.troubles.iter();
        Ok(Self {
            plan,
            hub,
            scripts: troubles.map(|trouble| trouble.script(hub)).collect(),
            folder: TempDir::with_prefix("chaos-")?,
            inspection,
            story: Story::default(),
        })
    }

    async fn play(mut self) -> Result<Story> {
        let litter = litter::drop_in(self.plan, self.folder.path(), &mut self.inspection)?;
        let hive = self.hive()?;
        Box::pin(self.under_faults(&hive))
            .await
            .context("under faults")?;
        for script in self.scripts.iter().flatten() {
            script.release();
        }
        let hive = if self.plan.is_restarted {
            self.hive()?
        } else {
            hive
        };
        self.when_well(&hive)
            .await
            .context("the Hub is well again")?;
        litter.assert_untouched()?;
        for (trouble, scripts) in self.plan.troubles.iter().zip(&self.scripts) {
            let row = (trouble.row.number, trouble.row.name);
            let hits = scripts.first().map_or(0, Script::hits);
            *self.story.hits.entry(row).or_default() += hits;
        }
        Ok(self.story)
    }

    fn hive(&self) -> Result<Hive> {
        let store = self.folder.path().join("hub");
        Hive::new(self.hub.endpoint(), &store, self.plan.connections)
    }

    /// The download of the plan, and its neighbour's.
    async fn under_faults(&mut self, hive: &Hive) -> Result<()> {
        let plan = self.plan;
        let cancellation = CancellationToken::new();
        let asked = request(MAIN, !plan.models.is_quantised, plan.force)?;
        let main = hive.download(&asked, plan.cancel.as_ref(), &cancellation);
        let both = async { tokio::join!(main, self.beside(hive)) };
        let (main, beside) = tokio::select! {
            both = both => both,
            never = self.cancel_by_traffic(&cancellation) => match never {},
        };
        self.judge(&main, &plan.models.main, plan.cancel.is_some())?;
        if let Some((beside, repository)) = beside? {
            self.judge(&beside, repository, false)
                .context("the neighbour")?;
        } else {
            self.compare_kept(&main)?;
        }
        self.look()
    }

    /// The neighbour's download, with the repository that it is of.
    async fn beside(&self, hive: &Hive) -> Result<Option<(Ended, &'a Repository)>> {
        let Some(neighbour) = &self.plan.neighbour else {
            return Ok(None);
        };
        let models = &self.plan.models;
        let (name, repository) = if neighbour.of_other_repository {
            (NEIGHBOUR, &models.neighbour)
        } else {
            (MAIN, &models.main)
        };
        let asked = request(name, true, false)?;
        let nobody = CancellationToken::new();
        let ended = if neighbour.by_other_hive {
            self.hive()?.download(&asked, None, &nobody).await
        } else {
            hive.download(&asked, None, &nobody).await
        };
        Ok(Some((ended, repository)))
    }

    /// Cancels at a moment that the Hub or its CDN sees.
    async fn cancel_by_traffic(
        &self,
        cancellation: &CancellationToken,
    ) -> std::convert::Infallible {
        let limit = crate::fleet::RUN_LIMIT;
        let seen = match &self.plan.cancel {
            Some(Moment::HubAsked(number)) => {
                let asked = Requests::hub().nth(*number);
                self.hub.api().wait_for_request(&asked, limit).await.is_ok()
            }
            Some(Moment::CdnAsked(number)) => {
                let asked = Requests::cdn().nth(*number);
                self.hub.cdn().wait_for_request(&asked, limit).await.is_ok()
            }
            Some(Moment::BytesSent(path, bytes)) => {
                let sent = self.hub.cdn().wait_for_bytes_sent(path, *bytes, limit);
                sent.await.is_ok()
            }
            Some(Moment::Retried(_) | Moment::ReadyToPublish) | None => false,
        };
        if seen {
            cancellation.cancel();
        }
        std::future::pending().await
    }

    /// The same once more without faults: it succeeds, whatever was left.
    async fn when_well(&mut self, hive: &Hive) -> Result<()> {
        let models = &self.plan.models;
        let mut repository = &models.main;
        if self.plan.is_pushed {
            repository = &models.pushed;
            self.hub.push(repository.clone());
            self.inspection.knows(repository);
        }
        let asked = request(MAIN, !models.is_quantised, self.plan.force)?;
        let ended = hive.download(&asked, None, &CancellationToken::new()).await;
        if let Err(error) = &ended.result {
            return Err(anyhow!("ended with {error:?}"));
        }
        self.judge_success(&ended, repository)?;
        self.look()
    }

    fn look(&self) -> Result<()> {
        let truthful = !self.plan.troubles.iter().any(Trouble::is_untruthful);
        self.inspection
            .look(&self.folder.path().join("hub"), truthful)
    }
}
