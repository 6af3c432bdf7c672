//! Waiting for something to be seen, with a deadline and never with a sleep.

use std::fmt;
use std::time::Duration;

use super::{ConnectionRecord, EndedBy, RequestRecord, Seen, Traffic};
use crate::script::Requests;

/// What a test waited for did not happen in time. Says what was seen instead.
#[derive(Debug)]
pub struct Overdue {
    awaited: String,
    limit: Duration,
    seen: Seen,
}

impl fmt::Display for Overdue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} not seen within {:?}; seen:",
            self.awaited, self.limit
        )?;
        for request in &self.seen.requests {
            let RequestRecord {
                method,
                target,
                status,
                body_bytes_sent,
                ended,
                ..
            } = request;
            let ended = ended.map(|(ended, _)| ended);
            write!(
                out,
                "\n  {method} {target} -> {status:?}, {body_bytes_sent} bytes, {ended:?}"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Overdue {}

impl Traffic {
    /// Waits until `look` finds what it looks for; `awaited` names it in the error. The limit runs on
    /// the caller's clock: a paused one jumps over it.
    pub async fn wait_until<T>(
        &self,
        awaited: &str,
        limit: Duration,
        mut look: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T, Overdue> {
        let mut changes = self.changes.subscribe();
        let found = async {
            loop {
                if let Some(found) = look(&self.lock()) {
                    return found;
                }
                if changes.changed().await.is_err() {
                    // The sender is part of `self`: this cannot happen, and then the deadline decides.
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(limit, found)
            .await
            .map_err(|_| Overdue {
                awaited: awaited.to_owned(),
                limit,
                seen: self.lock().clone(),
            })
    }

    /// Waits for the first of these requests to arrive.
    pub async fn wait_for_request(
        &self,
        requests: &Requests,
        limit: Duration,
    ) -> Result<RequestRecord, Overdue> {
        let look = |seen: &Seen| requests.among(&seen.requests).next().cloned();
        self.wait_until(&format!("{requests:?}"), limit, look).await
    }

    /// Waits until at least so many body bytes of this file were sent, over all its requests.
    pub async fn wait_for_bytes_sent(
        &self,
        file: &str,
        bytes: u64,
        limit: Duration,
    ) -> Result<u64, Overdue> {
        let look = |seen: &Seen| Some(seen.bytes_sent(file)).filter(|sent| *sent >= bytes);
        self.wait_until(&format!("{bytes} bytes of `{file}`"), limit, look)
            .await
    }

    /// Waits until the client has closed a connection on which one of these requests came.
    pub async fn wait_for_connection_closed(
        &self,
        requests: &Requests,
        limit: Duration,
    ) -> Result<ConnectionRecord, Overdue> {
        let look = |seen: &Seen| {
            requests.among(&seen.requests).find_map(|request| {
                let connection = seen
                    .connections
                    .get(usize::try_from(request.connection).ok()?)?;
                matches!(connection.closed, Some((EndedBy::Client, _))).then(|| connection.clone())
            })
        };
        self.wait_until(
            &format!("closing of the connection of {requests:?}"),
            limit,
            look,
        )
        .await
    }

    /// Waits until no connection is open.
    pub async fn wait_for_all_connections_closed(&self, limit: Duration) -> Result<(), Overdue> {
        let look = |seen: &Seen| {
            seen.connections
                .iter()
                .all(|connection| connection.closed.is_some())
                .then_some(())
        };
        self.wait_until("closing of every connection", limit, look)
            .await
    }
}
