//! The Hub account that a hive asks as.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of `PUT /v1/hub-token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetHubToken {
    /// The Hub's token, as its settings page shows it once.
    pub token: String,
}

impl fmt::Debug for SetHubToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SetHubToken")
            .finish_non_exhaustive()
    }
}

/// As whom a hive asks the Hub; never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HubAccount {
    /// The Hub's address, without credentials.
    pub endpoint: String,
    /// The account's name, or null where no token is set.
    pub account: Option<String>,
    /// Where the token came from (`keeper hive login`, `HF_TOKEN`, a file's path), or null where none is set.
    pub token_source: Option<String>,
}
