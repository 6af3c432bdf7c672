//! The `hive` program as a library: everything but the process's first and last line.
