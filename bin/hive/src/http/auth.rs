//! Who asks: over the unix socket the file's permission is the token, over TCP every request carries one.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use hive_api::{Open, Problem, ProblemCode, Scope};
use http::{HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use super::{
    Door,
    problems::Refusal,
    session::{Admission, Sessions},
};
use crate::access::{
    failures::{Failures, Slowed},
    tokens::{Found, LOCAL, TokenEnd, Tokens},
};

/// Who asks: `name` is `submitted_by` of the jobs.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) scope: Scope,
}

impl Caller {
    /// The owner of this hive, over the socket and with the local token alike.
    pub(super) fn local() -> Self {
        Self {
            name: LOCAL.to_owned(),
            scope: Scope::Admin,
        }
    }

    /// As it is told and written.
    pub(super) fn told(&self) -> hive_api::Caller {
        hive_api::Caller {
            name: self.name.clone(),
            scope: Open::Known(self.scope),
            expires_at: None,
        }
    }
}

/// What tells a caller from a stranger.
pub(crate) struct Doorkeeper {
    /// The sha256 of the token: of one length whatever was sent, so that comparing takes one time.
    local_token: [u8; 32],
    local_token_end: TokenEnd,
    tokens: Arc<Tokens>,
    pub(super) sessions: Sessions,
    failures: Arc<Failures>,
}

/// Why nobody was let in.
#[derive(Debug)]
pub(super) enum Denied {
    /// Whoever asks is nobody we know.
    Stranger(Stranger),
    /// Whoever asks may not do this; the scope that may.
    TooLittle(Caller, Scope),
    /// The request itself cannot be.
    Refused(Refusal),
}

/// What a stranger came with.
#[derive(Debug)]
pub(super) enum Stranger {
    /// Nothing that could be a token.
    Nothing,
    /// A token that is none, or none any more.
    WrongToken,
    /// The token of this name, after its time.
    Expired(String),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Doorkeeper {
    /// Knows the local token and the named ones.
    pub(crate) fn new(local_token: &SecretString, tokens: Arc<Tokens>, free_failures: u32) -> Self {
        let local_token = Sha256::digest(local_token.expose_secret()).into();
        Self {
            local_token,
            local_token_end: TokenEnd::default(),
            tokens,
            sessions: Sessions::default(),
            failures: Failures::new(free_failures),
        }
    }

    /// Tells who asks and why they may, or refuses. Where an `Authorization` came, it alone decides.
    pub(super) fn admit(
        &self,
        door: Door,
        request: &Request,
    ) -> Result<(Caller, Admission), Denied> {
        if door == Door::Unix {
            return Ok((Caller::local(), Admission::Socket));
        }
        if request.headers().contains_key(header::AUTHORIZATION) {
            let token = bearer(request).ok_or(Denied::Stranger(Stranger::Nothing))?;
            return self.admit_token(token);
        }
        match self.sessions.find(request)? {
            Some((caller, end)) => Ok((caller, Admission::Session(end))),
            None => Err(Denied::Stranger(Stranger::Nothing)),
        }
    }

    fn admit_token(&self, token: &[u8]) -> Result<(Caller, Admission), Denied> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let is_local: bool = digest.ct_eq(&self.local_token).into();
        let found = self.tokens.find(token);
        if is_local {
            let end = self.local_token_end.clone();
            return Ok((Caller::local(), Admission::Token(end)));
        }
        match found {
            Found::Token { name, scope, end } => {
                Ok((Caller { name, scope }, Admission::Token(end)))
            }
            Found::Expired { name } => Err(Denied::Stranger(Stranger::Expired(name))),
            Found::Unknown => Err(Denied::Stranger(Stranger::WrongToken)),
        }
    }

    /// Waits as long as someone who fails so often has to, at most until the hive stops.
    pub(super) async fn slow_down(
        &self,
        address: IpAddr,
        drain: &CancellationToken,
    ) -> Result<(), Refusal> {
        match self.failures.note(address) {
            Slowed::Not => Ok(()),
            Slowed::Wait(wait) => {
                drain.run_until_cancelled(wait.over()).await;
                Ok(())
            }
            Slowed::TurnedAway => Err(Problem::new(
                ProblemCode::TooManyFailures,
                "too many requests with wrong tokens came from this address",
            )
            .with_hint("find the program there that has an old token, and give it a new one")
            .into()),
        }
    }
}

impl Denied {
    /// The answer, with the challenge that RFC 6750 (section 3) wants.
    pub(super) fn into_response(self) -> Response {
        let (refusal, challenge) = match self {
            Self::Refused(refusal) => return refusal.into_response(),
            Self::Stranger(stranger) => stranger.answer(),
            Self::TooLittle(caller, least) => too_little(&caller, least),
        };
        let mut response = refusal.into_response();
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        response
    }
}

impl Stranger {
    fn answer(self) -> (Refusal, HeaderValue) {
        let plain = HeaderValue::from_static("Bearer");
        let invalid = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        let (detail, challenge) = match self {
            Self::Nothing => (
                "a valid `Authorization: Bearer` header is needed".to_owned(),
                plain,
            ),
            Self::WrongToken => (
                "this hive does not know that token, or it was revoked".to_owned(),
                invalid,
            ),
            Self::Expired(name) => (format!("the token `{name}` has expired"), invalid),
        };
        let hint = "make a token on the machine of the hive with hive token create NAME and set KEEPER_TOKEN to it, \
                    or pair with what hive pair prints there";
        let problem = Problem::new(ProblemCode::Unauthenticated, detail).with_hint(hint);
        (problem.into(), challenge)
    }
}

fn too_little(caller: &Caller, least: Scope) -> (Refusal, HeaderValue) {
    let (name, has, needs) = (&caller.name, caller.scope.as_str(), least.as_str());
    let detail = format!("this needs the scope `{needs}`, and the token `{name}` has `{has}`");
    let hint = format!(
        "use another token; on the machine of the hive, hive token create NAME --scope {needs} makes one"
    );
    let problem = Problem::new(ProblemCode::Forbidden, detail).with_hint(hint);
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needs}\"");
    let challenge = HeaderValue::try_from(challenge);
    // Made of words of ours alone.
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
    (problem.into(), challenge)
}

/// The token of the one `Authorization` header (RFC 6750, section 2.1).
fn bearer(request: &Request) -> Option<&[u8]> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
