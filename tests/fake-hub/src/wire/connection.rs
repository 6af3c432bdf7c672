//! The life of one connection: requests in, answers out, and who ended it.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::delivery::{self, After};
use super::request::{self, Incoming, Request};
use super::{Answer, Delivery};
use crate::script::Course;
use crate::traffic::{Ended, EndedBy, Traffic};

/// What a server is, apart from its wire: it knows what a request is about and what the right answer is.
pub(crate) trait Service: Send + Sync + 'static {
    fn traffic(&self) -> &Traffic;
    /// Notes the request; returns its number in the record and what the script says about it.
    fn begin(&self, connection: u64, request: &Request) -> (u64, Course);
    fn answer(&self, request: &Request) -> Answer;
}

/// Accepts connections until `stop`; all of them have ended when this returns.
pub(crate) async fn serve<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // An accept that fails (out of descriptors) concerns the one who connects, not the server.
                let Ok((stream, _)) = accepted else { continue };
                let service = Arc::clone(&service);
                connections.spawn(async move { converse(stream, &*service).await });
            }
        }
    }
    connections.shutdown().await;
}

async fn converse<S: Service>(mut stream: TcpStream, service: &S) {
    // Without it small answers wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let traffic = service.traffic();
    let connection = traffic.opened();
    let (mut reader, mut writer) = stream.split();
    let mut carry = Vec::new();
    let (after, by) = loop {
        match request::read(&mut reader, &mut carry).await {
            Incoming::Closed => break (After::Close, EndedBy::Client),
            Incoming::Malformed => {
                let answer = Answer::new(400, "Bad Request");
                let _ = writer.write_all(answer.head(0, false).as_bytes()).await;
                break (After::Close, EndedBy::Server);
            }
            Incoming::Request(request) => {
                let keep_alive = request.keep_alive;
                let (number, ended, after) = exchange(
                    &mut reader,
                    &mut writer,
                    &mut carry,
                    connection,
                    &request,
                    service,
                )
                .await;
                traffic.ended(number, ended);
                match (ended, after) {
                    (Ended::ClosedByClient, _) => break (After::Close, EndedBy::Client),
                    (_, After::KeepOpen) if keep_alive => {}
                    (_, after) => break (after, EndedBy::Server),
                }
            }
        }
    };
    if after == After::Reset {
        let _ = stream.set_zero_linger();
    } else {
        let _ = stream.shutdown().await;
    }
    drop(stream);
    traffic.closed(connection, by);
}

/// One request and its answer, while the other direction is watched for the client's leaving.
async fn exchange<S: Service>(
    reader: &mut ReadHalf<'_>,
    writer: &mut WriteHalf<'_>,
    carry: &mut Vec<u8>,
    connection: u64,
    request: &Request,
    service: &S,
) -> (u64, Ended, After) {
    let (number, course) = service.begin(connection, request);
    let outcome = tokio::select! {
        biased;
        outcome = respond(writer, number, request, &course, service) => outcome,
        () = client_leaves(reader, carry) => return (number, Ended::ClosedByClient, After::Close),
    };
    match outcome {
        Ok((complete, after)) => (number, complete, after),
        Err(_) => (number, Ended::ClosedByClient, After::Close),
    }
}

async fn respond<S: Service>(
    writer: &mut WriteHalf<'_>,
    number: u64,
    request: &Request,
    course: &Course,
    service: &S,
) -> std::io::Result<(Ended, After)> {
    course.wait().await;
    if course.hangs_up() {
        return Ok((Ended::CutByScript, After::Close));
    }
    let request = course.understood(request);
    let mut answer = course
        .replacement(&request)
        .unwrap_or_else(|| service.answer(&request));
    let mut delivery = Delivery::default();
    course.alter(&mut answer, &mut delivery);
    let keep_alive = request.keep_alive && !answer.close_delimited;
    let length = answer.body.length() + delivery.surplus_bytes;
    let traffic = service.traffic();
    writer
        .write_all(answer.head(length, keep_alive).as_bytes())
        .await?;
    traffic.answered(number, answer.status);
    if request.is_head() || answer.is_bodyless() {
        return Ok((
            Ended::Complete,
            if keep_alive {
                After::KeepOpen
            } else {
                After::Close
            },
        ));
    }
    let sent = |bytes| traffic.sent(number, bytes);
    match delivery::send(writer, &answer.body, &delivery, sent).await? {
        After::KeepOpen if keep_alive => Ok((Ended::Complete, After::KeepOpen)),
        After::KeepOpen => Ok((Ended::Complete, After::Close)),
        cut => Ok((Ended::CutByScript, cut)),
    }
}

/// Returns when the client has closed or broken the connection; what else it sends is kept.
async fn client_leaves(reader: &mut ReadHalf<'_>, carry: &mut Vec<u8>) {
    loop {
        match reader.read_buf(carry).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
