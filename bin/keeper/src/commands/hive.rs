//! Hives: start, stop, look, and the Hub account of each.

pub(super) mod login;
pub(super) mod logout;
pub(super) mod restart;
pub(super) mod start;
pub(super) mod status;
pub(super) mod stop;
pub(super) mod whoami;
