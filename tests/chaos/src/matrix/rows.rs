//! The rows themselves.

use super::Place::{Cache, Cdn, Info, Resolve, Tree};
use super::Verdict::{
    Awaited, FetchedAgain, Final, Harmless, Passes, Refused, RefusedTwice, Renewed,
};
use super::{Place, Row, Shape, Verdict};
use crate::code::Code::{
    BadUpstream, IntegrityMismatch, SizeMismatch, Stalled, TooManyRedirects, UpstreamAuth,
    UpstreamChanged, UpstreamConnect, UpstreamDns, UpstreamHttp, UpstreamNotFound,
    UpstreamRateLimited, UpstreamTimeout,
};

/// Every fault that a Hub and its CDN can bring about.
///
/// An answer about a commit that cannot be read is refused, whatever made it so.
pub(crate) const MATRIX: &[Row] = &[
    row(
        "D1",
        "stall in the body",
        Shape::Stall,
        &[
            (Info, Passes(UpstreamTimeout)),
            (Tree, Harmless),
            (Cdn, Passes(Stalled)),
            (Cache, Passes(Stalled)),
        ],
    ),
    row(
        "D2",
        "no headers",
        Shape::Hold,
        &[
            (Info, Passes(UpstreamTimeout)),
            (Tree, Harmless),
            (Resolve, Passes(UpstreamTimeout)),
            (Cdn, Passes(UpstreamTimeout)),
            (Cache, Passes(UpstreamTimeout)),
        ],
    ),
    row(
        "D2",
        "late headers",
        Shape::Delay,
        &[
            (Info, Harmless),
            (Tree, Harmless),
            (Resolve, Harmless),
            (Cdn, Harmless),
            (Cache, Harmless),
        ],
    ),
    row("D3", "trickle", Shape::Trickle, &[(Cdn, Passes(Stalled))]),
    row("D3", "slow and steady", Shape::Drip, &[(Cdn, Harmless)]),
    row(
        "D4",
        "reset in the body",
        Shape::Reset,
        &[
            (Info, Passes(UpstreamConnect)),
            (Tree, Harmless),
            (Cdn, Passes(UpstreamConnect)),
            (Cache, Passes(UpstreamConnect)),
        ],
    ),
    row(
        "D4",
        "closed without an answer",
        Shape::HangUp,
        &[
            (Info, Passes(UpstreamConnect)),
            (Tree, Harmless),
            (Resolve, Passes(UpstreamConnect)),
            (Cdn, Passes(UpstreamConnect)),
            (Cache, Passes(UpstreamConnect)),
        ],
    ),
    row(
        "D5",
        "body cut short",
        Shape::Cut,
        &[
            (Info, Passes(UpstreamConnect)),
            (Tree, Harmless),
            (Cdn, Passes(UpstreamConnect)),
            (Cache, Passes(UpstreamConnect)),
        ],
    ),
    row(
        "D6",
        "body without a length",
        Shape::NoLength,
        &[(Tree, Harmless), (Cdn, Harmless), (Cache, Harmless)],
    ),
    row(
        "D6",
        "body without a length, cut short",
        Shape::NoLengthCut,
        &[
            (Cdn, Passes(UpstreamConnect)),
            (Cache, Passes(UpstreamConnect)),
        ],
    ),
    row(
        "D7",
        "short body that looks whole",
        Shape::ShortBody,
        &[
            (Info, Refused(BadUpstream)),
            (Tree, Harmless),
            (Cdn, Passes(UpstreamConnect)),
            (Cache, Passes(UpstreamConnect)),
        ],
    ),
    row(
        "D7",
        "length too small",
        Shape::SmallLength,
        &[(Cdn, Passes(UpstreamConnect))],
    ),
    row(
        "D7",
        "length too large",
        Shape::LargeLength,
        // Where the body is short as well, the rest is waited for.
        &[(Cdn, Passes(Stalled))],
    ),
    row(
        "D8",
        "body too long",
        Shape::LongBody,
        &[
            (Info, Refused(BadUpstream)),
            (Tree, Harmless),
            // Where the body is short as well, its surplus stands where the file's own bytes should.
            (Cdn, Final(&[SizeMismatch, IntegrityMismatch])),
            (Cache, Final(&[SizeMismatch, IntegrityMismatch])),
        ],
    ),
    row(
        "D9",
        "server error",
        Shape::Status(&[500, 502, 503, 504, 520]),
        &[
            (Info, Passes(UpstreamHttp)),
            (Tree, Harmless),
            (Resolve, Passes(UpstreamHttp)),
            (Cdn, Passes(UpstreamHttp)),
            (Cache, Passes(UpstreamHttp)),
        ],
    ),
    row(
        "D9",
        "never implemented",
        Shape::Status(&[400, 418, 451, 501, 505]),
        &[
            (Info, Final(&[UpstreamHttp])),
            (Tree, Harmless),
            (Resolve, Final(&[UpstreamHttp])),
            (Cdn, Final(&[UpstreamHttp])),
            (Cache, Final(&[UpstreamHttp])),
        ],
    ),
    row(
        "D10",
        "rate limited",
        Shape::RateLimited,
        &[
            (Info, Passes(UpstreamRateLimited)),
            (Tree, Harmless),
            (Resolve, Passes(UpstreamRateLimited)),
            (Cdn, Passes(UpstreamRateLimited)),
            (Cache, Passes(UpstreamRateLimited)),
        ],
    ),
    row(
        "D11",
        "signed address expired",
        Shape::Expired,
        &[(Cdn, Renewed(UpstreamAuth))],
    ),
    row(
        "D11",
        "object moved",
        Shape::Status(&[401, 404, 410]),
        &[(Cdn, Renewed(UpstreamAuth))],
    ),
    row(
        "D12",
        "no access",
        Shape::Status(&[401, 403]),
        &[
            (Info, Final(&[UpstreamAuth])),
            (Tree, Final(&[UpstreamAuth])),
            (Resolve, Final(&[UpstreamAuth])),
            (Cache, Final(&[UpstreamAuth])),
        ],
    ),
    row(
        "D13",
        "gone",
        Shape::Status(&[404]),
        &[
            (Info, Final(&[UpstreamNotFound])),
            (Tree, Final(&[UpstreamNotFound])),
            // A file that was listed is gone when the Hub says so in so many words, which this answer does not.
            (Resolve, Refused(BadUpstream)),
            (Cache, Refused(BadUpstream)),
        ],
    ),
    row(
        "D14",
        "redirect to itself",
        Shape::RedirectLoop,
        &[
            // All its hops are within one limit.
            (Info, Final(&[TooManyRedirects, UpstreamTimeout])),
            (Tree, Harmless),
            // It is nothing but a redirect: where another fault leads it away from the Hub, the hash is missing.
            (Resolve, Final(&[TooManyRedirects, UpstreamChanged])),
            // Where only the first hop is wrong, the next one has no signature.
            (Cdn, Final(&[TooManyRedirects, UpstreamAuth])),
        ],
    ),
    row(
        "D14",
        "redirect to no web address",
        Shape::RedirectToFile,
        &[(Resolve, Final(&[TooManyRedirects]))],
    ),
    row(
        "D15",
        "another file's hash",
        Shape::OtherHash,
        &[
            // Without a listing it is taken for the file's own, and no bytes have it.
            (Resolve, Final(&[UpstreamChanged, IntegrityMismatch])),
        ],
    ),
    row(
        "D15",
        "another commit",
        Shape::OtherCommit,
        &[(Resolve, Final(&[UpstreamChanged]))],
    ),
    row(
        "D15",
        "no hash",
        Shape::NoHash,
        &[(Resolve, Final(&[UpstreamChanged, BadUpstream]))],
    ),
    row(
        "D15",
        "another entity",
        Shape::OtherEntity,
        &[(Cdn, Refused(BadUpstream))],
    ),
    row(
        "D15",
        "precondition failed",
        Shape::Status(&[412]),
        &[(Cdn, Refused(UpstreamHttp))],
    ),
    row(
        "D16",
        "wrong byte",
        Shape::WrongByte,
        &[
            (Tree, Harmless),
            (Cdn, FetchedAgain(IntegrityMismatch)),
            (Cache, FetchedAgain(IntegrityMismatch)),
        ],
    ),
    row(
        "D17",
        "range ignored",
        Shape::IgnoreRange,
        &[(Cdn, RefusedTwice(BadUpstream))],
    ),
    // Nobody asks for the whole; but one whose range is ignored as well seems to.
    row(
        "D17",
        "whole refused",
        Shape::RefuseWhole,
        &[(Cdn, Final(&[UpstreamHttp]))],
    ),
    row(
        "D18",
        "wrong range",
        Shape::OtherRange,
        &[(Cdn, Refused(BadUpstream))],
    ),
    row(
        "D18",
        "range not told",
        Shape::NoRange,
        &[(Cdn, Refused(BadUpstream))],
    ),
    row(
        "D19",
        "range not satisfiable",
        Shape::Status(&[416]),
        &[(Cdn, Refused(UpstreamHttp))],
    ),
    row(
        "D20",
        "compressed",
        Shape::Gzip,
        &[
            (Info, Refused(BadUpstream)),
            (Tree, Harmless),
            (Cdn, Refused(BadUpstream)),
            (Cache, Refused(BadUpstream)),
        ],
    ),
    row(
        "D27",
        "nobody at the address",
        Shape::DeadAddress,
        &[(Resolve, Awaited(UpstreamConnect))],
    ),
    row(
        "D28",
        "unknown name",
        Shape::UnknownName,
        &[(Resolve, Awaited(UpstreamDns))],
    ),
];

const fn row(
    number: &'static str,
    name: &'static str,
    shape: Shape,
    places: &'static [(Place, Verdict)],
) -> Row {
    Row {
        number,
        name,
        shape,
        places,
    }
}
