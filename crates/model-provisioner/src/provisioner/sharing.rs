//! Transfers that several downloads share: one for each blob, however many wait for it.
//!
//! A transfer is a task of its own, so that none of its waiters carries it: each comes and goes, and the transfer
//! stops when the last has gone. One that is stopping takes no new waiter; who comes then begins anew after its end.

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use downloader::{Digest, RateLimitGuard, RateLimiter, RateLimits, RetryNotice, TransferMeter};
use futures_util::FutureExt;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// News that a waiter may be behind with; older ones are lost to it. They are a story and no state: the newest are kept,
/// what is true now is read from the meter, and the end is never lost.
const NEWS: usize = 64;

/// Retries that may wait to be passed on.
const RETRIES: usize = 4;

/// The transfers of one hive, by what they fetch. `End` is what each ends with.
pub(crate) struct SharedTransfers<End> {
    running: Arc<Mutex<HashMap<Digest, Arc<Shared<End>>>>>,
    /// Holds for all of them together.
    rate_limit: RateLimiter,
    /// Owns the tasks.
    tasks: TaskTracker,
}

/// Something that happens to a transfer and that every waiter tells its caller.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A try ended early and another follows.
    Retry(Arc<RetryNotice>),
    /// Another program is receiving the same blob; the transfer waits for it.
    WaitsForOtherProgram,
}

/// How a transfer ended.
pub(crate) type Outcome<End> = Result<End, Panicked>;

/// The transfer's task panicked, with these words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panicked(pub(crate) String);

/// What a transfer's work is given.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) meter: Arc<TransferMeter>,
    /// The limits of those who wait now, and of the hive.
    pub(crate) rate_limits: RateLimits,
    /// Fires when nobody waits any more.
    pub(crate) cancellation: CancellationToken,
    pub(crate) news: broadcast::Sender<News>,
}

struct Shared<End> {
    line: Line,
    seats: Mutex<Seats>,
    outcome: watch::Sender<Option<Outcome<End>>>,
}

#[derive(Default)]
struct Seats {
    taken: usize,
    /// Nobody may sit down any more: the transfer stops, or has ended.
    are_closed: bool,
}

/// A waiter's place at a transfer. Dropping it gives the place up.
pub(crate) struct Ticket<End> {
    shared: Arc<Shared<End>>,
    news: broadcast::Receiver<News>,
    outcome: watch::Receiver<Option<Outcome<End>>>,
    _rate_limit: RateLimitGuard,
    /// Whether this waiter's work is what runs.
    pub(crate) is_first: bool,
}

/// What comes next for a waiter.
pub(crate) enum Next<End> {
    News(News),
    Ended(Outcome<End>),
}

impl<End: Clone + Send + Sync + 'static> SharedTransfers<End> {
    /// None yet; `rate_limit` will hold for all together.
    pub(crate) fn new(rate_limit: RateLimiter) -> Self {
        Self {
            running: Arc::default(),
            rate_limit,
            tasks: TaskTracker::new(),
        }
    }

    /// Sits down at the transfer of `digest`, or begins one with `work`; `rate_limit` counts for it until the ticket
    /// is given back. Waits only for a transfer that is stopping.
    pub(crate) async fn join<Work>(
        &self,
        digest: Digest,
        rate_limit: RateLimiter,
        work: impl FnOnce(Line) -> Work,
    ) -> Ticket<End>
    where
        Work: Future<Output = End> + Send + 'static,
    {
        loop {
            let stopping = {
                let mut running = self.running();
                match running.get(&digest) {
                    None => {
                        let (shared, retries) = Shared::new(self.rate_limit.clone());
                        running.insert(digest, Arc::clone(&shared));
                        let ticket = shared.first(rate_limit);
                        let work = work(shared.line.clone());
                        let running = Arc::clone(&self.running);
                        self.tasks
                            .spawn(shared.run(work, retries, move || remove(&running, digest)));
                        return ticket;
                    }
                    Some(shared) => match shared.sit_down(&rate_limit) {
                        Some(ticket) => return ticket,
                        None => Arc::clone(shared),
                    },
                }
            };
            stopping.ended().await;
        }
    }

    /// Whether a blob is being fetched now.
    pub(crate) fn is_running(&self, digest: &Digest) -> bool {
        self.running().contains_key(digest)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Shared<End>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove<End>(running: &Mutex<HashMap<Digest, Arc<Shared<End>>>>, digest: Digest) {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    running.remove(&digest);
}

impl<End: Clone + Send + Sync + 'static> Shared<End> {
    fn new(rate_limit: RateLimiter) -> (Arc<Self>, mpsc::Receiver<RetryNotice>) {
        let (retry, retries) = mpsc::channel(RETRIES);
        let shared = Arc::new(Self {
            line: Line {
                meter: Arc::new(TransferMeter::new(retry)),
                rate_limits: RateLimits::new(rate_limit),
                cancellation: CancellationToken::new(),
                news: broadcast::Sender::new(NEWS),
            },
            seats: Mutex::default(),
            outcome: watch::Sender::new(None),
        });
        (shared, retries)
    }

    /// The task: works, passes retries on, and tells the end when nothing runs any more.
    async fn run(
        self: Arc<Self>,
        work: impl Future<Output = End> + Send,
        mut retries: mpsc::Receiver<RetryNotice>,
        forget: impl FnOnce() + Send,
    ) {
        let ended = CancellationToken::new();
        let working = async {
            let end = AssertUnwindSafe(work).catch_unwind().await;
            ended.cancel();
            end.map_err(|panic| Panicked(words(&*panic)))
        };
        let passing_on = async {
            while let Some(notice) = next_retry(&mut retries, &ended).await {
                // Nobody listens when the last waiter has just gone.
                let _ = self.line.news.send(News::Retry(Arc::new(notice)));
            }
        };
        let (outcome, ()) = tokio::join!(working, passing_on);
        self.seats().are_closed = true;
        forget();
        self.outcome.send_replace(Some(outcome));
    }

    fn first(self: &Arc<Self>, rate_limit: RateLimiter) -> Ticket<End> {
        self.seats().taken += 1;
        self.ticket(rate_limit, true)
    }

    fn sit_down(self: &Arc<Self>, rate_limit: &RateLimiter) -> Option<Ticket<End>> {
        let mut seats = self.seats();
        if seats.are_closed {
            return None;
        }
        seats.taken += 1;
        drop(seats);
        Some(self.ticket(rate_limit.clone(), false))
    }

    fn ticket(self: &Arc<Self>, rate_limit: RateLimiter, is_first: bool) -> Ticket<End> {
        Ticket {
            shared: Arc::clone(self),
            news: self.line.news.subscribe(),
            outcome: self.outcome.subscribe(),
            _rate_limit: self.line.rate_limits.join(rate_limit),
            is_first,
        }
    }

    async fn ended(&self) {
        // The sender is part of `self`, so there is always somebody who will say.
        let _ = self.outcome.subscribe().wait_for(Option::is_some).await;
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<End: Clone + Send + Sync + 'static> Ticket<End> {
    /// The transfer's figures.
    pub(crate) fn meter(&self) -> Arc<TransferMeter> {
        Arc::clone(&self.shared.line.meter)
    }

    /// Waits for news, and after the last of them for the end.
    pub(crate) async fn next(&mut self) -> Next<End> {
        loop {
            let ended = tokio::select! {
                biased;
                news = self.news.recv() => match news {
                    Ok(news) => return Next::News(news),
                    // What was missed is told by what follows; the sender is part of the transfer.
                    Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => continue,
                },
                ended = self.outcome.wait_for(Option::is_some) => ended.ok().and_then(|end| end.clone()),
            };
            if let Some(outcome) = ended {
                return Next::Ended(outcome);
            }
        }
    }

    /// Gives the place up. The last one that leaves stops the transfer and waits until nothing of it runs.
    pub(crate) async fn leave(self) {
        let shared = Arc::clone(&self.shared);
        drop(self);
        if shared.line.cancellation.is_cancelled() {
            shared.ended().await;
        }
    }
}

impl<End> Drop for Ticket<End> {
    fn drop(&mut self) {
        let mut seats = self
            .shared
            .seats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seats.taken -= 1;
        if seats.taken == 0 && !seats.are_closed {
            seats.are_closed = true;
            self.shared.line.cancellation.cancel();
        }
    }
}

/// The next retry, the last ones after the transfer's end.
async fn next_retry(
    retries: &mut mpsc::Receiver<RetryNotice>,
    ended: &CancellationToken,
) -> Option<RetryNotice> {
    tokio::select! {
        biased;
        notice = retries.recv() => notice,
        () = ended.cancelled() => None,
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}

#[cfg(test)]
mod tests;
