//! Seeded downloads under random faults: each ends in success with the right bytes, or in a code that the fault
//! matrix names; the store holds nothing wrong meanwhile; and once the Hub is well again, each succeeds.
//!
//! A run derives everything from its seed, so that a violation is replayed by its seed alone. What chance the machine
//! adds (which of two requests is first) is not in the seed: a violation that does not come again was a race.

mod code;
mod dice;
mod fleet;
mod hive;
mod inspection;
mod matrix;
mod model;
mod plan;
mod run;
mod tally;

pub use fleet::{Fleet, Violation, plan_of};
pub use tally::Tally;
