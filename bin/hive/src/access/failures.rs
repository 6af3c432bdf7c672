//! Slows down whoever asks with wrong tokens: of each address the first few a minute are answered at once, then each
//! waits, and where too many wait they are turned away.
//!
//! A right token is found before anyone comes here, so that nobody waits for another's failures.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Failures are forgotten after this.
const FORGET_AFTER: Duration = Duration::from_mins(1);
/// The wait of the first failure that waits; the next waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// Answers that wait at once, to all addresses.
const MOST_WAITING: usize = 256;
/// Answers that wait at once, to one address.
const MOST_WAITING_OF_ONE: u32 = 16;
/// Addresses that are remembered; of more the one that failed longest ago is forgotten.
const MOST_ADDRESSES: usize = 4096;

/// The failures of all addresses.
pub(crate) struct Failures {
    /// Failures of one address that are answered at once.
    free: u32,
    waiting: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, Failed>>,
}

#[derive(Debug)]
struct Failed {
    since: Instant,
    last: Instant,
    times: u32,
    waiting: u32,
}

/// How to answer a failure.
pub(crate) enum Slowed {
    /// At once.
    Not,
    /// After this time, by [`Wait::over`].
    Wait(Wait),
    /// With 429: too many wait already.
    TurnedAway,
}

/// A place among those that wait, given back when dropped.
pub(crate) struct Wait {
    failures: Arc<Failures>,
    address: IpAddr,
    time: Duration,
    _place: OwnedSemaphorePermit,
}

impl Wait {
    /// Returns when the answer may go.
    pub(crate) async fn over(self) {
        tokio::time::sleep(self.time).await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(failed) = self.failures.lock().get_mut(&self.address) {
            failed.waiting = failed.waiting.saturating_sub(1);
        }
    }
}

impl Failures {
    /// Answers so many of each address at once.
    pub(crate) fn new(free: u32) -> Arc<Self> {
        Arc::new(Self {
            free,
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            by_address: Mutex::default(),
        })
    }

    /// Notes a failure of this address.
    pub(crate) fn note(self: &Arc<Self>, address: IpAddr) -> Slowed {
        let address = neighbourhood(address);
        let now = Instant::now();
        let mut by_address = self.lock();
        if !by_address.contains_key(&address) {
            make_room(&mut by_address, now);
        }
        let failed = by_address.entry(address).or_insert(Failed {
            since: now,
            last: now,
            times: 0,
            waiting: 0,
        });
        if now.duration_since(failed.since) >= FORGET_AFTER {
            // Whoever goes on failing goes on waiting: half of it is forgotten, not all.
            (failed.since, failed.times) = (now, failed.times / 2);
        }
        (failed.last, failed.times) = (now, failed.times.saturating_add(1));
        let Some(over) = failed.times.checked_sub(self.free.saturating_add(1)) else {
            return Slowed::Not;
        };
        if failed.waiting >= MOST_WAITING_OF_ONE {
            return Slowed::TurnedAway;
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Slowed::TurnedAway;
        };
        failed.waiting += 1;
        Slowed::Wait(Wait {
            failures: Arc::clone(self),
            address,
            time: FIRST_WAIT
                .saturating_mul(1 << over.min(16))
                .min(LONGEST_WAIT),
            _place: place,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Failed>> {
        self.by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(by_address: &mut HashMap<IpAddr, Failed>, now: Instant) {
    if by_address.len() < MOST_ADDRESSES {
        return;
    }
    by_address
        .retain(|_, failed| failed.waiting > 0 || now.duration_since(failed.last) < FORGET_AFTER);
    if by_address.len() >= MOST_ADDRESSES {
        let oldest = by_address.iter().min_by_key(|(_, failed)| failed.last);
        if let Some(address) = oldest.map(|(address, _)| *address) {
            by_address.remove(&address);
        }
    }
}

/// Whoever has one IPv6 address has the 64 bits below it.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: u32 = 5;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    async fn waited(failures: &Arc<Failures>, address: IpAddr) -> Option<Duration> {
        let begun = Instant::now();
        match failures.note(address) {
            Slowed::Not => {}
            Slowed::Wait(wait) => wait.over().await,
            Slowed::TurnedAway => return None,
        }
        Some(begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_five_are_answered_at_once_and_then_each_waits_longer() {
        let failures = Failures::new(FREE);
        let mut waits = Vec::new();
        for _ in 0..11 {
            waits.push(waited(&failures, address(1)).await.unwrap().as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 4000]);
        let other = waited(&failures, address(2)).await;
        assert_eq!(other, Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_stops_failing_is_answered_at_once_again() {
        let failures = Failures::new(FREE);
        for _ in 0..7 {
            waited(&failures, address(1)).await;
        }
        tokio::time::advance(FORGET_AFTER).await;
        assert_eq!(waited(&failures, address(1)).await, Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn where_too_many_wait_they_are_turned_away_and_a_place_comes_back() {
        let failures = Failures::new(0);
        let mut waiting = Vec::new();
        for _ in 0..MOST_WAITING_OF_ONE {
            match failures.note(address(1)) {
                Slowed::Wait(wait) => waiting.push(wait),
                Slowed::Not | Slowed::TurnedAway => panic!("it does not wait"),
            }
        }
        assert!(matches!(failures.note(address(1)), Slowed::TurnedAway));
        assert!(matches!(failures.note(address(2)), Slowed::Wait(_)));
        waiting.pop();
        assert!(matches!(failures.note(address(1)), Slowed::Wait(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_takes_bounded_memory_and_bounded_waits() {
        let failures = Failures::new(0);
        let mut waiting = Vec::new();
        for number in 0..2 * u32::try_from(MOST_ADDRESSES).unwrap() {
            if let Slowed::Wait(wait) = failures.note(IpAddr::from(number.to_be_bytes())) {
                waiting.push(wait);
            }
        }
        assert_eq!(waiting.len(), MOST_WAITING);
        assert!(failures.lock().len() <= MOST_ADDRESSES);
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_of_one_network_are_one() {
        let failures = Failures::new(1);
        for (text, at_once) in [
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("2001:db8:0:1::1", true),
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", false),
        ] {
            let slowed = failures.note(text.parse().unwrap());
            assert_eq!(matches!(slowed, Slowed::Not), at_once, "{text}");
        }
    }
}
