//! Doors for the fuzz targets (`fuzz/`), there only in their builds: what reads the answers of a hive.

use http::StatusCode;

use crate::{ClientError, answer};

/// The error that an answer with this status and body means, if there is such a status.
pub fn refusal(status: u16, body: &[u8]) -> Option<ClientError> {
    let status = StatusCode::from_u16(status).ok()?;
    Some(answer::refusal("the hive", status, body))
}
