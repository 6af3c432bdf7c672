//! What a request may say of a rate limit, whichever route it came by.

use hive_api::InvalidField;

use super::problems::Refusal;

/// Where it stands in every body that has one.
const POINTER: &str = "/limit_bytes_per_second";

/// Refuses a limit under which no byte would ever come.
pub(super) fn check(limit_bytes_per_second: Option<u64>) -> Result<(), Refusal> {
    match limit_bytes_per_second {
        Some(0) => Err(Refusal::invalid(vec![InvalidField {
            pointer: POINTER.to_owned(),
            detail: "must be at least 1, or null for no limit".to_owned(),
        }])),
        Some(_) | None => Ok(()),
    }
}
