//! The hive of this machine: start, stop, look.

pub(super) mod restart;
pub(super) mod start;
pub(super) mod status;
pub(super) mod stop;
