//! The only way to talk to a hive.
