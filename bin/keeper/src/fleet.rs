//! Several hives at once: the ways to them are made side by side, and none keeps another waiting.

mod jobs;

use std::{error::Error, io, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, join_all},
};
use hive_api::Problem;
use hive_client::ClientError;
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    app::{App, Way},
    exit_code::{self, Ending},
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

impl<T> Answer<T> {
    /// Looks closer at what the hive answered, which then is no answer where that fails.
    pub(crate) fn check(&mut self, look: impl FnOnce(&Hive, &mut T) -> Result<(), Failure>) {
        if let Ok(answer) = &mut self.answer
            && let Err(failure) = look(&self.hive, answer)
        {
            self.answer = Err(Silence::of_way(failure));
        }
    }
}

impl App {
    /// The hives that are meant, on the way: started where they do not run. ssh asks a person for one after the other,
    /// after those that ask nothing.
    pub(crate) async fn fleet(&self) -> Result<Vec<Member>, Failure> {
        let targets = self.targets()?;
        let mut members = Vec::with_capacity(targets.len());
        for target in &targets {
            members.push(self.member(target, Asking::Nobody)?);
        }
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

    /// A hive to which no way can be made is a member that never arrives.
    fn member(&self, target: &Target, asking: Asking) -> Result<Member, Failure> {
        let (hive, own) = match self.way(target, asking) {
            Ok(Way::Own(own)) => (own.hive().clone(), Ok(Some(own))),
            Ok(Way::Address(hive)) => (hive, Ok(None)),
            Err(failure) => (Hive::without_way(target)?, Err(failure)),
        };
        let starts = may_start(&self.variable);
        let arrival = async move {
            match own? {
                Some(own) => arrive(&own, starts).await.map(|_| ()),
                None => Ok(()),
            }
        };
        let arrival = arrival.boxed().shared();
        Ok(Member { hive, arrival })
    }

    /// Asks every hive that is meant the same, side by side and for a few seconds; looking starts none.
    pub(crate) async fn ask_each<T>(
        &self,
        question: impl AsyncFn(&Hive) -> Result<T, ClientError>,
    ) -> Result<Vec<Answer<T>>, Failure> {
        let mut ways = Vec::new();
        for target in self.targets()? {
            let way = self.way(&target, Asking::Nobody);
            let hive = match &way {
                Ok(Way::Own(own)) => own.hive().clone(),
                Ok(Way::Address(hive)) => hive.clone(),
                Err(_) => Hive::without_way(&target)?,
            };
            ways.push((hive, way));
        }
        let question = &question;
        let asked = ways.into_iter().map(|(hive, way)| async move {
            let answer = async {
                if let Way::Own(own) = way.map_err(Silence::of_way)?
                    && !own.answers().await.map_err(Silence::of_way)?
                {
                    return Err(Silence::not_running(&own));
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

    /// Has every hive that is meant do the same, side by side; each is started where it does not run, and takes its time.
    pub(crate) async fn have_each<T>(
        &self,
        act: impl AsyncFn(&Hive) -> Result<T, ClientError>,
    ) -> Result<Vec<Answer<T>>, Failure> {
        let members = self.fleet().await?;
        self.warn_of_differences_in(&members).await;
        let act = &act;
        let acted = members.into_iter().map(|member| async move {
            let Member { hive, arrival } = member;
            let answer = match arrival.await {
                Ok(()) => act(&hive).await.map_err(|error| Silence::of(&hive, &error)),
                Err(failure) => Err(Silence::of_way(failure)),
            };
            Answer { hive, answer }
        });
        Ok(join_all(acted).await)
    }

    /// Tells what each answered, in a block that its name begins, and after them why one did not.
    pub(crate) fn tell_each<T: Serialize>(
        &self,
        answers: &[Answer<T>],
        lines: impl Fn(&T) -> Vec<String>,
    ) -> Ending {
        let mut is_first = true;
        for Answer { hive, answer } in answers {
            let name = Some(hive.name.as_str());
            let Ok(value) = answer else { continue };
            if self.printer.settings().is_json() {
                self.printer.json_of(name, value);
                continue;
            }
            if !std::mem::take(&mut is_first) {
                self.printer.data("");
            }
            for (number, line) in lines(value).iter().enumerate() {
                match number {
                    0 => self.printer.data(&format!("{}: {line}", hive.name)),
                    _ => self.printer.data(line),
                }
            }
        }
        for Answer { hive, answer } in answers {
            if let Err(silence) = answer {
                silence.failure.tell_of(&self.printer, Some(&hive.name));
            }
        }
        Ending::Code(worst_silence(answers))
    }

    /// `10 of 12 hives answered; gpu7 refused the connection, gpu11 timed out`, with the code of the worst of them.
    pub(crate) fn tell_silent<T>(&self, answers: &[Answer<T>]) -> u8 {
        let silent = words_of_silent(answers);
        if silent.is_empty() {
            return exit_code::DONE;
        }
        let (all, answered) = (answers.len(), answers.len() - silent.len());
        let all = format::count(all as u64, "hive");
        let line = format!("{answered} of {all} answered; {}", silent.join(", "));
        if !self.printer.settings().is_json() {
            self.printer.must_know(Tone::Warning, &line);
        }
        worst_silence(answers)
    }
}

/// Takes out the hives that do not have this, where another has it, and says which they are.
pub(crate) fn leave_out_missing<T>(app: &App, what: &str, answers: &mut Vec<Answer<T>>) {
    let is_missing = |each: &Answer<T>| {
        let silence = each.answer.as_ref().err();
        silence.is_some_and(|silence| silence.failure.exit == exit_code::NOT_FOUND)
    };
    if !answers.iter().any(|each| each.answer.is_ok()) {
        return;
    }
    let missing = answers.extract_if(.., |each| is_missing(each));
    let names: Vec<String> = missing.map(|each| each.hive.name).collect();
    if !names.is_empty() {
        let line = format!("{what} is not on {}", names.join(", "));
        app.printer.story(&line);
    }
}

/// `gpu7 refused the connection`, for each that did not answer.
fn words_of_silent<T>(answers: &[Answer<T>]) -> Vec<String> {
    let silent = answers.iter().filter_map(|each| {
        let silence = each.answer.as_ref().err()?;
        Some(format!("{} {}", each.hive.name, silence.words))
    });
    silent.collect()
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
