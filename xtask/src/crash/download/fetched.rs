//! Which bytes of a file the CDN has handed over, and which of them it had handed over before.
//!
//! Handed over is what its system took for sending, so that bytes which a killed process never read count as received:
//! what this finds to be fetched again is never less than the truth.

use std::ops::Range;

use fake_hub::RequestRecord;

/// Stretches of one file, apart and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetched(Vec<Range<u64>>);

impl Fetched {
    /// What these requests brought of the file.
    pub(super) fn by(requests: &[RequestRecord], file: &str) -> Self {
        let of_file = requests
            .iter()
            .filter(|request| request.file.as_deref() == Some(file));
        let mut stretches: Vec<Range<u64>> = of_file
            .map(|request| {
                let start = start_of(request.header("range"));
                start..start + request.body_bytes_sent
            })
            .collect();
        stretches.sort_unstable_by_key(|stretch| stretch.start);
        let mut apart: Vec<Range<u64>> = Vec::new();
        for stretch in stretches {
            match apart.last_mut() {
                Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
                _ => apart.push(stretch),
            }
        }
        Self(apart)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0
            .iter()
            .map(|stretch| stretch.end - stretch.start)
            .sum()
    }

    /// The bytes that are in both.
    pub(super) fn bytes_shared_with(&self, other: &Self) -> u64 {
        let shared = |one: &Range<u64>| -> u64 {
            let overlap = |two: &Range<u64>| {
                one.end
                    .min(two.end)
                    .saturating_sub(one.start.max(two.start))
            };
            other.0.iter().map(overlap).sum()
        };
        self.0.iter().map(shared).sum()
    }
}

/// The first byte of `bytes=a-b`; zero without a range.
fn start_of(range: Option<&str>) -> u64 {
    let range = range.and_then(|range| range.strip_prefix("bytes="));
    let start = range.and_then(|range| range.split('-').next());
    start
        .and_then(|start| start.parse().ok())
        .unwrap_or_default()
}
