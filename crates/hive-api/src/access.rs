//! Who may ask a hive, and what was done by whom.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::open::OpenScope;

/// How far a token reaches. An order: each scope may do what those below it may.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at jobs, models and the hive.
    Read,
    /// Talk to engines.
    Infer,
    /// Submit and change jobs.
    #[default]
    Operate,
    /// Tokens, pairing, the audit log, and removal from the store.
    Admin,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Infer, Self::Operate, Self::Admin];

    /// The scope on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Infer => "infer",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or(ParseScopeError)
    }
}

/// The word is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `read`, `infer`, `operate` or `admin`")]
pub struct ParseScopeError;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caller {
    /// The token's name, `submitted_by` of its jobs; `local` over the unix socket and with the local token.
    pub name: String,
    /// How far it reaches.
    pub scope: OpenScope,
    /// When the token ends, or null where it has no end; told by `GET /v1/hive`.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// The body of `POST /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateToken {
    /// 1 to 63 of `A-Za-z0-9._-`, not `local`, and of no other token.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]+$")]
    pub name: String,
    /// How far it reaches.
    #[serde(default)]
    pub scope: Scope,
    /// Seconds until it ends, or null for never; ten years at most.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub expires_in_seconds: Option<u64>,
}

/// A token that was just made: the one answer that carries its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// Its name, as in `submitted_by` and in the audit log.
    pub name: String,
    /// How far it reaches.
    pub scope: OpenScope,
    /// When it ends, or null for never.
    pub expires_at: Option<Timestamp>,
    /// What `Authorization: Bearer` takes. The hive keeps its sha256 alone.
    pub token: String,
}

/// Without the secret: what is debugged is logged.
impl std::fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewToken")
            .field("name", &self.name)
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The answer of `GET /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Every named token, the oldest first; the local one has no entry.
    pub tokens: Vec<TokenInfo>,
}

/// What is known of a token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// How far it reaches.
    pub scope: OpenScope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, or null for never.
    pub expires_at: Option<Timestamp>,
    /// When it last let somebody in, or null for never.
    pub last_used_at: Option<Timestamp>,
}

/// The body of `POST /v1/pair/codes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatePairCode {
    /// How far the token will reach.
    #[serde(default)]
    pub scope: Scope,
    /// What the token will be called, or null for what the other side calls itself.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]+$")]
    pub name: Option<String>,
}

/// A code that is exchanged once for a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairCode {
    /// `XXXX-XXXX`; the dash and the case of its letters do not count.
    pub code: String,
    /// Seconds until it ends.
    pub expires_in_seconds: u64,
    /// The machine of the hive.
    pub machine: String,
    /// Where the other side reaches the hive.
    pub url: String,
    /// The certificate's sha256, `sha256:` and 64 hexadecimal digits, or null for a hive without TLS.
    pub pin: Option<String>,
}

/// Without the code: what is debugged is logged.
impl std::fmt::Debug for PairCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PairCode")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The body of `POST /v1/pair`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pair {
    /// The code that `hive pair` printed.
    #[schema(min_length = 1, max_length = 64)]
    pub code: String,
    /// What the one who asks is called; the token gets this name, with `-2`, `-3` … where it is taken.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]+$")]
    pub name: String,
}

/// Without the code: what is debugged is logged.
impl std::fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Pair")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A page of the audit log, the answer of `GET /v1/audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// What `cursor` takes for the next page, or null at the end.
    pub next_cursor: Option<String>,
}

/// One accepted change, a line of `audit.log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number: one more than that of the line before, across files and starts of the hive.
    pub sequence: u64,
    /// When it was accepted.
    pub at: Timestamp,
    /// The request, as in the hive's log.
    pub request_id: String,
    /// The token's name; `local` for the owner of the hive.
    pub who: String,
    /// How far that token reaches.
    pub scope: OpenScope,
    /// The peer's address and port, `unix` for the unix socket, `command` for a command of hive while no hive ran.
    pub from: String,
    /// What was done, such as `job.submit`.
    pub what: String,
    /// To what: a job's id, a repository, a token's name.
    pub target: String,
    /// What it came to, such as the job's state.
    pub outcome: String,
}
