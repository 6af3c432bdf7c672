//! The real binaries as processes, one file per capability.
