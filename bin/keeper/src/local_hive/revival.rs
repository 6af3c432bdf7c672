//! Starting the local hive again when it has died under a keeper that follows its jobs.

use tokio::sync::Mutex;

use super::{Holder, LocalHive, Remains, may_start, start};
use crate::{app::Variable, exit_code, failure::Failure, hives::Hive};

/// Times that one keeper starts a dead hive again: one that dies again and again needs a person.
pub(crate) const STARTS_MAX: u32 = 5;

/// Looks after the hive of this machine; a remote one is left to its own.
pub(crate) struct Revival(Option<Local>);

struct Local {
    hive: LocalHive,
    variable: Variable,
    /// Starts so far. Held during one, so that several jobs start one hive.
    starts: Mutex<u32>,
}

/// What became of a local hive that did not answer.
#[derive(Debug)]
pub(crate) enum Found {
    /// It runs, or another has started it: trying again helps.
    Running,
    /// It was stopped, and that is not undone.
    Stopped,
    /// It died, and keeper may not start it.
    Died,
    /// It had died and was started again, for the so manyth time.
    StartedAgain(u32),
    /// It had died and does not run again.
    GivenUp(Failure),
}

impl Revival {
    /// For this hive.
    pub(crate) fn of(hive: &Hive, variable: Variable) -> Self {
        let local = hive
            .is_local
            .then(|| LocalHive::behind(hive, &variable).ok());
        Self(local.flatten().map(|hive| Local {
            hive,
            variable,
            starts: Mutex::new(0),
        }))
    }

    /// Whether no hive is there, as far as can be told from here.
    pub(crate) fn is_gone(&self) -> bool {
        let remains = self.0.as_ref().map(|local| Remains::of(&local.hive.folder));
        matches!(remains, Some(Remains::Stopped | Remains::Died))
    }

    /// Looks at a hive that did not answer, and starts it again if it died; `None` for a remote one.
    pub(crate) async fn look(&self) -> Option<Found> {
        let local = self.0.as_ref()?;
        let mut starts = local.starts.lock().await;
        Some(match Remains::of(&local.hive.folder) {
            Remains::Running => Found::Running,
            Remains::Stopped => Found::Stopped,
            Remains::Died if !may_start(&local.variable) => Found::Died,
            Remains::Died if *starts == STARTS_MAX => Found::GivenUp(local.dies_again_and_again()),
            Remains::Died => match start(&local.hive, &local.variable).await {
                Ok(pid) if local.is_held_by(pid) => {
                    *starts += 1;
                    Found::StartedAgain(*starts)
                }
                Ok(_) => Found::Running,
                Err(failure) => Found::GivenUp(failure),
            },
        })
    }
}

impl Local {
    /// Whether the hive is this process, and not that of another keeper that was faster.
    fn is_held_by(&self, pid: Option<u32>) -> bool {
        let holder = Holder::of(&self.hive.folder.lock()).ok().flatten();
        let holder = holder.and_then(|holder| u32::try_from(holder.pid()).ok());
        pid.is_some() && holder == pid
    }

    fn dies_again_and_again(&self) -> Failure {
        let log = self.hive.folder.log();
        Failure::new(
            exit_code::UNREACHABLE,
            "hive_unreachable",
            format!("the hive has died again after {STARTS_MAX} new starts"),
            format!("read {}, then keeper hive start", log.display()),
        )
    }
}
