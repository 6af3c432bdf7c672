//! Model reference to plan to downloads to published snapshot.
