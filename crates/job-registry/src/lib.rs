//! What a job is: lifecycle, durable log, running, cancelling, recovery, watching.
//!
//! A job is committed before anyone hears of it, every change of it is one compare-and-set together with its event,
//! and watchers read committed events only. This crate knows no HTTP and no models: the work of a job is a function
//! ([`RunJob`]) from its [`JobContext`] to its result.
//!
//! One task, the scheduler, makes every change in turn: it commits, tells the watchers, fires the job's
//! cancellation token, and starts what fits into the slots. Whoever asks for a change may go away meanwhile; the
//! change is made whole or not at all. A database that refuses (a full disk, someone else's lock) is tried again until
//! it takes what has to be recorded; a cancelled job is stopped meanwhile.
//!
//! Where this differs from the seams of the design note: the work answers [`WorkError`], so that being stopped and
//! having failed are two things (`?` turns a [`Stopped`] or a `Problem` into one); [`JobRegistry::watch`] answers
//! [`WatchStart`], so that a reader that already has everything is told apart; errors are one enum an operation.

mod change;
mod context;
mod database;
mod error;
mod live;
mod registry;
mod scheduler;
mod settings;
mod transition;
mod watch;

pub use context::{JobContext, LogLine, RunJob, Stopped, WorkError};
pub use error::{ChangeError, ListError, OpenError, RegistryError, SubmitError};
pub use registry::{
    AllJobs, AllJobsWatch, JobCount, JobCounts, JobFilter, JobRegistry, Submission, Submitted,
};
pub use settings::{LeftBytes, RegistrySettings, WallClock, WriteObserver};
pub use watch::{JobWatch, LastEventId, WatchStart, Watched};
