//! A fault of the matrix with its figures: which requests meet it, and for how long.

use std::fmt;

use fake_hub::{FakeHub, Fault, Requests, Route, Script};

use crate::dice::Dice;
use crate::matrix::{Bodies, MATRIX, Place, Row, Shape, Verdict};
use crate::model::Models;

/// No answer about a commit is shorter than this.
const METADATA_BYTES: u64 = 200;

/// A scripted fault.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) row: &'static Row,
    pub(crate) place: Place,
    pub(crate) verdict: Verdict,
    faults: Vec<Fault>,
    /// The only file that meets it.
    file: Option<String>,
    span: Span,
}

/// Which of the requests meet a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    First(u64),
    Nth(u64),
    ForEver,
}

impl Trouble {
    pub(super) fn draw(dice: &mut Dice, models: &Models) -> Self {
        let row = dice.pick(MATRIX);
        let (place, verdict) = *dice.pick(row.places);
        let span = match dice.between(0..=9) {
            0..=1 if row.shape.can_last() => Span::ForEver,
            2..=4 => Span::Nth(dice.between(1..=5)),
            _ => Span::First(dice.between(1..=4)),
        };
        let is_lasting = span == Span::ForEver;
        let is_of_files = !matches!(place, Place::Info | Place::Tree);
        let bodies = Bodies {
            size_bytes: if is_of_files {
                models.largest_bytes()
            } else {
                METADATA_BYTES
            },
            are_resumed: is_of_files,
            is_lasting,
        };
        let faults = row.shape.draw(dice, bodies);
        let file = if row.shape.is_of_large_files() {
            Some(dice.pick(&models.large_paths()).clone())
        } else if is_of_files && dice.one_in(2) {
            Some(dice.pick(&models.paths()).clone())
        } else {
            None
        };
        Self {
            row,
            place,
            verdict,
            faults,
            file,
            span,
        }
    }

    /// How many requests can meet it.
    pub(crate) const fn requests(&self) -> u64 {
        match self.span {
            Span::First(count) => count,
            Span::Nth(_) => 1,
            Span::ForEver => u64::MAX,
        }
    }

    pub(crate) const fn is_lasting(&self) -> bool {
        matches!(self.span, Span::ForEver)
    }

    /// Whether no download can get around it: it meets every question for the commit.
    pub(crate) const fn is_certain(&self) -> bool {
        self.is_lasting()
            && matches!(self.place, Place::Info)
            && !matches!(self.verdict, Verdict::Harmless)
    }

    /// Whether bytes come that are not the file's.
    pub(crate) const fn is_untruthful(&self) -> bool {
        matches!(self.verdict, Verdict::FetchedAgain(_))
            || matches!(self.row.shape, Shape::LongBody)
    }

    /// Whether a file is told under another's name: without a listing its partial then has that name.
    pub(crate) const fn is_misnaming(&self) -> bool {
        matches!(self.row.shape, Shape::OtherHash)
    }

    /// Puts it into the Hub's script. The faults of one trouble meet the same requests.
    pub(crate) fn script(&self, hub: &FakeHub) -> Vec<Script> {
        let requests = self.requests_met();
        let faults = self.faults.iter().cloned();
        faults
            .map(|fault| hub.on(requests.clone()).answer(fault))
            .collect()
    }

    fn requests_met(&self) -> Requests {
        let requests = match self.place {
            Place::Info => Requests::to(Route::Info),
            Place::Tree => Requests::to(Route::Tree),
            Place::Resolve => Requests::to(Route::Resolve).method("GET"),
            Place::Cdn => Requests::cdn(),
            Place::Cache => Requests::to(Route::ResolveCache).method("GET"),
        };
        let requests = match &self.file {
            Some(path) => requests.file(path),
            None => requests,
        };
        match self.span {
            Span::First(count) => requests.first(count),
            Span::Nth(number) => requests.nth(number),
            Span::ForEver => requests,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { number, name, .. } = self.row;
        let (place, span, faults) = (self.place, self.span, &self.faults);
        write!(formatter, "{number} {name} at {place:?} {span:?}")?;
        if let Some(file) = &self.file {
            write!(formatter, " of `{file}`")?;
        }
        write!(formatter, " {faults:?}")
    }
}
