//! How many connections a file gets: more while they bring more, fewer when they do not. Knows no network; the clock
//! is an input.

use std::time::Duration;

use tokio::time::Instant;

/// The least time over which a rate is measured.
const SHORTEST_MEASURE: Duration = Duration::from_millis(100);
/// While all is settled, a rate is measured over longer, so that a hiccup is not taken for a change.
const STEADY_MEASURE: Duration = Duration::from_millis(300);
/// The longest that new connections are waited for before the rate is measured without them.
const LONGEST_SETTLING: Duration = Duration::from_secs(5);
/// Twice the connections must bring this much of the rate before. It is more than the 4/3 that doubling takes from a
/// neighbour with as many connections on the same line, so that neighbours come to equal shares.
const GAIN: f64 = 1.4;
/// A rate under this part of what it was is a change worth another probe.
const FALL: f64 = 0.7;
/// The wait before more connections are tried again; it doubles with each time in vain.
const FIRST_HOLD: Duration = Duration::from_secs(10);
/// The wait after a probe that our own disk, hash or limit spoiled.
const SHORT_HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(80);

/// The figures at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) now: Instant,
    /// Bytes received so far.
    pub(crate) bytes: u64,
    /// Connections that receive a body.
    pub(crate) receiving: usize,
    /// Whether our own disk, hash or rate limit held the bytes back since the last sample.
    pub(crate) is_held_back: bool,
    /// Whether it was the rate limit.
    pub(crate) is_rate_limited: bool,
    /// How long an answer takes to begin.
    pub(crate) first_byte: Duration,
}

/// Finds the number of connections that is worth it.
#[derive(Debug)]
pub(crate) struct Growth {
    connections: usize,
    most: usize,
    phase: Phase,
    hold: Duration,
    measured_from: Option<(Instant, u64)>,
    was_held_back: bool,
    was_rate_limited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// All is well with this many: `rate` is what they brought, `probe_at` when more are tried.
    Steady { rate: f64, probe_at: Instant },
    /// Twice as many are tried against the rate of `before`; the measure begins when they all receive.
    Probing {
        before: usize,
        rate: f64,
        settled: bool,
    },
}

impl Growth {
    pub(crate) const fn new(first: usize, most: usize, now: Instant) -> Self {
        Self {
            connections: first,
            most,
            phase: Phase::Steady {
                rate: 0.0,
                probe_at: now,
            },
            hold: FIRST_HOLD,
            measured_from: None,
            was_held_back: false,
            was_rate_limited: false,
        }
    }

    /// How many connections there should be.
    pub(crate) const fn connections(&self) -> usize {
        self.connections
    }

    /// The server refused one of several connections: be content with half of them for a while.
    pub(crate) fn refused(&mut self, now: Instant) {
        self.connections = (self.connections / 2).max(1);
        self.settle(0.0, now);
    }

    /// Nothing comes any more: one connection is enough to see when it does again.
    pub(crate) const fn cut_off(&mut self, now: Instant) {
        self.connections = 1;
        self.phase = Phase::Steady {
            rate: 0.0,
            probe_at: now,
        };
        self.measure_anew();
    }

    /// What all connections brought in the last measure, in bytes a second; zero before the first, and for as long as
    /// the server is to be spared.
    pub(crate) const fn rate(&self) -> u64 {
        let (Phase::Steady { rate, .. } | Phase::Probing { rate, .. }) = self.phase;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is not negative, and far from the limits of the type"
        )]
        let rate = rate as u64;
        rate
    }

    /// Takes the figures into account.
    pub(crate) fn sample(&mut self, sample: &Sample) {
        let (from, bytes) = *self.measured_from.get_or_insert((sample.now, sample.bytes));
        self.was_held_back |= sample.is_held_back;
        self.was_rate_limited |= sample.is_rate_limited;
        let time = sample.now.duration_since(from);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate needs no more than 52 bits"
        )]
        let received = sample.bytes.saturating_sub(bytes) as f64;
        let measured = || received / time.as_secs_f64();
        let measure = SHORTEST_MEASURE.max(sample.first_byte * 3);
        match self.phase {
            Phase::Probing {
                before,
                rate,
                settled: false,
            } => {
                if sample.receiving >= self.connections || time >= LONGEST_SETTLING {
                    self.phase = Phase::Probing {
                        before,
                        rate,
                        settled: true,
                    };
                    self.measured_from = None;
                }
            }
            Phase::Probing { before, rate, .. } if time >= measure => {
                self.judge(before, rate, measured(), sample.now);
            }
            Phase::Steady { rate, probe_at } if time >= self.steady_measure(rate, measure) => {
                self.look(rate, probe_at, measured(), sample.now);
            }
            Phase::Probing { .. } | Phase::Steady { .. } => {}
        }
    }

    fn steady_measure(&self, rate: f64, measure: Duration) -> Duration {
        if rate > 0.0 || self.connections > 1 {
            measure.max(STEADY_MEASURE)
        } else {
            measure
        }
    }

    /// The end of a measure with twice the connections.
    fn judge(&mut self, before: usize, rate: f64, measured: f64, now: Instant) {
        if measured > rate * GAIN {
            self.hold = FIRST_HOLD;
            self.probe(measured, now);
            return;
        }
        self.connections = before;
        if self.was_held_back {
            // That says nothing of the line.
            self.phase = Phase::Steady {
                rate,
                probe_at: now + SHORT_HOLD,
            };
            self.measure_anew();
        } else {
            self.settle(measured.max(rate), now);
        }
    }

    /// The end of a measure while all was well.
    fn look(&mut self, rate: f64, probe_at: Instant, measured: f64, now: Instant) {
        if self.was_rate_limited && self.connections > 1 {
            // Half as many bring as much, and the others are of use elsewhere.
            self.connections /= 2;
            self.phase = Phase::Steady {
                rate: measured,
                probe_at: now,
            };
            self.measure_anew();
        } else if now >= probe_at || measured < rate * FALL {
            self.probe(measured, now);
        } else {
            self.measure_anew();
        }
    }

    /// Tries twice as many, unless we could not take more anyway.
    fn probe(&mut self, rate: f64, now: Instant) {
        let twice = (self.connections * 2).min(self.most);
        if twice == self.connections || self.was_held_back {
            self.phase = Phase::Steady {
                rate,
                probe_at: now,
            };
        } else {
            self.phase = Phase::Probing {
                before: self.connections,
                rate,
                settled: false,
            };
            self.connections = twice;
        }
        self.measure_anew();
    }

    /// Stays with what there is for a while.
    fn settle(&mut self, rate: f64, now: Instant) {
        self.phase = Phase::Steady {
            rate,
            probe_at: now + self.hold,
        };
        self.hold = (self.hold * 2).min(LONGEST_HOLD);
        self.measure_anew();
    }

    const fn measure_anew(&mut self) {
        self.measured_from = None;
        self.was_held_back = false;
        self.was_rate_limited = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    struct Line {
        growth: Growth,
        now: Instant,
        bytes: u64,
        is_rate_limited: bool,
    }

    impl Line {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                growth: Growth::new(1, 16, now),
                now,
                bytes: 0,
                is_rate_limited: false,
            }
        }

        /// Runs over a line that gives `rate(connections)` bytes a second; the least and the most connections that
        /// there were.
        fn run(&mut self, time: Duration, rate: impl Fn(usize) -> u64) -> (usize, usize) {
            let end = self.now + time;
            let mut seen = Vec::new();
            while self.now < end {
                self.now += TICK;
                self.bytes += rate(self.growth.connections()) / 20;
                self.growth.sample(&Sample {
                    now: self.now,
                    bytes: self.bytes,
                    receiving: self.growth.connections(),
                    is_held_back: self.is_rate_limited,
                    is_rate_limited: self.is_rate_limited,
                    first_byte: Duration::from_millis(5),
                });
                seen.push(self.growth.connections());
            }
            (*seen.iter().min().unwrap(), *seen.iter().max().unwrap())
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// A line on which each connection is limited.
    fn each(connections: usize) -> u64 {
        connections as u64 * 25_000_000
    }

    #[test]
    fn where_each_connection_is_limited_all_of_them_run_within_a_second() {
        let mut line = Line::new();
        line.run(SECOND, each);
        assert_eq!(line.run(SECOND * 60, each), (16, 16));
    }

    #[test]
    fn a_line_that_one_connection_fills_goes_back_to_one() {
        let mut line = Line::new();
        let full = |_| 900_000_000;
        assert_eq!(line.run(SECOND, full), (1, 2));
        assert_eq!(line.run(SECOND * 8, full), (1, 1));
    }

    #[test]
    fn a_line_that_four_fill_gets_four() {
        let mut line = Line::new();
        let four = |connections: usize| connections.min(4) as u64 * 10_000_000;
        line.run(SECOND, four);
        assert_eq!(line.run(SECOND * 8, four), (4, 4));
    }

    #[test]
    fn when_the_rate_falls_more_are_tried_at_once() {
        let mut line = Line::new();
        line.run(SECOND, |_| 900_000_000);
        line.run(SECOND * 2, each);
        assert_eq!(line.run(SECOND, each), (16, 16));
    }

    #[test]
    fn what_we_hold_back_ourselves_is_no_reason_for_more() {
        let mut now = Instant::now();
        let mut growth = Growth::new(1, 16, now);
        for tick in 0..1000 {
            now += TICK;
            growth.sample(&Sample {
                now,
                bytes: tick * 1000,
                receiving: 1,
                is_held_back: true,
                is_rate_limited: false,
                first_byte: Duration::ZERO,
            });
            assert_eq!(growth.connections(), 1);
        }
    }

    #[test]
    fn connections_that_wait_for_our_own_rate_limit_are_given_back_and_come_again_without_it() {
        let mut line = Line::new();
        line.run(SECOND, each);
        line.is_rate_limited = true;
        line.run(SECOND * 2, |_| 100_000);
        assert_eq!(line.run(SECOND, |_| 100_000), (1, 1));
        line.is_rate_limited = false;
        line.run(SECOND, each);
        assert_eq!(line.run(SECOND, each), (16, 16));
    }

    #[test]
    fn a_server_that_refuses_gets_half_for_a_while() {
        let mut line = Line::new();
        line.run(SECOND, each);
        line.growth.refused(line.now);
        assert_eq!(line.run(SECOND * 8, each), (8, 8));
    }

    #[test]
    fn when_nothing_comes_any_more_one_is_left_until_it_does() {
        let mut line = Line::new();
        line.run(SECOND, each);
        line.growth.cut_off(line.now);
        assert_eq!(line.growth.connections(), 1);
        line.run(SECOND, each);
        assert_eq!(line.growth.connections(), 16);
    }
}
