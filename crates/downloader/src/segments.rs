//! Which bytes of a file are here: sorted stretches that neither overlap nor touch.

use std::ops::Range;

/// A set of byte offsets as its maximal stretches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segments {
    stretches: Vec<Range<u64>>,
}

impl Segments {
    /// Takes stretches that are already sorted, not empty and apart; `None` if they are not.
    pub(crate) fn from_sorted(stretches: Vec<Range<u64>>) -> Option<Self> {
        let are_filled = stretches.iter().all(|stretch| stretch.start < stretch.end);
        let are_apart = stretches.windows(2).all(|pair| pair[0].end < pair[1].start);
        (are_filled && are_apart).then_some(Self { stretches })
    }

    pub(crate) fn insert(&mut self, added: Range<u64>) {
        if added.is_empty() {
            return;
        }
        let first = self
            .stretches
            .partition_point(|here| here.end < added.start);
        let after = self
            .stretches
            .partition_point(|here| here.start <= added.end);
        let merged = match self.stretches.get(first..after) {
            Some([only]) => only.start.min(added.start)..only.end.max(added.end),
            Some([low, .., high]) => low.start.min(added.start)..high.end.max(added.end),
            _ => added,
        };
        self.stretches.splice(first..after, [merged]);
    }

    pub(crate) fn remove(&mut self, removed: &Range<u64>) {
        if removed.is_empty() {
            return;
        }
        let before = |here: &Range<u64>| here.start..here.end.min(removed.start);
        let after = |here: &Range<u64>| here.start.max(removed.end)..here.end;
        self.stretches = self
            .stretches
            .iter()
            .flat_map(|here| [before(here), after(here)])
            .filter(|rest| !rest.is_empty())
            .collect();
    }

    /// How many bytes are here without a gap from the start of the file.
    pub(crate) fn front(&self) -> u64 {
        self.run_from(0)
    }

    /// The offset up to which everything from `offset` on is here; `offset` itself if its byte is not.
    pub(crate) fn run_from(&self, offset: u64) -> u64 {
        let at = self.stretches.partition_point(|here| here.end <= offset);
        match self.stretches.get(at) {
            Some(here) if here.start <= offset => here.end,
            _ => offset,
        }
    }

    /// The start of the first stretch at or after `offset`.
    pub(crate) fn next_start(&self, offset: u64) -> Option<u64> {
        let at = self.stretches.partition_point(|here| here.start < offset);
        self.stretches.get(at).map(|here| here.start)
    }

    /// How many bytes are here.
    pub(crate) fn bytes(&self) -> u64 {
        self.stretches
            .iter()
            .map(|here| here.end - here.start)
            .sum()
    }

    /// The offset after the last byte that is here.
    pub(crate) fn end(&self) -> u64 {
        self.stretches.last().map_or(0, |here| here.end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.stretches.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_say_the_same_as_a_list_of_single_bytes(
            changes in prop::collection::vec((0_u64..200, 0_u64..40, any::<bool>()), 0..40),
        ) {
            let mut segments = Segments::default();
            let mut bytes = [false; 300];
            for (start, length, is_added) in changes {
                let range = start..start + length;
                if is_added {
                    segments.insert(range.clone());
                } else {
                    segments.remove(&range);
                }
                for offset in range {
                    bytes[usize::try_from(offset).unwrap()] = is_added;
                }
            }
            let is_here = |offset: u64| bytes[usize::try_from(offset).unwrap()];
            let count = bytes.iter().filter(|here| **here).count() as u64;
            prop_assert_eq!(segments.bytes(), count);
            for offset in 0..299 {
                let run = (offset..300).find(|next| !is_here(*next)).unwrap();
                prop_assert_eq!(segments.run_from(offset), run);
            }
            prop_assert_eq!(segments.front(), segments.run_from(0));
            let sorted: Vec<_> = segments.iter().cloned().collect();
            prop_assert_eq!(Segments::from_sorted(sorted), Some(segments));
        }
    }

    #[test]
    fn stretches_that_overlap_touch_or_are_empty_are_refused() {
        for pairs in [
            &[(0, 5), (4, 9)][..],
            &[(0, 5), (5, 9)],
            &[(3, 3)],
            &[(5, 9), (0, 2)],
        ] {
            let stretches = pairs.iter().map(|(start, end)| *start..*end).collect();
            assert_eq!(Segments::from_sorted(stretches), None, "{pairs:?}");
        }
    }
}
