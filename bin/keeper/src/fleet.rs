//! Several hives at once: the ways to them are made side by side, and none keeps another waiting.

use std::{error::Error, io, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, join_all},
};
use hive_api::Problem;
use hive_client::ClientError;
use tokio::time::timeout;

use crate::{
    app::{App, Way},
    exit_code,
    failure::Failure,
    hives::{Hive, Target},
    local_hive::may_start,
    own_hive::OwnHive,
    ssh::Asking,
    ui::{OfHive, Tone, format},
};

/// How long a person waits to be asked by ssh before the command goes on with the hives that are there.
const UNTIL_ASKED: Duration = Duration::from_secs(3);
/// How long a hive may take to an answer that one looks at together with those of others.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The end of the way to a hive, for everyone who waits for it.
pub(crate) type Arrival = Shared<BoxFuture<'static, Result<(), Failure>>>;

/// One of several hives that are meant.
#[derive(Clone)]
pub(crate) struct Member {
    /// The hive, which may not answer yet.
    pub(crate) hive: Hive,
    /// When it does, or why it never will.
    pub(crate) arrival: Arrival,
}

/// What one of several hives answered.
pub(crate) struct Answer<T> {
    /// The hive.
    pub(crate) hive: Hive,
    /// Its answer, or why there is none.
    pub(crate) answer: Result<T, Silence>,
}

/// Why a hive has no answer.
pub(crate) struct Silence {
    /// In a few words: `refused the connection`.
    pub(crate) words: String,
    /// In whole.
    pub(crate) failure: Failure,
}

impl App {
    /// The hives that are meant, on the way: started where they do not run. ssh asks a person for one after the other,
    /// after those that ask nothing.
    pub(crate) async fn fleet(&self) -> Result<Vec<Member>, Failure> {
        let targets = self.targets()?;
        let quietly = targets
            .iter()
            .map(|target| self.member(target, Asking::Nobody));
        let mut members = quietly.collect::<Result<Vec<Member>, Failure>>()?;
        let has_ssh = members.iter().any(|member| member.hive.tunnel.is_some());
        if self.asking() != Asking::Person || !has_ssh {
            return Ok(members);
        }
        let arrivals = members.iter().map(|member| member.arrival.clone());
        // Those that take longer arrive while the others work.
        let _ = timeout(UNTIL_ASKED, join_all(arrivals)).await;
        for (member, target) in members.iter_mut().zip(&targets) {
            let asks =
                matches!(member.arrival.peek(), Some(Err(failure)) if failure.needs_person());
            if asks && member.hive.tunnel.is_some() {
                *member = self.member(target, Asking::Person)?;
                // What came of it is told with its job.
                let _ = member.arrival.clone().await;
            }
        }
        Ok(members)
    }

    fn member(&self, target: &Target, asking: Asking) -> Result<Member, Failure> {
        let own = match self.way(target, asking)? {
            Way::Own(own) => own,
            Way::Address(hive) => {
                let arrival = std::future::ready(Ok(())).boxed().shared();
                return Ok(Member { hive, arrival });
            }
        };
        let hive = own.hive().clone();
        let starts = may_start(&self.variable);
        let arrival = async move { arrive(&own, starts).await.map(|_| ()) };
        let arrival = arrival.boxed().shared();
        Ok(Member { hive, arrival })
    }

    /// Asks every hive that is meant the same, side by side and for a few seconds; looking starts none.
    pub(crate) async fn ask_each<T>(
        &self,
        question: impl AsyncFn(&Hive) -> Result<T, ClientError>,
    ) -> Result<Vec<Answer<T>>, Failure> {
        let ways = self.targets()?;
        let ways = ways.iter().map(|target| self.way(target, Asking::Nobody));
        let ways = ways.collect::<Result<Vec<Way>, Failure>>()?;
        let question = &question;
        let asked = ways.into_iter().map(|way| async move {
            let hive = match &way {
                Way::Own(own) => own.hive().clone(),
                Way::Address(hive) => hive.clone(),
            };
            let answer = async {
                if let Way::Own(own) = &way {
                    let answers = own.answers().await.map_err(Silence::of_way)?;
                    if !answers {
                        return Err(Silence::not_running(own));
                    }
                }
                question(&hive)
                    .await
                    .map_err(|error| Silence::of(&hive, &error))
            };
            let answer = timeout(LOOK_LIMIT, answer).await;
            let answer = answer.unwrap_or_else(|_| Err(Silence::timed_out(&hive)));
            Answer { hive, answer }
        });
        Ok(join_all(asked).await)
    }

    /// `10 of 12 hives answered; gpu7 refused the connection, gpu11 timed out`, with the code of the worst of them.
    pub(crate) fn tell_silent<T>(&self, answers: &[Answer<T>]) -> u8 {
        let silent = answers.iter().filter_map(|answer| {
            let silence = answer.answer.as_ref().err()?;
            Some((&answer.hive.name, silence))
        });
        let silent: Vec<(&String, &Silence)> = silent.collect();
        if silent.is_empty() {
            return exit_code::DONE;
        }
        let words: Vec<String> = silent
            .iter()
            .map(|(name, silence)| format!("{name} {}", silence.words))
            .collect();
        let (all, answered) = (answers.len(), answers.len() - silent.len());
        let all = format::count(all as u64, "hive");
        let line = format!("{answered} of {all} answered; {}", words.join(", "));
        if !self.printer.settings().is_json() {
            self.printer.must_know(Tone::Warning, &line);
        }
        worst_silence(answers)
    }
}

/// The hives that did not answer, as a program is told.
pub(crate) fn unanswered<T>(answers: &[Answer<T>]) -> Vec<OfHive<'_, Problem>> {
    let silent = answers.iter().filter_map(|each| {
        let silence = each.answer.as_ref().err()?;
        Some(OfHive {
            hive: Some(each.hive.name.as_str()),
            value: &*silence.failure.problem,
        })
    });
    silent.collect()
}

/// The exit code of the worst silence among them; done where all answered.
pub(crate) fn worst_silence<T>(answers: &[Answer<T>]) -> u8 {
    let silent = answers.iter().filter_map(|each| each.answer.as_ref().err());
    exit_code::worst(silent.map(|silence| silence.failure.exit))
}

/// Makes the way to a hive, starting it where it does not run; true where it ran already.
pub(crate) async fn arrive(own: &OwnHive, starts: bool) -> Result<bool, Failure> {
    if own.answers_already().await? {
        return Ok(true);
    }
    if starts {
        own.start().await?;
    } else if !own.answers().await? {
        return Err(own.not_running("KEEPER_NO_AUTOSTART forbids to start it"));
    }
    Ok(false)
}

/// Whether nobody listens at the address of the hive.
fn is_refused(error: &ClientError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Silence {
    fn of(hive: &Hive, error: &ClientError) -> Self {
        let failure = Failure::of_client(hive, error);
        let words = if is_refused(error) {
            "refused the connection".to_owned()
        } else if matches!(error, ClientError::TimedOut { .. }) {
            "timed out".to_owned()
        } else {
            format!("({})", failure.problem.detail)
        };
        Self { words, failure }
    }

    fn of_way(failure: Failure) -> Self {
        let words = format!("({})", failure.problem.detail);
        Self { words, failure }
    }

    fn not_running(own: &OwnHive) -> Self {
        Self {
            words: "does not run".to_owned(),
            failure: own.not_running(""),
        }
    }

    fn timed_out(hive: &Hive) -> Self {
        let seconds = LOOK_LIMIT.as_secs();
        let detail = format!("no answer from {} in {seconds} s", hive.name);
        let (code, next) = ("hive_unreachable", hive.remedy());
        Self {
            words: "timed out".to_owned(),
            failure: Failure::new(exit_code::UNREACHABLE, code, detail, next),
        }
    }
}
