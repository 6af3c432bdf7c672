//! Refusals as responses of the description: a set of problem codes for each thing that a route does.

use std::collections::BTreeMap;

use hive_api::{Problem, ProblemCode};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        Responses, schema::Type,
    },
};

/// Adds these codes, one response for all that share a status.
pub(super) fn add(responses: &mut Responses, codes: &[ProblemCode]) {
    for &code in codes {
        let status = code.status().to_string();
        match responses.responses.get_mut(&status) {
            Some(RefOr::T(response)) => {
                response.description += ", ";
                response.description += &named(code);
            }
            Some(RefOr::Ref(_)) | None => {
                responses.responses.insert(status, refusal(code).into());
            }
        }
    }
}

fn refusal(code: ProblemCode) -> Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name())));
    let response = ResponseBuilder::new()
        .description(named(code))
        .content("application/problem+json", problem.build());
    let header = |description: &str, of: Type| {
        let schema = ObjectBuilder::new().schema_type(of);
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(description))
            .build()
    };
    let response = match code.status() {
        401 => response.header(
            "WWW-Authenticate",
            header("The scheme to use", Type::String),
        ),
        429 | 503 | 507 => response.header(
            "Retry-After",
            header("Seconds after which to ask again", Type::Integer),
        ),
        _ => response,
    };
    response.build()
}

fn named(code: ProblemCode) -> String {
    format!("`{}`", code.as_str())
}

/// Defines sets of refusals, to be named among the responses of a handler.
macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $set:ident = [$($code:ident),+ $(,)?];)+) => {$(
        $(#[doc = $doc])+
        pub(in crate::http) struct $set;

        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let mut responses = Responses::new();
                add(&mut responses, &[$(ProblemCode::$code),+]);
                responses.responses
            }
        }
    )+};
}

refusals! {
    /// Of a route that reads a JSON body.
    OfBody = [MalformedJson, RequestTimeout, PayloadTooLarge, UnsupportedMediaType];
    /// Of a route that names what may not be there.
    OfName = [NotFound];
    /// Of a route that reads or changes jobs.
    OfRegistry = [StoreUnavailable, InsufficientStorage];
    /// Of a change that not every state of a job allows.
    OfState = [WrongState];
    /// Of an idempotency key.
    OfKey = [IdempotencyKeyReuse];
    /// Of one more job.
    OfQuota = [QuotaExceeded];
    /// Of what only one of the doors is for.
    OfDoor = [Forbidden];
    /// Of an event stream.
    OfStream = [TooManyStreams];
    /// Of what a hive does for one at a time.
    OfDoctor = [DoctorRunning];
    /// Of a route that reads the store.
    OfStore = [StoreUnavailable];
    /// Of a model that is being worked on.
    OfUse = [ModelInUse];
    /// Of a route that reads or changes jobs and may remove what they have received.
    OfDiscard = [StoreUnavailable, InsufficientStorage, PermissionDenied, ReadOnly, IoError, DiskFull];
    /// Of a question about the Hub account.
    OfAccount = [
        UpstreamAuth, UpstreamRateLimited, UpstreamDns, UpstreamConnect, UpstreamTls, UpstreamHttp, BadUpstream,
        TooManyRedirects, ProxyError, Offline, UpstreamTimeout, IoError,
    ];
    /// Of a route that makes a token.
    OfTokens = [NameTaken, InsufficientStorage];
    /// Of a route that ends a token.
    OfTokensChange = [InsufficientStorage];
    /// Of a route that makes a pairing code.
    OfCodes = [PairingUnavailable];
    /// Of a pairing code.
    OfCode = [PairingRefused, TooManyFailures, InsufficientStorage];
    /// Of a question that goes on to the Hub.
    OfHub = [
        SelectorNotFound, UpstreamNotFound, IncompleteShards, UpstreamChanged, UnsupportedFormat, UnsafeRemoteName,
        UpstreamAuth, UpstreamRateLimited, PermissionDenied, ReadOnly, IoError, UpstreamDns, UpstreamConnect,
        UpstreamTls, UpstreamHttp, BadUpstream, TooManyRedirects, ProxyError, StoreUnavailable, Offline,
        UpstreamTimeout, Stalled, InsufficientStorage, DiskFull,
    ];
}
