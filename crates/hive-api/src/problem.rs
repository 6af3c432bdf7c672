//! What went wrong, for programs (`code`, `retryable`) and for people (`detail`, `reason`, `hint`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Open, open::OpenProblemCode};

/// A problem after RFC 9457, as an HTTP error body and as `error` of a failed job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable URI of the code: `urn:hive:problem:<code>`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The code in words, the same for every occurrence.
    pub title: String,
    /// The HTTP status; for a failed job, the one that describes it best.
    pub status: u16,
    /// What happened to what, one sentence without a full stop.
    pub detail: String,
    /// The stable code.
    pub code: OpenProblemCode,
    /// Whether the same request may succeed later, without a change by the person.
    pub retryable: bool,
    /// Why it happened, where that is known and is not the detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The fields that were refused, with `invalid_request`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<InvalidField>,
    /// What could be asked for instead, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
    /// The request that this answers, as in its log line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this code about this occurrence.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            type_uri: format!("urn:hive:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code: Open::Known(code),
            retryable: code.retryable(),
            reason: None,
            hint: None,
            errors: Vec::new(),
            suggestions: Vec::new(),
            request_id: None,
        }
    }

    /// Says why it happened.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the refused fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<InvalidField>) -> Self {
        self.errors = errors;
        self
    }

    /// Names what could be asked for instead, nearest first.
    #[must_use]
    pub fn with_suggestions(mut self, suggestions: Vec<Suggestion>) -> Self {
        self.suggestions = suggestions;
        self
    }
}

/// A field of a request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvalidField {
    /// Where it stands, a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Something that could be asked for instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The selector, such as `Q4_K_M`.
    pub selector: String,
    /// Its bytes, or null while the size is unknown.
    pub bytes: Option<u64>,
}

/// Defines [`ProblemCode`] from one table, so that a code cannot lack its name, status, retryability or title.
macro_rules! problem_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:literal, $retryable:literal, $title:literal;)+) => {
        /// The stable codes of everything that can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum ProblemCode {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $variant,)+
        }

        impl ProblemCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// Whether the same request may succeed later, without a change by the person.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable),+ }
            }

            /// The code in words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

problem_codes! {
    /// The body is not JSON.
    MalformedJson = "malformed_json", 400, false, "Malformed JSON";
    /// A header is missing or cannot be read.
    MalformedHeader = "malformed_header", 400, false, "Malformed header";
    /// The request came in plain HTTP to an address that speaks TLS.
    HttpsRequired = "https_required", 400, false, "HTTPS required";
    /// No valid token came with the request.
    Unauthenticated = "unauthenticated", 401, false, "Not authenticated";
    /// The token does not reach that far.
    Forbidden = "forbidden", 403, false, "Not allowed";
    /// The `Host` header names something that this hive is not.
    HostNotAllowed = "host_not_allowed", 403, false, "Host not allowed";
    /// A browser page of another origin asked.
    OriginNotAllowed = "origin_not_allowed", 403, false, "Origin not allowed";
    /// The pairing code is wrong, or none is open.
    PairingRefused = "pairing_refused", 403, false, "Pairing refused";
    /// No such job, model or route.
    NotFound = "not_found", 404, false, "Not found";
    /// The route does not know this method.
    MethodNotAllowed = "method_not_allowed", 405, false, "Method not allowed";
    /// The body did not come in time.
    RequestTimeout = "request_timeout", 408, true, "Request timeout";
    /// The job is in a state that does not allow this.
    WrongState = "wrong_state", 409, false, "Wrong state";
    /// The model is in use and cannot be removed.
    ModelInUse = "model_in_use", 409, false, "Model in use";
    /// Another token has this name.
    NameTaken = "name_taken", 409, false, "Name taken";
    /// The hive cannot be reached in a way over which it pairs.
    PairingUnavailable = "pairing_unavailable", 409, false, "Pairing unavailable";
    /// The hive looks at itself for someone else already.
    DoctorRunning = "doctor_running", 409, true, "Doctor running";
    /// The body is larger than the limit.
    PayloadTooLarge = "payload_too_large", 413, false, "Payload too large";
    /// The address of the request is longer than the limit.
    UriTooLong = "uri_too_long", 414, false, "URI too long";
    /// The body is not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", 415, false, "Unsupported media type";
    /// Fields of the request are invalid; `errors` names them.
    InvalidRequest = "invalid_request", 422, false, "Invalid request";
    /// The idempotency key was used with another body.
    IdempotencyKeyReuse = "idempotency_key_reuse", 422, false, "Idempotency key reused";
    /// Too many jobs have not ended.
    QuotaExceeded = "quota_exceeded", 429, true, "Quota exceeded";
    /// Too many event streams are open.
    TooManyStreams = "too_many_streams", 429, true, "Too many streams";
    /// Too many requests with wrong tokens came from this address.
    TooManyFailures = "too_many_failures", 429, true, "Too many failures";
    /// Something in the hive itself broke.
    Internal = "internal", 500, true, "Internal error";
    /// The hive is stopping.
    ShuttingDown = "shutting_down", 503, true, "Shutting down";
    /// The store's folder cannot be read or written.
    StoreUnavailable = "store_unavailable", 503, true, "Store unavailable";
    /// The disk cannot hold what was planned.
    InsufficientStorage = "insufficient_storage", 507, true, "Insufficient storage";

    /// The repository has no such quantisation or file; `suggestions` names the nearest.
    SelectorNotFound = "selector_not_found", 404, false, "Selector not found";
    /// Shards of a set are missing in the repository.
    IncompleteShards = "incomplete_shards", 409, false, "Incomplete shards";
    /// The repository has no files that an engine can load.
    UnsupportedFormat = "unsupported_format", 422, false, "Unsupported format";
    /// The Hub has no such repository, revision or file.
    UpstreamNotFound = "upstream_not_found", 404, false, "Not found on the Hub";
    /// The Hub refuses access with this hive's account.
    UpstreamAuth = "upstream_auth", 403, false, "No access on the Hub";
    /// The Hub's name cannot be looked up.
    UpstreamDns = "upstream_dns", 502, true, "Name look-up failed";
    /// The Hub or its CDN cannot be connected to.
    UpstreamConnect = "upstream_connect", 502, true, "Connection failed";
    /// The certificate of the Hub or its CDN is not accepted.
    UpstreamTls = "upstream_tls", 502, false, "Certificate not accepted";
    /// The Hub or its CDN did not answer in time.
    UpstreamTimeout = "upstream_timeout", 504, true, "No answer in time";
    /// The Hub asks to slow down.
    UpstreamRateLimited = "upstream_rate_limited", 429, true, "Rate-limited by the Hub";
    /// The Hub or its CDN answered with an error.
    UpstreamHttp = "upstream_http", 502, true, "Error from the Hub";
    /// The file changed on the Hub while it was fetched.
    UpstreamChanged = "upstream_changed", 409, true, "Changed on the Hub";
    /// The Hub or its CDN answered something that makes no sense.
    BadUpstream = "bad_upstream", 502, true, "Nonsense from the Hub";
    /// A path in the repository would leave the store.
    UnsafeRemoteName = "unsafe_remote_name", 422, false, "Unsafe name in the repository";
    /// The redirects do not end.
    TooManyRedirects = "too_many_redirects", 502, false, "Too many redirects";
    /// No byte came for too long.
    Stalled = "stalled", 504, true, "Stalled";
    /// The hive was told not to ask the Hub, and the store does not have everything.
    Offline = "offline", 503, false, "Offline";
    /// The proxy refused or is down.
    ProxyError = "proxy_error", 502, true, "Proxy error";
    /// The received size is not the size the Hub promised.
    SizeMismatch = "size_mismatch", 502, true, "Size mismatch";
    /// The received bytes do not have the hash the Hub promised.
    IntegrityMismatch = "integrity_mismatch", 502, true, "Integrity mismatch";
    /// The disk is full.
    DiskFull = "disk_full", 507, true, "Disk full";
    /// The store's permissions do not allow it.
    PermissionDenied = "permission_denied", 500, false, "Permission denied";
    /// The store's file system is read-only.
    ReadOnly = "read_only", 500, false, "Read-only file system";
    /// The store's file system has no symbolic links.
    LinksUnsupported = "links_unsupported", 500, false, "No symbolic links";
    /// The store's disk reported an error.
    IoError = "io_error", 500, true, "Input or output error";
    /// The hive crashed too often while this job ran, without one new byte.
    AttemptsExhausted = "attempts_exhausted", 500, true, "Attempts exhausted";
}
