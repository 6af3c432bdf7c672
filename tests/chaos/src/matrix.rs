//! The fault matrix as code: what can go wrong where, and how a download may then end.
//!
//! The numbers are the matrix's own. Absent is what no Hub can bring about: D21 and D22 (the disk), D23 and D24 (the
//! process or the machine dies: `cargo xtask crash download`), D26 (the clock), D29 (TLS), D30 (a proxy), D31 (the hive's
//! start). D25 and D32 are no faults: they are the neighbours and the cancels of a plan.

mod rows;
mod shape;

use std::collections::BTreeSet;

use crate::code::Code;
use crate::plan::Trouble;

pub(crate) use rows::MATRIX;
pub(crate) use shape::{Bodies, Shape};

/// Tries without one new byte.
pub(crate) const TRIES: u32 = 8;
/// The same for answers that are refused as wrong.
pub(crate) const TRIES_REFUSED: u32 = 3;
/// Renewals of a signed address before the refusal is believed.
const RENEWALS: u64 = 3;

/// A row of the matrix: one fault, and what it means wherever it can happen.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number in the matrix.
    pub(crate) number: &'static str,
    /// What happens, in words.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) places: &'static [(Place, Verdict)],
}

/// Which questions and answers a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The question for the commit.
    Info,
    /// The listing. Without it a download goes on, and asks for each file by itself.
    Tree,
    /// The question where a file is.
    Resolve,
    /// The bytes of a large file, elsewhere.
    Cdn,
    /// The bytes of a small file, at the Hub.
    Cache,
}

/// How a download goes on after a fault, and with which code it ends where it does not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// It costs time, or a question more.
    Harmless,
    /// Tried again: [`TRIES`] failures without one new byte are the end.
    Passes(Code),
    /// Refused as wrong and asked for anew: [`TRIES_REFUSED`] failures without one new byte are the end.
    Refused(Code),
    /// Refused at most twice: then the file is taken as a whole.
    RefusedTwice(Code),
    /// The signed address is renewed; after [`RENEWALS`] times the refusal is believed.
    Renewed(Code),
    /// The network is waited for until there is no patience left.
    Awaited(Code),
    /// All that came is thrown away and fetched once more; the second time is the end.
    FetchedAgain(Code),
    /// Believed at once, with one of these codes.
    Final(&'static [Code]),
}

/// How a download under these troubles may end where it does not succeed. The count is one of the worst case: all
/// requests that meet a trouble might be of one file, and bring nothing between them.
pub(crate) fn allowed(troubles: &[Trouble]) -> BTreeSet<Code> {
    let (of_commit, of_files): (Vec<&Trouble>, Vec<&Trouble>) = troubles
        .iter()
        .partition(|trouble| trouble.place == Place::Info);
    let mut allowed = of_one_question(&of_commit);
    allowed.extend(of_one_question(&of_files));
    allowed
}

/// The codes of troubles whose failures are counted together.
fn of_one_question(troubles: &[&Trouble]) -> BTreeSet<Code> {
    let count = |counts: fn(&Verdict) -> Option<u64>| -> u64 {
        troubles
            .iter()
            .filter_map(|trouble| Some(trouble.requests().min(counts(&trouble.verdict)?)))
            .fold(0, u64::saturating_add)
    };
    let refused = count(|verdict| match verdict {
        Verdict::Refused(_) => Some(u64::MAX),
        Verdict::RefusedTwice(_) => Some(2),
        _ => None,
    });
    let passing = count(|verdict| matches!(verdict, Verdict::Passes(_)).then_some(u64::MAX));
    let renewed = count(|verdict| matches!(verdict, Verdict::Renewed(_)).then_some(u64::MAX));
    let wrong = count(|verdict| matches!(verdict, Verdict::FetchedAgain(_)).then_some(u64::MAX));
    let failures = passing.saturating_add(refused);
    let mut codes = BTreeSet::new();
    for trouble in troubles {
        let ends_with = match trouble.verdict {
            Verdict::Passes(code) => (failures >= u64::from(TRIES)).then_some(code),
            Verdict::Refused(code) | Verdict::RefusedTwice(code) => {
                (failures >= u64::from(TRIES_REFUSED)).then_some(code)
            }
            Verdict::Renewed(code) => (renewed > RENEWALS).then_some(code),
            Verdict::Awaited(code) => trouble.is_lasting().then_some(code),
            Verdict::FetchedAgain(code) => (wrong > 1).then_some(code),
            Verdict::Harmless | Verdict::Final(_) => None,
        };
        codes.extend(ends_with);
        if let Verdict::Final(believed) = trouble.verdict {
            codes.extend(believed);
        }
    }
    codes
}
