//! Whether event streams come from a hive as they are sent, or something on the way holds them back.

use std::time::Duration;

use hive_api::{Event, StreamTick, paths};
use tokio::time::{Instant, timeout};

use super::connection::{Connection, Stop};
use crate::{ClientError, HiveClient, answer};

/// A stream that takes longer is not waited for; some proxies hold back until a minute is over.
const LIMIT: Duration = Duration::from_secs(20);
/// A hive sends ten.
const MOST_TICKS: u32 = 100;
/// What came together with what was sent so much later was held back. Networks do not do that.
const HELD_BACK: Duration = Duration::from_millis(400);

/// How the events of a short stream came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCheck {
    /// How many.
    pub events: u32,
    /// Over which time they were sent.
    pub sent_over: Duration,
    /// Over which time they came.
    pub came_over: Duration,
    /// How much longer the slowest was on its way than the fastest.
    pub held_back: Duration,
}

impl StreamCheck {
    /// Whether something on the way gathers events before it passes them on.
    pub fn is_held_back(&self) -> bool {
        self.held_back >= HELD_BACK
    }

    /// From when each event came and was sent, both since some moment of their own.
    fn of(ticks: &[(Duration, Duration)]) -> Option<Self> {
        let (first, last) = (ticks.first()?, ticks.last()?);
        // Clocks that began at different moments: only the differences between the ways tell something.
        let ways = ticks
            .iter()
            .map(|(came, sent)| signed_ms(*came) - signed_ms(*sent));
        let (longest, shortest) = (ways.clone().max()?, ways.min()?);
        Some(Self {
            events: u32::try_from(ticks.len()).ok()?,
            sent_over: last.1.saturating_sub(first.1),
            came_over: last.0.saturating_sub(first.0),
            held_back: Duration::from_millis(longest.abs_diff(shortest)),
        })
    }
}

fn signed_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

impl HiveClient {
    /// Receives a short stream of events, 100 ms apart, and compares when they came with when they were sent.
    pub async fn check_stream(&self) -> Result<StreamCheck, ClientError> {
        let hive = self.inner.hive.clone();
        let limit = LIMIT;
        timeout(limit, self.receive_ticks())
            .await
            .unwrap_or(Err(ClientError::TimedOut { hive, limit }))
    }

    async fn receive_ticks(&self) -> Result<StreamCheck, ClientError> {
        let hive = &self.inner.hive;
        let lost = |detail: String| ClientError::AnswerLost {
            hive: hive.clone(),
            source: detail.into(),
        };
        let failed = |stop| match stop {
            Stop::Fatal(error) => *error,
            Stop::Lost(cut) => lost(cut.to_string()),
            Stop::NothingMore => answer::protocol(hive, "it has no stream".to_owned()),
        };
        let mut stream = Connection::open(self, paths::DOCTOR_STREAM, None).map_err(failed)?;
        let began = Instant::now();
        let mut ticks = Vec::new();
        loop {
            let received = stream.next().await.map_err(failed)?;
            let tick = tick(&received.event)
                .ok_or_else(|| answer::protocol(hive, "its stream has no ticks".to_owned()))?;
            let sent = Duration::from_millis(tick.sent_ms.min(u64::from(u32::MAX)));
            ticks.push((began.elapsed(), sent));
            if tick.number >= tick.of.min(MOST_TICKS) || ticks.len() >= MOST_TICKS as usize {
                break;
            }
        }
        StreamCheck::of(&ticks).ok_or_else(|| answer::protocol(hive, "no tick came".to_owned()))
    }
}

fn tick(event: &Event) -> Option<StreamTick> {
    let Event::Unknown { name, data } = event else {
        return None;
    };
    let tick = serde_json::from_value(data.clone());
    tick.ok().filter(|_| name == "tick")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ticks: &[(u64, u64)]) -> StreamCheck {
        let ms = Duration::from_millis;
        let ticks: Vec<_> = ticks
            .iter()
            .map(|(came, sent)| (ms(*came), ms(*sent)))
            .collect();
        StreamCheck::of(&ticks).unwrap()
    }

    #[test]
    fn a_slow_way_is_no_proxy_that_holds_back_and_a_burst_is() {
        assert!(!check(&[(2_000, 0), (2_120, 100), (2_190, 200), (2_300, 300)]).is_held_back());
        let burst = check(&[(905, 0), (905, 300), (906, 600), (906, 900)]);
        assert!(burst.is_held_back());
        assert_eq!(burst.came_over, Duration::from_millis(1));
        assert_eq!(burst.sent_over, Duration::from_millis(900));
        let two_bursts = check(&[(500, 0), (500, 250), (500, 500), (900, 600), (900, 900)]);
        assert!(two_bursts.is_held_back());
    }
}
