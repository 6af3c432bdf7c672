//! One connection of an event stream: its request, its frames, and how it ends.

use std::{error::Error as StdError, io, time::Duration};

use eventsource_client::{Client, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::StreamExt;
use hive_api::Event;
use http::StatusCode;

use super::{
    ConnectionLoss,
    transport::{ReqwestTransport, UnparsedBytes},
};
use crate::{
    ClientError, HiveClient,
    answer::{self, ANSWER_BYTES_MAX},
    certificate,
};

/// A connection that is made when its first frame is asked for.
pub(super) struct Connection {
    hive: String,
    frames: eventsource_client::BoxStream<Result<SSE, Error>>,
    unparsed: UnparsedBytes,
}

/// A frame as it came.
pub(super) struct Received {
    /// Its id, where it had one.
    pub(super) id: Option<u64>,
    /// Its event.
    pub(super) event: Event,
    /// The wait that the hive asks for before the next connection.
    pub(super) retry_after: Option<Duration>,
}

/// Why no further frame comes over a connection.
pub(super) enum Stop {
    /// Another connection may do better.
    Lost(ConnectionLoss),
    /// Another connection would get the same answer.
    Fatal(Box<ClientError>),
    /// The hive has no event after the given position (204).
    NothingMore,
}

impl Connection {
    /// Prepares the request, with the position after which events are wanted.
    pub(super) fn open(
        client: &HiveClient,
        path: &str,
        last_event_id: Option<u64>,
    ) -> Result<Self, Stop> {
        let hive = client.inner.hive.clone();
        let invalid = |error: Error| {
            let error = answer::protocol(&client.inner.hive, error.to_string());
            Stop::Fatal(Box::new(error))
        };
        let url = client.route(path, &[]);
        let mut builder = ClientBuilder::for_url(url.as_str())
            .map_err(invalid)?
            .redirect_limit(0)
            .reconnect(ReconnectOptions::reconnect(false).build());
        let authorization = client.inner.authorization.as_ref();
        if let Some(authorization) = authorization.and_then(|value| value.to_str().ok()) {
            builder = builder
                .header("authorization", authorization)
                .map_err(invalid)?;
        }
        if let Some(id) = last_event_id {
            builder = builder.last_event_id(id.to_string());
        }
        let unparsed = UnparsedBytes::default();
        let transport = ReqwestTransport::new(client.inner.http.clone(), unparsed.clone());
        Ok(Self {
            hive,
            frames: builder.build_with_transport(transport).stream(),
            unparsed,
        })
    }

    /// The next frame. After an error the connection is of no use: with its own reconnect off, eventsource-client
    /// gives the same error at every poll.
    pub(super) async fn next(&mut self) -> Result<Received, Stop> {
        loop {
            let Some(frame) = self.frames.next().await else {
                return Err(Stop::Lost(ConnectionLoss::Closed));
            };
            self.unparsed.reset();
            match frame {
                Ok(SSE::Connected(connected)) => Self::check_answer(connected.response())?,
                Ok(SSE::Comment(_)) => {}
                Ok(SSE::Event(frame)) => return parse(&frame),
                Err(error) => return Err(self.stop_of(error).await),
            }
        }
    }

    /// eventsource-client takes every 2xx for a stream, a proxy's login page too.
    fn check_answer(response: &eventsource_client::Response) -> Result<(), Stop> {
        if response.status() == StatusCode::NO_CONTENT.as_u16() {
            return Err(Stop::NothingMore);
        }
        let content_type = response.get_header_value("content-type");
        let content_type = content_type.ok().flatten().unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if response.status() == StatusCode::OK.as_u16()
            && essence.eq_ignore_ascii_case("text/event-stream")
        {
            return Ok(());
        }
        let detail = format!(
            "{} with `{content_type}` is no event stream; is a proxy in between?",
            response.status()
        );
        Err(Stop::Lost(ConnectionLoss::Garbage { detail }))
    }

    async fn stop_of(&self, error: Error) -> Stop {
        let protocol = |detail: String| Stop::Fatal(Box::new(answer::protocol(&self.hive, detail)));
        match error {
            Error::Eof | Error::UnexpectedEof => Stop::Lost(ConnectionLoss::Closed),
            Error::UnexpectedResponse(response, body) => {
                let status = response.status();
                if may_pass(status) {
                    return Stop::Lost(ConnectionLoss::Status { status });
                }
                let body = answer::collect(body.into_stream(), ANSWER_BYTES_MAX).await;
                let body = body.ok().flatten().unwrap_or_default();
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                Stop::Fatal(Box::new(answer::refusal(&self.hive, status, &body)))
            }
            Error::MaxRedirectLimitReached(_) | Error::MalformedLocationHeader(_) => {
                protocol("it redirects, and a hive does not".to_owned())
            }
            Error::InvalidParameter(error) => protocol(error.to_string()),
            Error::InvalidLine(detail) => Stop::Lost(ConnectionLoss::Garbage { detail }),
            Error::InvalidEvent => Stop::Lost(ConnectionLoss::Garbage {
                detail: "an empty frame".to_owned(),
            }),
            Error::TimedOut => Stop::Lost(ConnectionLoss::Failed {
                detail: "it timed out".to_owned(),
            }),
            Error::HttpStream(error) => self.stop_of_connection(error.as_ref()),
            Error::Transport(error) => self.stop_of_connection(error.inner()),
        }
    }

    fn stop_of_connection(&self, error: &(dyn StdError + 'static)) -> Stop {
        match certificate::refusal(&self.hive, error) {
            Some(refusal) => Stop::Fatal(Box::new(refusal)),
            None => Stop::Lost(failed(error)),
        }
    }
}

/// Whether the same request may get another answer later.
fn may_pass(status: u16) -> bool {
    status >= 500 || matches!(status, 408 | 425 | 429)
}

fn parse(frame: &eventsource_client::Event) -> Result<Received, Stop> {
    let garbage = |detail: String| Stop::Lost(ConnectionLoss::Garbage { detail });
    let id = match frame.id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Some(id.parse().map_err(|_| {
            garbage(format!(
                "`{}` has an id that is no number",
                frame.event_type
            ))
        })?),
        None => None,
    };
    let event = Event::parse(&frame.event_type, &frame.data)
        .map_err(|error| garbage(format!("`{}`: {error}", frame.event_type)))?;
    Ok(Received {
        id,
        event,
        retry_after: frame.retry.map(Duration::from_millis),
    })
}

/// A failed connection, with the innermost cause: the outer ones only say that a request was sent.
fn failed(error: &(dyn StdError + 'static)) -> ConnectionLoss {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    if let Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) = kind {
        return ConnectionLoss::Refused;
    }
    let detail = cause.to_string();
    ConnectionLoss::Failed { detail }
}
