//! `/v1/session`: a cookie for a browser, whose EventSource sends no header of one's own.
//!
//! Sessions are kept in memory, by the sha256 of their secrets: they end with the hive, and a page asks for a new one.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    extract::{Request, State},
    response::IntoResponse,
};
use hive_api::{Problem, ProblemCode, paths};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::task_tracker::TaskTrackerToken,
};

use super::{
    app::App,
    asker::{Asker, Did},
    auth::Caller,
    host::named_host,
    openapi::refusals::OfDoor,
    problems::Refusal,
    query::Query,
};
use crate::{access::tokens::TokenEnd, local_token};

/// How long a session lasts.
const LIFETIME: Duration = Duration::from_hours(12);
/// More are not kept: the oldest ends.
const MOST_SESSIONS: usize = 256;
/// The port of a `Host` that names none.
const HTTP_PORT: u16 = 80;

/// How a caller was let in.
#[derive(Clone, Debug)]
pub(super) enum Admission {
    /// By the permission of the unix socket.
    Socket,
    /// By a token.
    Token(TokenEnd),
    /// By a session.
    Session(SessionEnd),
}

/// When a session ends: at its time, when it is ended before, or with its token.
#[derive(Clone, Debug)]
pub(super) struct SessionEnd {
    at: Instant,
    early: CancellationToken,
    token: TokenEnd,
}

impl SessionEnd {
    fn is_over(&self) -> bool {
        self.at <= Instant::now() || self.token.is_over()
    }
}

impl Admission {
    /// Returns when the caller may no longer ask.
    pub(super) async fn over(&self) {
        match self {
            Self::Socket => pending().await,
            Self::Token(end) => end.over().await,
            Self::Session(end) => tokio::select! {
                () = sleep_until(end.at) => {}
                () = end.early.cancelled() => {}
                () = end.token.over() => {}
            },
        }
    }

    /// When the token behind it ends by itself, `None` for never.
    pub(super) const fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Socket => None,
            Self::Token(end) => end.expires_at(),
            Self::Session(end) => end.token.expires_at(),
        }
    }

    /// Something that the caller has open, until dropped: whoever ends the token waits for it.
    pub(super) fn hold(&self) -> Option<TaskTrackerToken> {
        match self {
            Self::Socket => None,
            Self::Token(end) => Some(end.hold()),
            Self::Session(end) => Some(end.token.hold()),
        }
    }
}

/// The open sessions, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<VecDeque<Session>>);

#[derive(Debug)]
struct Session {
    /// The sha256 of the secret.
    digest: [u8; 32],
    caller: Caller,
    end: SessionEnd,
    /// Ends the session's streams with it.
    _ends: DropGuard,
}

impl Sessions {
    /// Opens one for this caller and gives its secret.
    fn open(&self, caller: Caller, token: TokenEnd) -> Result<String, getrandom::Error> {
        let secret = local_token::new_token()?;
        let early = CancellationToken::new();
        let session = Session {
            digest: Sha256::digest(&secret).into(),
            caller,
            _ends: early.clone().drop_guard(),
            end: SessionEnd {
                at: Instant::now() + LIFETIME,
                early,
                token,
            },
        };
        let mut open = self.lock();
        while open.len() >= MOST_SESSIONS {
            open.pop_front();
        }
        open.push_back(session);
        Ok(secret)
    }

    /// Whose session the request comes with.
    pub(super) fn find(&self, request: &Request) -> Result<Option<(Caller, SessionEnd)>, Refusal> {
        let name = cookie_name(request)?;
        let digests = digests(request.headers(), &name);
        let open = self.lock();
        let found = open
            .iter()
            .find(|session| digests.contains(&session.digest));
        Ok(found.map(|session| (session.caller.clone(), session.end.clone())))
    }

    /// Ends the sessions that the request comes with.
    fn end(&self, headers: &HeaderMap, name: &str) {
        let digests = digests(headers, name);
        self.lock()
            .retain(|session| !digests.contains(&session.digest));
    }

    /// The sessions that are not over.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Session>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|session| !session.end.is_over());
        open
    }
}

/// Opens a session
///
/// For browsers, whose EventSource sends no header: with the bearer, never with a cookie.
#[utoipa::path(
    post,
    path = paths::SESSION,
    tag = "hive",
    operation_id = "open_session",
    security(("bearer" = [])),
    responses(
        (
            status = 204,
            description = "Open for 12 hours, or as long as its token and the hive",
            headers(("Set-Cookie" = String, description = "`hive_session_<port>`, the port of the `Host`")),
        ),
        OfDoor,
    ),
)]
pub(super) async fn open(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    Extension(admission): Extension<Admission>,
    request: Request,
) -> Result<impl IntoResponse, Refusal> {
    Query::of(request.uri())?.finish()?;
    let token = match admission {
        Admission::Token(end) => end,
        Admission::Socket => return Err(no_browser()),
        Admission::Session(_) => {
            let detail = "a session is opened with the `Authorization: Bearer` header, not with another session";
            return Err(Refusal::new(ProblemCode::Unauthenticated, detail));
        }
    };
    let name = cookie_name(&request)?;
    let opened = app.doorkeeper.sessions.open(asker.caller.clone(), token);
    let secret = opened.map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        Refusal::new(ProblemCode::Internal, "the system gives no random bytes")
    })?;
    let did = Did::new("session.open", &asker.caller.name, "opened");
    asker
        .change(&app, async move { Ok(((), Some(did))) })
        .await?;
    Ok(set_cookie(&app, &name, &secret, LIFETIME))
}

/// Ends the session of the cookie
///
/// Its event streams end with it. Repeatable.
#[utoipa::path(
    delete,
    path = paths::SESSION,
    tag = "hive",
    operation_id = "end_session",
    responses(
        (
            status = 204,
            description = "Ended",
            headers(("Set-Cookie" = String, description = "Removes the cookie")),
        ),
        OfDoor,
    ),
)]
pub(super) async fn end(
    State(app): State<Arc<App>>,
    Extension(admission): Extension<Admission>,
    request: Request,
) -> Result<impl IntoResponse, Refusal> {
    Query::of(request.uri())?.finish()?;
    if matches!(admission, Admission::Socket) {
        return Err(no_browser());
    }
    let name = cookie_name(&request)?;
    app.doorkeeper.sessions.end(request.headers(), &name);
    Ok(set_cookie(&app, &name, "", Duration::ZERO))
}

fn no_browser() -> Refusal {
    Problem::new(
        ProblemCode::Forbidden,
        "a session is for browsers, which come over TCP",
    )
    .with_hint("over the unix socket the file's permission is the token, so ask without a session")
    .into()
}

/// Browsers send a cookie to every port of a host, so that two hives need two names.
fn cookie_name(request: &Request) -> Result<String, Refusal> {
    let port = named_host(request)?.port_u16().unwrap_or(HTTP_PORT);
    Ok(format!("hive_session_{port}"))
}

fn set_cookie(app: &App, name: &str, value: &str, lifetime: Duration) -> impl IntoResponse + use<> {
    let seconds = lifetime.as_secs();
    let secure = if app.facts.tls.is_some() {
        " Secure;"
    } else {
        ""
    };
    let cookie =
        format!("{name}={value}; HttpOnly;{secure} SameSite=Strict; Path=/; Max-Age={seconds}");
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (StatusCode::NO_CONTENT, headers)
}

/// The sha256 of every cookie of this name (RFC 6265, section 4.2).
fn digests(headers: &HeaderMap, name: &str) -> Vec<[u8; 32]> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, secret)| Sha256::digest(secret).into())
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn with_cookie(secret: &str) -> Request {
        Request::builder()
            .header("host", "127.0.0.1:7835")
            .header("cookie", format!("hive_session_7835={secret}"))
            .body(Body::empty())
            .unwrap()
    }

    fn open(sessions: &Sessions) -> Request {
        with_cookie(&sessions.open(Caller::local(), TokenEnd::default()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_twelve_hours_and_its_streams_with_it() {
        let sessions = Sessions::default();
        let request = open(&sessions);
        let (_, end) = sessions.find(&request).unwrap().unwrap();
        let begun = Instant::now();
        Admission::Session(end).over().await;
        assert_eq!(begun.elapsed().as_secs(), LIFETIME.as_secs());
        assert!(sessions.find(&request).unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_sessions_the_oldest_ends() {
        let sessions = Sessions::default();
        let (first, second) = (open(&sessions), open(&sessions));
        let (_, end) = sessions.find(&first).unwrap().unwrap();
        for _ in 2..=MOST_SESSIONS {
            open(&sessions);
        }
        assert!(end.early.is_cancelled());
        assert!(sessions.find(&first).unwrap().is_none());
        assert!(sessions.find(&second).unwrap().is_some());
    }
}
