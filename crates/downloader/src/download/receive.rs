//! Receiving one file over as many ranges as are worth it.

mod held_back;
mod range;

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::held_back::HeldBack;
use self::range::RangeRun;
use super::DownloadSpec;
use crate::connections::{Member, Permit};
use crate::growth::{Growth, Sample};
use crate::retry::RetryBudget;
use crate::segment_map::{Rules, SegmentMap};
use crate::segments::Segments;
use crate::writer::Writer;
use crate::{DownloadError, OpenReason, Source, TransferMeter};

/// How often the rate is looked at.
const TICK: Duration = Duration::from_millis(20);

/// A range is no longer than what its connection brings in this time, so that connections can be given back soon.
const RANGE_SECONDS: u64 = 4;

/// Why receiving stopped before all bytes were here.
pub(super) enum Stop {
    Cancelled,
    WriterEnded,
    Failed(DownloadError),
}

/// Why some ranges did not bring the file.
enum Break {
    Stop(Stop),
    /// The source turned out to serve the whole file only.
    NoRanges,
}

/// One file as it comes.
pub(super) struct Reception<'a, S> {
    spec: &'a DownloadSpec,
    source: &'a S,
    meter: &'a TransferMeter,
    writer: &'a Writer,
    member: Member,
    /// Waits for the disk and the hash.
    writing: HeldBack,
    /// Waits for our own limits on bytes a second.
    rate_limited: HeldBack,
    /// The most connections that the file can use.
    most: usize,
    state: Mutex<State<'a>>,
}

/// What the ranges of one file share.
struct State<'a> {
    map: SegmentMap,
    /// The source serves the whole file only: one connection that begins at the start.
    is_whole: bool,
    retries: RetryBudget<'a>,
    growth: Growth,
    /// The connections that make its job as strong as any other.
    equal_part: usize,
    /// Nothing is opened before: the server asked to wait.
    not_before: Instant,
    /// How long an answer takes to begin.
    first_byte: Duration,
}

impl<'a, S: Source> Reception<'a, S> {
    /// Goes on from what is here.
    pub(super) fn new(
        spec: &'a DownloadSpec,
        source: &'a S,
        meter: &'a TransferMeter,
        writer: &'a Writer,
        here: Segments,
    ) -> Self {
        let now = Instant::now();
        let most = if spec.size_bytes < spec.limits.split_from_bytes {
            1
        } else {
            spec.limits.connections.clamp(1, spec.connections.most())
        };
        Self {
            spec,
            source,
            meter,
            writer,
            member: spec.connections.join(),
            writing: HeldBack::new(),
            rate_limited: HeldBack::new(),
            most,
            state: Mutex::new(State {
                retries: RetryBudget::new(&spec.limits, here.bytes()),
                map: SegmentMap::new(spec.size_bytes, here),
                is_whole: false,
                growth: Growth::new(spec.limits.first_connections.clamp(1, most), most, now),
                equal_part: 0,
                not_before: now,
                first_byte: Duration::ZERO,
            }),
        }
    }

    /// Receives all that is not here.
    pub(super) async fn receive(&self, first: OpenReason) -> Result<(), Stop> {
        if !self.source.serves_ranges() {
            self.go_whole();
        }
        match self.receive_ranges(first).await {
            Ok(()) => return Ok(()),
            Err(Break::Stop(stop)) => return Err(stop),
            Err(Break::NoRanges) => self.go_whole(),
        }
        match self.receive_ranges(first).await {
            Err(Break::Stop(stop)) => Err(stop),
            // One that began at the start has nothing more to ask for.
            Ok(()) | Err(Break::NoRanges) => Ok(()),
        }
    }

    fn go_whole(&self) {
        let mut state = self.state();
        state.is_whole = true;
        state.equal_part = 0;
        state.map.keep_front_alone();
        let bytes = state.map.received_bytes();
        state.retries = RetryBudget::new(&self.spec.limits, bytes);
        self.meter.set_bytes_done(bytes);
    }

    /// Keeps as many ranges in flight as are worth it. Dropping the future closes their connections.
    async fn receive_ranges(&self, reason: OpenReason) -> Result<(), Break> {
        let mut ranges = FuturesUnordered::new();
        let mut queued: Option<Pin<Box<dyn Future<Output = Permit> + Send + '_>>> = None;
        let mut look = interval(TICK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.state().map.is_complete() {
            if !self.wants_another() {
                queued = None;
            } else if queued.is_none() {
                queued = Some(Box::pin(self.member.acquire()));
            }
            let permit = async {
                match queued.as_mut() {
                    Some(queued) => queued.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(ended) = ranges.next() => ended?,
                permit = permit => {
                    queued = None;
                    ranges.extend(self.begin(permit, reason));
                }
                now = look.tick() => self.look(now),
            }
        }
        Ok(())
    }

    /// Begins the range that is wanted most.
    fn begin(
        &self,
        permit: Permit,
        reason: OpenReason,
    ) -> Option<impl Future<Output = Result<(), Break>> + Send + use<'_, 'a, S>> {
        let mut state = self.state();
        let rules = self.rules(&state);
        let (id, _) = state.map.assign(rules)?;
        drop(state);
        Some(RangeRun::new(self, id).run(permit, reason))
    }

    fn wants_another(&self) -> bool {
        let state = self.state();
        state.map.in_flight() < state.wanted() && state.map.can_assign(self.rules(&state))
    }

    /// One connection alone goes on to the end. Several take turns near the front, with shorter ranges towards the
    /// end, so that they end together and little is left to hash.
    fn rules(&self, state: &State<'_>) -> Rules {
        let shortest = self.spec.limits.shortest_range_bytes;
        let wanted = state.wanted();
        if wanted == 1 && !self.member.is_contended() || state.is_whole {
            return Rules {
                reach: u64::MAX,
                longest: u64::MAX,
                shortest,
            };
        }
        let turns = 2 * wanted as u64;
        let window = self.spec.limits.window_bytes;
        let left = self.spec.size_bytes - state.map.received_bytes();
        let soon = match state.growth.rate() {
            0 => u64::MAX,
            rate => rate.saturating_mul(RANGE_SECONDS) / wanted as u64,
        };
        Rules {
            reach: self.writer.hashed_bytes().saturating_add(window),
            longest: (window / turns).min(left / turns).min(soon).max(shortest),
            shortest,
        }
    }

    /// Sees whether more connections are worth it, and whether others wait for ours.
    fn look(&self, now: Instant) {
        let mut guard = self.state();
        let state = &mut *guard;
        let receiving = self.meter.ranges_receiving();
        let (rate_limited, writing) = (self.rate_limited.take(), self.writing.take());
        let is_most_of_it = |time: Duration| time * 2 > TICK * receiving;
        let is_rate_limited = is_most_of_it(rate_limited);
        state.growth.sample(&Sample {
            now,
            bytes: self.meter.bytes_received(),
            receiving: receiving as usize,
            is_held_back: is_most_of_it(rate_limited + writing),
            is_rate_limited,
            first_byte: state.first_byte,
        });
        let equal_part = self.member.wish(state.wished()).min(self.most);
        // One that takes its time by order, or spares a server, wants no more than it has.
        let is_content = is_rate_limited && self.spec.rate_limits.is_held_by_a_waiter()
            || state.growth.rate() == 0
            || state.is_whole;
        state.equal_part = if is_content { 0 } else { equal_part };
        if state.is_whole {
            return;
        }
        if is_rate_limited {
            state.map.keep_first(state.wanted());
        }
        if self.member.is_contended() {
            let longest = self.rules(state).longest;
            state.map.shorten(longest);
        }
    }
}

impl<'a, S> Reception<'a, S> {
    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State<'_> {
    /// How many ranges should be in flight.
    fn wanted(&self) -> usize {
        self.wished().max(self.equal_part)
    }

    /// How many there would be if there were no other job.
    const fn wished(&self) -> usize {
        if self.is_whole {
            1
        } else {
            self.growth.connections()
        }
    }
}
