//! What a fault of the matrix is to the fake Hub, with its figures drawn.

use std::time::Duration;

use fake_hub::{Fault, Reply};

use crate::dice::Dice;

const KIB: u64 = 1024;

/// One thing that goes wrong, its figures still open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Stall,
    Hold,
    Delay,
    Trickle,
    Drip,
    Reset,
    HangUp,
    Cut,
    NoLength,
    NoLengthCut,
    ShortBody,
    SmallLength,
    LargeLength,
    LongBody,
    /// One of these statuses.
    Status(&'static [u16]),
    RateLimited,
    Expired,
    RedirectLoop,
    RedirectToFile,
    OtherHash,
    OtherCommit,
    NoHash,
    OtherEntity,
    WrongByte,
    IgnoreRange,
    RefuseWhole,
    OtherRange,
    NoRange,
    Gzip,
    DeadAddress,
    UnknownName,
}

/// The question for a listing once more, which is what its address would have been; elsewhere it is one address more.
const ITSELF: &str = "?recursive=true&expand=false";

/// Nothing listens there: it is reserved, and only root could.
const DEAD_ADDRESS: &str = "http://127.0.0.1:1/nobody";

impl Shape {
    /// Whether it can go on for ever without a download that crawls on for ever: what brings a few bytes with each
    /// try does not end.
    pub(crate) const fn can_last(self) -> bool {
        !matches!(self, Self::Trickle | Self::SmallLength)
    }

    /// Whether it befalls the redirect of a large file alone.
    pub(crate) const fn is_of_large_files(self) -> bool {
        matches!(self, Self::DeadAddress | Self::UnknownName)
    }

    /// The faults, with figures for `bodies`.
    pub(crate) fn draw(self, dice: &mut Dice, bodies: Bodies) -> Vec<Fault> {
        let header = |name, value: String| vec![Fault::SetHeader(name, value)];
        match self {
            Self::Stall => vec![Fault::StallAfter(bodies.somewhere(dice, 512 * KIB))],
            Self::Hold => vec![Fault::Hold],
            Self::Delay => vec![Fault::Delay(Duration::from_millis(dice.between(1..=40)))],
            Self::Trickle => vec![Fault::Drip {
                bytes_per_second: dice.between(100..=800),
            }],
            Self::Drip => vec![Fault::Drip {
                bytes_per_second: dice.between(2_000_000..=20_000_000),
            }],
            Self::Reset => vec![Fault::ResetAfter(bodies.somewhere(dice, 64 * KIB))],
            Self::HangUp => vec![Fault::HangUp],
            Self::Cut => vec![Fault::CutAfter(bodies.somewhere(dice, 64 * KIB))],
            Self::NoLength => vec![Fault::CloseDelimited],
            Self::NoLengthCut => {
                let at = bodies.somewhere(dice, 64 * KIB);
                vec![Fault::CloseDelimited, Fault::CutAfter(at)]
            }
            Self::ShortBody => vec![Fault::ShortBody {
                missing_bytes: dice.between(1..=100_000),
            }],
            Self::SmallLength => header("Content-Length", dice.between(0..=50_000).to_string()),
            Self::LargeLength => header("Content-Length", "99000000".to_owned()),
            Self::LongBody => vec![Fault::LongBody {
                surplus_bytes: dice.between(1..=100_000),
            }],
            Self::Status(statuses) => vec![Fault::Status(*dice.pick(statuses))],
            Self::RateLimited => vec![rate_limited(dice)],
            Self::Expired => vec![Fault::SignedUrlExpired],
            Self::RedirectLoop => {
                let reply = Reply::new(302).header("Location", ITSELF);
                vec![Fault::Respond(reply)]
            }
            Self::RedirectToFile => header("Location", "file:///etc/passwd".to_owned()),
            Self::OtherHash => header("X-Linked-Etag", format!("\"{:064x}\"", dice.roll())),
            Self::OtherCommit => header("X-Repo-Commit", format!("{:040x}", dice.roll())),
            Self::NoHash => vec![Fault::RemoveHeader("X-Linked-Etag")],
            Self::OtherEntity => header("ETag", format!("\"{:x}\"", dice.roll())),
            Self::WrongByte => vec![Fault::WrongByteAt(
                dice.between(0..=bodies.size_bytes.max(1) - 1),
            )],
            Self::IgnoreRange => vec![Fault::IgnoreRange],
            Self::RefuseWhole => vec![Fault::RefuseWhole],
            Self::OtherRange => header("Content-Range", "bytes 1-2/3".to_owned()),
            Self::NoRange => vec![Fault::RemoveHeader("Content-Range")],
            Self::Gzip => vec![Fault::Gzip],
            Self::DeadAddress => header("Location", DEAD_ADDRESS.to_owned()),
            // A label has at most 63 characters (RFC 1035, section 2.3.4), so that nobody is asked for this one.
            Self::UnknownName => header("Location", format!("http://{}.example/", "x".repeat(64))),
        }
    }
}

/// The bodies that a fault befalls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bodies {
    /// The size of the largest.
    pub(crate) size_bytes: u64,
    /// What came of one is kept, and the rest is asked for.
    pub(crate) are_resumed: bool,
    /// All of them from now on.
    pub(crate) is_lasting: bool,
}

impl Bodies {
    /// A byte of a body: the first ones often, since edges are where mistakes are. A fault that lasts comes before
    /// the first byte or after many, so that what comes with each try is nothing or much.
    fn somewhere(self, dice: &mut Dice, much: u64) -> u64 {
        if dice.one_in(3) {
            0
        } else if self.is_lasting && self.are_resumed {
            dice.between(much..=4 * much)
        } else {
            dice.between(0..=self.size_bytes) >> dice.between(0..=16)
        }
    }
}

fn rate_limited(dice: &mut Dice) -> Fault {
    let forms = [
        None,
        Some("0"),
        Some("1"),
        Some("Wed, 21 Oct 2015 07:28:00 GMT"),
    ];
    Fault::TooManyRequests {
        window_ends_in_seconds: dice.between(0..=2),
        retry_after: dice.pick(&forms).map(str::to_owned),
    }
}
