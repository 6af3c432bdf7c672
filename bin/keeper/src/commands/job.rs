//! Jobs: look at them, watch them, stop them.

pub(super) mod cancel;
pub(super) mod limit;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod show;
pub(super) mod watch;
