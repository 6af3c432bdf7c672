//! What a server has seen and sent, for a test to look at and to wait on.

mod record;
mod wait;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

pub use record::{ConnectionRecord, Ended, EndedBy, RequestRecord, Seen};
pub use wait::Overdue;

use crate::script::Requests;

/// The record of one server, the Hub or its CDN.
#[derive(Debug)]
pub struct Traffic {
    seen: Mutex<Seen>,
    changes: watch::Sender<u64>,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            seen: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.lock().requests.clone()
    }

    /// The requests of this set, in the order in which they came.
    pub fn requests_of(&self, requests: &Requests) -> Vec<RequestRecord> {
        requests.among(&self.lock().requests).cloned().collect()
    }

    /// Every connection so far.
    pub fn connections(&self) -> Vec<ConnectionRecord> {
        self.lock().connections.clone()
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        self.lock()
            .connections
            .iter()
            .filter(|connection| connection.closed.is_none())
            .count()
    }

    /// The body bytes that the system took for sending, over all requests.
    pub fn bytes_sent_total(&self) -> u64 {
        self.lock()
            .requests
            .iter()
            .map(|request| request.body_bytes_sent)
            .sum()
    }

    /// The body bytes that the system took for sending of this file.
    pub fn bytes_sent(&self, file: &str) -> u64 {
        self.lock().bytes_sent(file)
    }

    pub(crate) fn opened(&self) -> u64 {
        self.change(|seen| {
            let id = seen.connections.len() as u64;
            let opened_at = Instant::now();
            let closed = None;
            seen.connections.push(ConnectionRecord {
                id,
                opened_at,
                bytes_sent: 0,
                closed,
            });
            id
        })
    }

    pub(crate) fn began(&self, request: RequestRecord) -> u64 {
        self.change(|seen| {
            seen.requests.push(request);
            seen.requests.len() as u64 - 1
        })
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        self.change_request(number, |request| request.status = Some(status));
    }

    pub(crate) fn sent(&self, number: u64, bytes: u64) {
        let connection = self.change_request(number, |request| {
            request.body_bytes_sent += bytes;
            request.connection
        });
        let connection = connection.and_then(|id| usize::try_from(id).ok());
        self.change(|seen| {
            if let Some(record) = connection.and_then(|at| seen.connections.get_mut(at)) {
                record.bytes_sent += bytes;
            }
        });
    }

    pub(crate) fn ended(&self, number: u64, ended: Ended) {
        self.change_request(number, |request| {
            request.ended = Some((ended, Instant::now()));
        });
    }

    pub(crate) fn closed(&self, connection: u64, by: EndedBy) {
        self.change(|seen| {
            let at = usize::try_from(connection).ok();
            if let Some(record) = at.and_then(|at| seen.connections.get_mut(at)) {
                record.closed = Some((by, Instant::now()));
            }
        });
    }

    fn change_request<T>(
        &self,
        number: u64,
        change: impl FnOnce(&mut RequestRecord) -> T,
    ) -> Option<T> {
        let at = usize::try_from(number).ok()?;
        self.change(|seen| seen.requests.get_mut(at).map(change))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_modify(|version| *version += 1);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
