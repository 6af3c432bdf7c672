//! Which bytes of a file are here, which are on their way, and which to ask for next. Knows no clock and no network.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::segments::Segments;

/// What is received and what is assigned to a connection. No byte is ever assigned to two of them.
#[derive(Debug)]
pub(crate) struct SegmentMap {
    size_bytes: u64,
    received: Segments,
    in_flight: BTreeMap<RangeId, Range<u64>>,
    next_id: u64,
}

/// Names a range that is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RangeId(u64);

/// Which ranges may be assigned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Nothing at or after this offset: bytes too far ahead of the hash are not at hand any more when it comes there.
    pub(crate) reach: u64,
    /// No range is longer than this.
    pub(crate) longest: u64,
    /// No range is divided into parts shorter than this.
    pub(crate) shortest: u64,
}

/// What can be assigned: bytes that nobody fetches, or the later part of what another range has yet to fetch.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    range: Range<u64>,
    from: Option<RangeId>,
}

impl SegmentMap {
    pub(crate) const fn new(size_bytes: u64, received: Segments) -> Self {
        Self {
            size_bytes,
            received,
            in_flight: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// Whether every byte is here and no range has anything more to do.
    pub(crate) fn is_complete(&self) -> bool {
        self.in_flight.is_empty() && self.received.front() >= self.size_bytes
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received.bytes()
    }

    /// Whether [`Self::assign`] has something to give.
    pub(crate) fn can_assign(&self, rules: Rules) -> bool {
        self.choose(rules).is_some()
    }

    /// Assigns the bytes nearest to the front that nobody fetches; where there are none within reach, a part of the
    /// range that has the most left, which then ends earlier.
    pub(crate) fn assign(&mut self, rules: Rules) -> Option<(RangeId, Range<u64>)> {
        let Choice { range, from } = self.choose(rules)?;
        if let Some(shortened) = from.and_then(|id| self.in_flight.get_mut(&id)) {
            shortened.end = range.start;
        }
        let id = RangeId(self.next_id);
        self.next_id += 1;
        self.in_flight.insert(id, range.clone());
        Some((id, range))
    }

    /// What a range has yet to receive; empty for one that is not in flight.
    pub(crate) fn left(&self, id: RangeId) -> Range<u64> {
        self.in_flight.get(&id).cloned().unwrap_or(0..0)
    }

    /// The next `length` bytes of a range came.
    pub(crate) fn advance(&mut self, id: RangeId, length: u64) {
        if let Some(left) = self.in_flight.get_mut(&id) {
            let start = left.start;
            left.start = left.end.min(start + length);
            self.received.insert(start..left.start);
        }
    }

    /// The last `length` bytes that a range received are lost: they can be assigned again when it has ended.
    pub(crate) fn give_back(&mut self, id: RangeId, length: u64) {
        if let Some(left) = self.in_flight.get_mut(&id) {
            let lost = left.start.saturating_sub(length)..left.start;
            self.received.remove(&lost);
        }
    }

    /// Ends a range; what it has not received can be assigned again.
    pub(crate) fn end(&mut self, id: RangeId) {
        self.in_flight.remove(&id);
    }

    /// How many ranges are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Ends every range and forgets what is not contiguous, for one that can only be received from front to back.
    pub(crate) fn keep_front_alone(&mut self) {
        self.in_flight.clear();
        let front = self.received.front();
        self.received = Segments::default();
        self.received.insert(0..front);
    }

    /// Lets no range go on for more than `longest` bytes from where it is.
    pub(crate) fn shorten(&mut self, longest: u64) {
        for left in self.in_flight.values_mut() {
            left.end = left.end.min(left.start.saturating_add(longest));
        }
    }

    /// Lets only the `most` ranges nearest to the front go on; what the others have yet to receive can be assigned
    /// again.
    pub(crate) fn keep_first(&mut self, most: usize) {
        if self.in_flight.len() <= most {
            return;
        }
        let mut by_offset: Vec<_> = self.in_flight.values_mut().collect();
        by_offset.sort_unstable_by_key(|left| left.start);
        for left in by_offset.into_iter().skip(most) {
            left.end = left.start;
        }
    }

    fn choose(&self, rules: Rules) -> Option<Choice> {
        // What nobody fetches while nothing is in flight is wanted wherever it is.
        let reach = if self.in_flight.is_empty() {
            self.size_bytes
        } else {
            rules.reach
        };
        let gap = self.first_gap().filter(|gap| gap.start < reach);
        if let Some(gap) = gap {
            let end = gap.end.min(gap.start.saturating_add(rules.longest));
            let range = gap.start..end;
            return Some(Choice { range, from: None });
        }
        let (id, left) = self
            .in_flight
            .iter()
            .max_by_key(|(_, left)| left.end - left.start)?;
        let left_bytes = left.end - left.start;
        if left_bytes < rules.shortest.saturating_mul(2) {
            return None;
        }
        let start = left.start + (left_bytes / 2).min(rules.longest).max(rules.shortest);
        let end = left.end.min(start.saturating_add(rules.longest));
        Some(Choice {
            range: start..end,
            from: Some(*id),
        })
    }

    /// The first bytes that are neither here nor on their way.
    fn first_gap(&self) -> Option<Range<u64>> {
        let mut taken: Vec<_> = self.in_flight.values().collect();
        taken.sort_unstable_by_key(|left| left.start);
        let mut start = self.received.front();
        loop {
            let before = start;
            start = self.received.run_from(start);
            for left in &taken {
                if left.contains(&start) {
                    start = left.end;
                }
            }
            if start == before {
                break;
            }
        }
        if start >= self.size_bytes {
            return None;
        }
        let next_taken = taken
            .iter()
            .filter(|left| !left.is_empty())
            .map(|left| left.start)
            .find(|next| *next > start);
        let next_received = self.received.next_start(start);
        let end = [next_taken, next_received].into_iter().flatten().min();
        Some(start..end.unwrap_or(self.size_bytes))
    }
}

#[cfg(test)]
mod tests;
