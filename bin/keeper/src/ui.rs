//! Everything a person or a program reads: stdout is data, stderr is the story.

pub(crate) mod canvas;
mod clean;
pub(crate) mod format;
mod outlet;
mod printer;
pub(crate) mod screens;
pub(crate) mod table;

pub(crate) use clean::clean;
pub(crate) use outlet::Outlet;
#[cfg(test)]
pub(crate) use printer::tests::{self, captured};
pub(crate) use printer::{Audience, Figures, OfHive, Printer, PrinterSettings, Tone};
