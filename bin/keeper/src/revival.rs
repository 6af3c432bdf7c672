//! Looking after a hive that does not answer a keeper that follows its jobs: one that died is started again, and a way
//! over ssh that was lost is made again.

use hive_api::RunState;
use hive_client::ConnectionLoss;
use tokio::sync::Mutex;

use crate::{
    app::Variable, exit_code, failure::Failure, hives::Hive, local_hive::may_start,
    own_hive::OwnHive,
};

/// Times that one keeper starts a dead hive again: one that dies again and again needs a person.
pub(crate) const STARTS_MAX: u32 = 5;

/// Looks after a hive that keeper can start; another one is left to its own.
pub(crate) struct Revival(Option<Own>);

struct Own {
    hive: OwnHive,
    variable: Variable,
    /// Starts so far. Held during a look, so that several jobs start one hive and one ssh.
    starts: Mutex<u32>,
}

/// What became of a hive that did not answer.
#[derive(Debug)]
pub(crate) enum Found {
    /// It runs, or another has started it, or it cannot be told: trying again helps.
    Running,
    /// It was stopped, and that is not undone.
    Stopped,
    /// It died, and keeper may not start it.
    Died,
    /// It had died and was started again, for the so manyth time.
    StartedAgain(u32),
    /// It is not reached again without a person.
    GivenUp(Failure),
}

impl Revival {
    /// For this hive.
    pub(crate) fn of(hive: &Hive, variable: Variable) -> Self {
        Self(OwnHive::behind(hive, variable).map(|hive| Own {
            hive,
            variable,
            starts: Mutex::new(0),
        }))
    }

    /// Whether no hive is there, as far as can be told from here.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|own| own.hive.is_gone())
    }

    /// Whether a look may help where a stream ended so. Behind ssh somebody listens as long as ssh runs, hive or not.
    pub(crate) fn may_help(&self, reason: &ConnectionLoss) -> bool {
        match self.0.as_ref().map(|own| &own.hive) {
            None => false,
            Some(OwnHive::Local(_)) => *reason == ConnectionLoss::Refused,
            Some(OwnHive::Ssh(_)) => matches!(
                reason,
                ConnectionLoss::Refused | ConnectionLoss::Closed | ConnectionLoss::Failed { .. }
            ),
        }
    }

    /// Looks at a hive that did not answer, and starts it again if it died; `None` for one that keeper cannot start.
    pub(crate) async fn look(&self) -> Option<Found> {
        let own = self.0.as_ref()?;
        let mut starts = own.starts.lock().await;
        let state = match own.hive.state().await {
            Ok(state) => state,
            Err(failure) if failure.needs_person() => return Some(Found::GivenUp(failure)),
            Err(_) => return Some(Found::Running),
        };
        Some(match state {
            RunState::Running => Found::Running,
            RunState::Stopped => Found::Stopped,
            RunState::Died if !may_start(&own.variable) => Found::Died,
            RunState::Died if *starts == STARTS_MAX => Found::GivenUp(own.dies_again_and_again()),
            RunState::Died => match own.hive.start().await {
                Ok(Some(_)) => {
                    *starts += 1;
                    Found::StartedAgain(*starts)
                }
                Ok(None) => Found::Running,
                Err(failure) => Found::GivenUp(failure),
            },
        })
    }
}

impl Own {
    fn dies_again_and_again(&self) -> Failure {
        Failure::new(
            exit_code::UNREACHABLE,
            "hive_unreachable",
            format!("the hive has died again after {STARTS_MAX} new starts"),
            format!(
                "read {}, then {}",
                self.hive.log(),
                self.hive.hive().command("hive start")
            ),
        )
    }
}
