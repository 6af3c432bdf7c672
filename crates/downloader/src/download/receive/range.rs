//! One range of a file: opened, read and watched, over as many tries as it takes.

use std::ops::Range;
use std::pin::pin;
use std::task::Poll;

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, poll};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::{Break, Reception, Stop};
use crate::connections::Permit;
use crate::meter::{Activity, Doing};
use crate::retry::{Failed, Failure, Retry, Round};
use crate::segment_map::RangeId;
use crate::watchdog::Watchdog;
use crate::writer::{Batch, Room, WriterEnded};
use crate::{ByteStream, DownloadError, OpenReason, Source, SourceError, SourceErrorKind};

/// A batch is written with one `pwritev(2)`, which takes 1,024 pieces.
const BATCH_CHUNKS: usize = 1024;

/// How one try ended before the range was here.
enum Interruption {
    Failure(Failure),
    TooLong,
    WriterEnded,
}

/// A range in flight, and what of it is not yet handed to the writer.
pub(super) struct RangeRun<'r, 'a, S> {
    reception: &'r Reception<'a, S>,
    id: RangeId,
    activity: Activity<'r>,
    batch: Batch,
    batch_bytes: usize,
    batch_due: Option<Instant>,
}

/// A body as it was asked for.
struct Body {
    bytes: ByteStream,
    /// Bytes at its start that are here already.
    skip_bytes: u64,
    /// Where it ends.
    end: u64,
    opened: Instant,
    has_begun: bool,
}

impl<'r, 'a, S: Source> RangeRun<'r, 'a, S> {
    pub(super) fn new(reception: &'r Reception<'a, S>, id: RangeId) -> Self {
        Self {
            reception,
            id,
            activity: reception.meter.activity(),
            batch: Batch {
                offset: 0,
                chunks: Vec::new(),
            },
            batch_bytes: 0,
            batch_due: None,
        }
    }

    /// Receives the range, or what is left of it when others have taken their parts.
    pub(super) async fn run(mut self, permit: Permit, first: OpenReason) -> Result<(), Break> {
        let mut held = Some(permit);
        let mut reason = first;
        let mut in_a_row = 0;
        loop {
            let permit = match held.take() {
                Some(permit) => permit,
                None => self.reception.member.acquire().await,
            };
            let begun = self.left();
            let round = self.reception.state().retries.begin();
            let failure = match self.try_once(reason).await {
                Ok(()) => break,
                Err(Interruption::Failure(failure)) => failure,
                Err(Interruption::WriterEnded) => return Err(Stop::WriterEnded.into()),
                Err(Interruption::TooLong) => {
                    let expected_bytes = self.reception.spec.size_bytes;
                    let reason = DownloadError::SizeMismatch { expected_bytes };
                    return Err(Stop::Failed(reason).into());
                }
            };
            drop(permit);
            in_a_row = if self.left().start > begun.start {
                1
            } else {
                in_a_row + 1
            };
            match self.after(failure, round, in_a_row).await? {
                Some(again) => reason = again,
                None => break,
            }
        }
        self.reception.state().map.end(self.id);
        Ok(())
    }

    /// What follows a failure: the reason for the next try, after the wait before it; `None` if there are ranges
    /// enough without this one.
    async fn after(
        &mut self,
        failure: Failure,
        round: Round,
        in_a_row: u32,
    ) -> Result<Option<OpenReason>, Break> {
        if !self.reception.source.serves_ranges() && !self.reception.state().is_whole {
            return Err(Break::NoRanges);
        }
        let Retry { notice, is_news } = self.judge(failure, round, in_a_row)?;
        let after = notice.cause;
        let wait = notice.wait;
        tracing::debug!(
            cause = ?notice.cause,
            try_number = notice.try_number,
            wait_ms = notice.wait.as_millis(),
            bytes_kept = notice.bytes_kept,
            "range interrupted, trying again"
        );
        self.reception.meter.retry(notice, is_news).await;
        sleep(wait).await;
        let state = self.reception.state();
        let is_one_too_many = state.map.in_flight() > state.wanted();
        Ok((!is_one_too_many).then_some(OpenReason::Retry { after }))
    }

    /// Counts a failure and draws its consequences for the other ranges.
    fn judge(&mut self, failure: Failure, round: Round, in_a_row: u32) -> Result<Retry, Stop> {
        let now = Instant::now();
        let mut state = self.reception.state();
        let (asked_to_wait, is_refusal) = match &failure {
            Failure::Source(error) => (error.retry_after.is_some(), is_refusal(error.kind)),
            Failure::Stalled(_) => (false, false),
        };
        let failed = Failed {
            failure,
            round,
            in_a_row,
            bytes: state.map.received_bytes(),
            now,
            chance: chance(),
        };
        let retry = state.retries.failed(failed).map_err(Stop::Failed)?;
        self.activity.set(match retry.notice.tries {
            Some(_) => Doing::BackingOff,
            None => Doing::WaitingForNetwork,
        });
        // Where the network is gone, the ranges knock together: one of them would do.
        let is_offline = retry.notice.tries.is_none();
        if asked_to_wait || is_offline && retry.is_news {
            state.not_before = state.not_before.max(now + retry.notice.wait);
        }
        if self.reception.meter.ranges_receiving() == 0 {
            state.growth.cut_off(now);
        } else if is_refusal {
            state.growth.refused(now);
        }
        Ok(retry)
    }

    async fn try_once(&mut self, reason: OpenReason) -> Result<(), Interruption> {
        let mut body = self.open(reason).await.map_err(Failure::Source)?;
        self.activity.set(Doing::Receiving);
        let received = self.read(&mut body).await;
        // What came before the interruption is kept.
        self.hand_over().await?;
        received?;
        if self.left().end == body.end {
            self.expect_end(&mut body).await?;
        }
        Ok(())
    }

    async fn open(&mut self, reason: OpenReason) -> Result<Body, SourceError> {
        let (not_before, is_whole) = {
            let state = self.reception.state();
            (state.not_before, state.is_whole)
        };
        sleep_until(not_before).await;
        // A network that was gone is back when there is an answer, not when it is asked for.
        if self.activity.doing() != Doing::WaitingForNetwork {
            self.activity.set(Doing::Opening);
        }
        let left = self.left();
        let asked = if is_whole { 0..left.end } else { left.clone() };
        let opened = Instant::now();
        let body = self.reception.source.open(asked.clone(), reason);
        let body = timeout(self.reception.spec.limits.open, body).await;
        Ok(Body {
            bytes: body.unwrap_or_else(|_| Err(too_long_to_open()))?,
            skip_bytes: left.start - asked.start,
            end: asked.end,
            opened,
            has_begun: false,
        })
    }

    /// Reads until the range is here or the body breaks off.
    async fn read(&mut self, body: &mut Body) -> Result<(), Interruption> {
        let mut watchdog = Watchdog::new(&self.reception.spec.limits);
        while !self.left().is_empty() {
            let asked = Instant::now();
            let patience = asked + watchdog.patience();
            let wake = self.batch_due.map_or(patience, |due| due.min(patience));
            let item = timeout_at(wake, body.bytes.next()).await;
            let now = Instant::now();
            let length = match item {
                Ok(Some(Ok(chunk))) => {
                    self.note_first(body, now);
                    let length = chunk.len() as u64;
                    self.take(body, chunk).await?;
                    length
                }
                Ok(Some(Err(error))) => return Err(Failure::Source(error).into()),
                Ok(None) => return Err(Failure::Source(self.ended_early()).into()),
                Err(_nothing_came) => 0,
            };
            match watchdog.waited(now - asked, length) {
                Err(stall) if !self.left().is_empty() => {
                    return Err(Failure::Stalled(stall).into());
                }
                // However slowly the last byte came, it is here.
                Ok(()) | Err(_) => {}
            }
            if self.is_batch_due(now) {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Remembers how long an answer takes to begin.
    fn note_first(&self, body: &mut Body, now: Instant) {
        if !body.has_begun {
            body.has_begun = true;
            let mut state = self.reception.state();
            state.first_byte = (state.first_byte + (now - body.opened)) / 2;
        }
    }

    /// Takes the bytes of a chunk that are wanted, in pieces that our own limits on bytes a second allow: what waits
    /// for its turn has not come yet, as far as anybody can see.
    async fn take(&mut self, body: &mut Body, mut chunk: Bytes) -> Result<(), Interruption> {
        let skipped = chunk
            .len()
            .min(usize::try_from(body.skip_bytes).unwrap_or(usize::MAX));
        chunk.advance(skipped);
        body.skip_bytes -= skipped as u64;
        if skipped > 0 {
            self.pay(skipped as u64).await?;
        }

        let left = self.left();
        if chunk.len() as u64 > left.end - left.start && left.end == body.end {
            return Err(Interruption::TooLong);
        }
        // What is beyond the end of the range belongs to one that took it over.
        while !chunk.is_empty() && !self.left().is_empty() {
            let most = self.reception.spec.rate_limits.piece_bytes();
            let piece = chunk.split_to(most.min(chunk.len()));
            self.pay(piece.len() as u64).await?;
            self.take_piece(piece);
        }
        Ok(())
    }

    /// Adds the bytes that are wanted to the batch.
    fn take_piece(&mut self, mut piece: Bytes) {
        let mut state = self.reception.state();
        let left = state.map.left(self.id);
        piece.truncate(usize::try_from(left.end - left.start).unwrap_or(usize::MAX));
        let length = piece.len() as u64;
        state.map.advance(self.id, length);
        drop(state);
        if length > 0 {
            let now = Instant::now();
            self.reception.meter.received(length, now);
            if self.batch.chunks.is_empty() {
                self.batch.offset = left.start;
            }
            self.batch_bytes += piece.len();
            self.batch.chunks.push(piece);
            let due = now + self.reception.spec.limits.batch_wait;
            self.batch_due.get_or_insert(due);
        }
    }

    /// Waits for our own limits on bytes a second.
    async fn pay(&mut self, bytes: u64) -> Result<(), Interruption> {
        let reception = self.reception;
        let mut paid = pin!(reception.spec.rate_limits.pay(bytes));
        if poll!(paid.as_mut()) == Poll::Pending {
            self.hand_over().await?;
            self.activity.set(Doing::RateLimited);
            reception.rate_limited.during(paid).await;
            self.activity.set(Doing::Receiving);
        }
        Ok(())
    }

    fn is_batch_due(&self, now: Instant) -> bool {
        self.batch_bytes >= self.reception.spec.limits.batch_bytes
            || self.batch.chunks.len() >= BATCH_CHUNKS
            || self.batch_due.is_some_and(|due| due <= now)
    }

    /// Gives what has gathered to the writer.
    async fn hand_over(&mut self) -> Result<(), Interruption> {
        if !self.batch.chunks.is_empty() {
            let room = self.room().await?;
            room.write(Batch {
                offset: self.batch.offset,
                chunks: std::mem::take(&mut self.batch.chunks),
            });
        }
        self.batch_bytes = 0;
        self.batch_due = None;
        Ok(())
    }

    async fn room(&mut self) -> Result<Room<'r>, Interruption> {
        let Reception { writer, meter, .. } = self.reception;
        let mut room = pin!(writer.room());
        let room = match poll!(room.as_mut()) {
            Poll::Ready(room) => room,
            Poll::Pending => {
                meter.set_busy_with(writer.busy_with());
                self.activity.set(Doing::Writing);
                let room = self.reception.writing.during(room).await;
                self.activity.set(Doing::Receiving);
                room
            }
        };
        room.map_err(|WriterEnded| Interruption::WriterEnded)
    }

    /// Looks whether the body ends where the range does. A body that neither ends nor goes on soon is left at that:
    /// all bytes are here, and their hash decides.
    async fn expect_end(&self, body: &mut Body) -> Result<(), Interruption> {
        let limit = self.reception.spec.limits.end_of_body;
        match timeout(limit, body.bytes.next()).await {
            Ok(Some(Ok(chunk))) if !chunk.is_empty() => Err(Interruption::TooLong),
            _ => Ok(()),
        }
    }

    fn left(&self) -> Range<u64> {
        self.reception.state().map.left(self.id)
    }

    fn ended_early(&self) -> SourceError {
        let Range { start, end } = self.left();
        let detail = format!("the body ended at byte {start} of {end}");
        SourceError::new(SourceErrorKind::Cut, detail)
    }
}

/// A range that is dropped midway has not received what it has not handed over.
impl<S> Drop for RangeRun<'_, '_, S> {
    fn drop(&mut self) {
        if self.batch_bytes > 0 {
            let bytes = self.batch_bytes as u64;
            self.reception.state().map.give_back(self.id, bytes);
        }
    }
}

impl From<Stop> for Break {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Failure> for Interruption {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Whether the server may mean that we ask too much at once.
const fn is_refusal(kind: SourceErrorKind) -> bool {
    matches!(
        kind,
        SourceErrorKind::RateLimited | SourceErrorKind::Status(429 | 503)
    )
}

fn too_long_to_open() -> SourceError {
    let detail = "the source took too long to open the file";
    SourceError::new(SourceErrorKind::HeadersTimeout, detail)
}

/// A number from 0 to 1 for the jitter; without randomness the whole wait.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}
