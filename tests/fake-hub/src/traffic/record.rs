//! The records themselves.

use tokio::time::Instant;

use crate::route::Route;
use crate::wire::Request;

/// All that a server has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// In the order in which they came.
    pub requests: Vec<RequestRecord>,
    /// In the order in which they were opened; a connection's id is its place here.
    pub connections: Vec<ConnectionRecord>,
}

impl Seen {
    /// The body bytes that were sent of this file.
    pub fn bytes_sent(&self, file: &str) -> u64 {
        let of_file = self
            .requests
            .iter()
            .filter(|request| request.file.as_deref() == Some(file));
        of_file.map(|request| request.body_bytes_sent).sum()
    }
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The id of the connection on which it came.
    pub connection: u64,
    /// What it is about.
    pub route: Route,
    /// The method, in upper case.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Names in lower case, values as sent, in order.
    pub headers: Vec<(String, String)>,
    /// The repository that it names; at the CDN the one that the signed URL was made for.
    pub repository: Option<String>,
    /// The file, or the folder of a tree.
    pub file: Option<String>,
    /// When its head and body were whole.
    pub received_at: Instant,
    /// The status of the answer, once its head was sent.
    pub status: Option<u16>,
    /// The body bytes that the system took for sending: the client may have read fewer.
    pub body_bytes_sent: u64,
    /// How the answer ended and when; none while it is going on.
    pub ended: Option<(Ended, Instant)>,
}

impl RequestRecord {
    pub(crate) fn new(
        connection: u64,
        route: Route,
        request: &Request,
        repository: Option<String>,
        file: Option<String>,
    ) -> Self {
        Self {
            connection,
            route,
            method: request.method.clone(),
            target: request.target(),
            headers: request.headers.clone(),
            repository,
            file,
            received_at: Instant::now(),
            status: None,
            body_bytes_sent: 0,
            ended: None,
        }
    }

    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was sent to its last byte.
    Complete,
    /// A fault ended it.
    CutByScript,
    /// The client closed or broke the connection before the end.
    ClosedByClient,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionRecord {
    /// Its number at this server, from 0.
    pub id: u64,
    /// When it was accepted.
    pub opened_at: Instant,
    /// The body bytes that the system took for sending on it.
    pub bytes_sent: u64,
    /// Who closed it and when; none while it is open.
    pub closed: Option<(EndedBy, Instant)>,
}

/// Who closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The other side, in good order or not.
    Client,
    /// The fake: as scripted, or as HTTP wants it.
    Server,
}
