//! Faults, told apart from the code that answers: which requests, and what goes wrong with them.

mod course;
mod fault;
mod requests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

pub(crate) use course::Course;
pub use fault::{Fault, Reply};
pub use requests::Requests;

use crate::traffic::RequestRecord;

/// A fault that was put into the script. It stays there when this is dropped.
#[derive(Clone, Debug)]
pub struct Script(Arc<Rule>);

#[derive(Debug)]
struct Rule {
    requests: Requests,
    fault: Fault,
    matched: AtomicU64,
    hits: AtomicU64,
    released: CancellationToken,
}

impl Script {
    /// Takes the fault out of the script, and lets go on what it held.
    pub fn release(&self) {
        self.0.released.cancel();
    }

    /// How many requests have met this fault.
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Relaxed)
    }
}

/// What [`FakeHub::on`](crate::FakeHub::on) returns: the requests are known, the fault is still to be told.
#[must_use = "nothing goes wrong until the fault is told with `answer`"]
pub struct On<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) requests: Requests,
}

impl On<'_> {
    /// From now on these requests meet this fault. Several faults on one request all take place.
    pub fn answer(self, fault: Fault) -> Script {
        self.rules.add(self.requests, fault)
    }
}

/// The script: every fault that was told, in order.
#[derive(Debug, Default)]
pub(crate) struct Rules(Mutex<Vec<Arc<Rule>>>);

impl Rules {
    pub(crate) fn add(&self, requests: Requests, fault: Fault) -> Script {
        let rule = Arc::new(Rule {
            requests,
            fault,
            matched: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            released: CancellationToken::new(),
        });
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&rule));
        Script(rule)
    }

    /// What happens to this request, which has not been asked about before.
    pub(crate) fn course(&self, request: &RequestRecord) -> Course {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = rules.iter().filter(|rule| !rule.released.is_cancelled());
        Course::new(live.filter_map(|rule| rule.meet(request)).collect())
    }
}

impl Rule {
    fn meet(&self, request: &RequestRecord) -> Option<(Fault, CancellationToken)> {
        if !self.requests.describe(request) {
            return None;
        }
        let number = self.matched.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.requests.count(number) {
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some((self.fault.clone(), self.released.clone()))
    }
}
