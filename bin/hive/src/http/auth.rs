//! Who asks: over the unix socket the file's permission is the token, over TCP every request carries one.

use axum::extract::Request;
use hive_api::{Problem, ProblemCode};
use http::header;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Door,
    problems::Refusal,
    session::{Admission, Sessions},
};

/// The name under which the owner of this hive submits, over the socket and with the local token alike.
const LOCAL: &str = "local";

/// Who asks, as a job's `submitted_by`.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) &'static str);

/// What tells a caller from a stranger.
pub(crate) struct Doorkeeper {
    /// The sha256 of the token: of one length whatever was sent, so that comparing takes one time.
    local_token: [u8; 32],
    pub(super) sessions: Sessions,
}

impl Doorkeeper {
    /// Knows the local token.
    pub(crate) fn new(local_token: &SecretString) -> Self {
        let local_token = Sha256::digest(local_token.expose_secret()).into();
        Self {
            local_token,
            sessions: Sessions::default(),
        }
    }

    /// Tells who asks and why they may, or refuses. Where an `Authorization` came, it alone decides.
    pub(super) fn admit(
        &self,
        door: Door,
        request: &Request,
    ) -> Result<(Caller, Admission), Refusal> {
        if door == Door::Unix {
            return Ok((Caller(LOCAL), Admission::Socket));
        }
        if request.headers().contains_key(header::AUTHORIZATION) {
            if bearer(request).is_some_and(|token| self.is_local_token(token)) {
                return Ok((Caller(LOCAL), Admission::Token));
            }
        } else if let Some((caller, end)) = self.sessions.find(request)? {
            return Ok((caller, Admission::Session(end)));
        }
        let detail = "a valid `Authorization: Bearer` header is needed";
        Err(Problem::new(ProblemCode::Unauthenticated, detail)
            .with_hint("set KEEPER_TOKEN to what hive token prints on the machine of the hive")
            .into())
    }

    fn is_local_token(&self, token: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(token).into();
        digest.ct_eq(&self.local_token).into()
    }
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
