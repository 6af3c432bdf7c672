//! How an answer's body goes out: as it is, or as a fault says.

use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Body;

const CHUNK_BYTES: u64 = 64 * 1024;

/// What is done to a body on its way. The default sends it as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) bytes_per_second: Option<u64>,
    /// After so many body bytes something happens.
    pub(crate) ending: Option<(u64, Ending)>,
    /// The offset in the file of a byte that is sent inverted.
    pub(crate) wrong_byte: Option<u64>,
    /// So many bytes follow that do not belong to the file.
    pub(crate) surplus_bytes: u64,
}

/// What happens in the middle of a body.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The connection is closed in good order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more is sent, on an open connection, until this is cancelled.
    Stall(CancellationToken),
}

/// What is to be done with the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    KeepOpen,
    Close,
    Reset,
}

/// Sends the body; `sent` hears of every piece that the system took. An error means that the client is gone.
pub(super) async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    body: &Body,
    delivery: &Delivery,
    mut sent: impl FnMut(u64),
) -> std::io::Result<After> {
    let pace = Pace::new(delivery.bytes_per_second);
    let total = body.length() + delivery.surplus_bytes;
    let mut ending = delivery.ending.clone();
    let mut done = 0;
    loop {
        if let Some((at, _)) = &ending
            && *at <= done
        {
            match ending.take() {
                Some((_, Ending::Close)) => return Ok(After::Close),
                Some((_, Ending::Reset)) => return Ok(After::Reset),
                Some((_, Ending::Stall(released))) => released.cancelled().await,
                None => {}
            }
        }
        if done >= total {
            writer.flush().await?;
            return Ok(After::KeepOpen);
        }
        let mut end = total.min(done + pace.chunk_bytes());
        if let Some((at, _)) = &ending {
            end = end.min(*at);
        }
        pace.wait(end).await;
        let piece = piece(body, delivery, done, end);
        writer.write_all(&piece).await?;
        sent(end - done);
        done = end;
    }
}

/// The bytes from `start` to `end` of what is sent, both counted from the body's beginning.
fn piece(body: &Body, delivery: &Delivery, start: u64, end: u64) -> Vec<u8> {
    let first = body.range.start + start;
    let mut piece = body
        .content
        .read(first..(body.range.start + end).min(body.range.end));
    if let Some(wrong) = delivery.wrong_byte.and_then(|at| at.checked_sub(first))
        && let Some(byte) = usize::try_from(wrong).ok().and_then(|at| piece.get_mut(at))
    {
        *byte = !*byte;
    }
    piece.resize(usize::try_from(end - start).unwrap_or_default(), b'!');
    piece
}

/// A steady rate: small pieces, none complete before its time.
struct Pace {
    bytes_per_second: Option<u64>,
    started: Instant,
}

impl Pace {
    fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second,
            started: Instant::now(),
        }
    }

    /// At least twenty pieces a second, or single bytes.
    fn chunk_bytes(&self) -> u64 {
        self.bytes_per_second
            .map_or(CHUNK_BYTES, |rate| (rate / 20).clamp(1, CHUNK_BYTES))
    }

    async fn wait(&self, done: u64) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let due = u128::from(done) * 1_000_000 / u128::from(rate.max(1));
        let due = Duration::from_micros(u64::try_from(due).unwrap_or(u64::MAX));
        sleep_until(self.started + due).await;
    }
}
