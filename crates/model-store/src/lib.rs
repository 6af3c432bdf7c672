//! The Hub cache layout on disk.
