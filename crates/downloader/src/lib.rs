//! One remote file to verified bytes.
