//! What the script says about one request, from its arrival to the last byte of its answer.

use tokio_util::sync::CancellationToken;

use super::Fault;
use crate::content::Content;
use crate::wire::{Answer, Body, Delivery, Ending, Request};

/// The faults that one request has met.
#[derive(Clone, Debug)]
pub(crate) struct Course(Vec<(Fault, CancellationToken)>);

impl Course {
    pub(super) fn new(faults: Vec<(Fault, CancellationToken)>) -> Self {
        Self(faults)
    }

    /// Delays and holds, before anything is answered.
    pub(crate) async fn wait(&self) {
        for (fault, released) in &self.0 {
            match fault {
                Fault::Delay(delay) => tokio::time::sleep(*delay).await,
                Fault::Hold => released.cancelled().await,
                _ => {}
            }
        }
    }

    /// Whether the connection is closed in the place of an answer.
    pub(crate) fn hangs_up(&self) -> bool {
        self.0
            .iter()
            .any(|(fault, _)| matches!(fault, Fault::HangUp))
    }

    /// The request as the server takes it.
    pub(crate) fn understood(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if self
            .0
            .iter()
            .any(|(fault, _)| matches!(fault, Fault::IgnoreRange))
        {
            request.headers.retain(|(name, _)| name != "range");
        }
        request
    }

    /// The first scripted answer that takes the place of the right one.
    pub(crate) fn replacement(&self, request: &Request) -> Option<Answer> {
        let ranged = request.header("range").is_some();
        self.0
            .iter()
            .find_map(|(fault, _)| fault.replacement(ranged))
    }

    /// Changes the answer and the way in which its body goes out.
    pub(crate) fn alter(&self, answer: &mut Answer, delivery: &mut Delivery) {
        for (fault, released) in &self.0 {
            match fault {
                Fault::CutAfter(bytes) => delivery.ending = Some((*bytes, Ending::Close)),
                Fault::ResetAfter(bytes) => delivery.ending = Some((*bytes, Ending::Reset)),
                Fault::StallAfter(bytes) => {
                    delivery.ending = Some((*bytes, Ending::Stall(released.clone())));
                }
                Fault::Drip { bytes_per_second } => {
                    delivery.bytes_per_second = Some(*bytes_per_second);
                }
                Fault::WrongByteAt(offset) => delivery.wrong_byte = Some(*offset),
                Fault::LongBody { surplus_bytes } => delivery.surplus_bytes = *surplus_bytes,
                Fault::ShortBody { missing_bytes } => {
                    let range = &mut answer.body.range;
                    range.end = range.end.saturating_sub(*missing_bytes).max(range.start);
                }
                Fault::CloseDelimited => answer.close_delimited = true,
                Fault::Gzip => gzip(answer),
                Fault::SetHeader(name, value) => answer.set(name, Some(value.clone())),
                Fault::RemoveHeader(name) => answer.set(name, None),
                Fault::Hold
                | Fault::Delay(_)
                | Fault::HangUp
                | Fault::Status(_)
                | Fault::TooManyRequests { .. }
                | Fault::SignedUrlExpired
                | Fault::Respond(_)
                | Fault::IgnoreRange
                | Fault::RefuseWhole => {}
            }
        }
    }
}

/// Real gzip in stored blocks (RFC 1951, section 3.2.4; RFC 1952), so that it can be read and never shrinks.
fn gzip(answer: &mut Answer) {
    let plain = answer.body.content.read(answer.body.range.clone());
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks = plain.len().div_ceil(usize::from(u16::MAX)).max(1);
    for index in 0..blocks {
        let start = index * usize::from(u16::MAX);
        let block = &plain[start..plain.len().min(start + usize::from(u16::MAX))];
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(index + 1 == blocks));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32(&plain).to_le_bytes());
    out.extend(
        u32::try_from(plain.len() & 0xffff_ffff)
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    answer.body = Body::whole(Content::from(out));
    answer.set("Content-Encoding", Some("gzip".to_owned()));
}

/// The checksum of RFC 1952, section 8, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_rfc() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
