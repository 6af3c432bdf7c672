//! What was found so far: told line by line as it comes, and summed up at the end.

use hive_api::{DoctorSummary, Finding, FindingLevel, MeasuredRates};

use crate::{
    exit_code,
    failure::Failure,
    ui::{Printer, screens::capitalised},
};

/// The findings of one look at a hive.
pub(super) struct Sheet<'a> {
    printer: &'a Printer,
    findings: Vec<Finding>,
    /// The exit code of each failure.
    exits: Vec<u8>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        Self {
            printer,
            findings: Vec::new(),
            exits: Vec::new(),
        }
    }

    /// Tells a finding; one that failed ends the command with 1.
    pub(super) fn tell(&mut self, finding: Finding) {
        self.tell_with(finding, exit_code::FAILED);
    }

    /// Tells what keeps keeper from the hive; the command ends with its code.
    pub(super) fn failed(&mut self, check: &str, failure: &Failure) {
        let problem = &failure.problem;
        let mut found = problem.detail.clone();
        for why in problem.reason.iter().chain(&failure.lines) {
            found.push_str("; ");
            found.push_str(why);
        }
        let next = problem.hint.as_deref().unwrap_or(
            "look at the log of the hive: journalctl -u hive, or hive.log in its state folder",
        );
        self.tell_with(Finding::fail(check, found, next), failure.exit);
    }

    /// Says on stderr what the next lines wait for.
    pub(super) fn meanwhile(&self, line: &str) {
        self.printer.story(line);
    }

    /// The last line, and the exit code: of several failures the worst.
    pub(super) fn finish(self, rates: MeasuredRates) -> u8 {
        let summary = DoctorSummary::of(&self.findings, rates);
        if self.printer.settings().is_json() {
            self.printer
                .json(&serde_json::json!({ "summary": summary }));
        } else {
            self.printer.data(&capitalised(&summary.to_string()));
        }
        exit_code::worst(self.exits)
    }

    pub(super) fn tell_with(&mut self, finding: Finding, exit: u8) {
        let finding = finding.bounded();
        if self.printer.settings().is_json() {
            self.printer.json(&finding);
        } else {
            for line in finding.lines() {
                self.printer.data(&line);
            }
        }
        if finding.is(FindingLevel::Fail) {
            self.exits.push(exit);
        }
        self.findings.push(finding);
    }
}
