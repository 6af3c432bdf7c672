//! One person's machine for a test: a home of its own, the real programs as processes, every wait with a deadline.
#![expect(
    clippy::expect_used,
    reason = "this crate is test code: a failed expect is a failed test"
)]

mod fleet;
mod machine;
mod models;
mod process;
mod terminal;
mod transcript;

pub use fleet::Fleet;
pub use machine::Machine;
pub use models::{FILE, MODEL, quantised, slowly};
pub use process::{End, Finished, Running};
pub use terminal::Terminal;
pub use transcript::transcript;
