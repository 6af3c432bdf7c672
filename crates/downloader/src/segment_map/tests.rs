//! The map under any order of events, and the shape of what it assigns.

use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules {
    reach: u64::MAX,
    longest: 100,
    shortest: 10,
};

fn empty(size_bytes: u64) -> SegmentMap {
    SegmentMap::new(size_bytes, Segments::default())
}

#[test]
fn ranges_are_assigned_from_the_front_on() {
    let mut map = empty(250);
    let ranges: Vec<_> = (0..3).map(|_| map.assign(RULES).unwrap().1).collect();
    assert_eq!(ranges, [0..100, 100..200, 200..250]);
}

#[test]
fn what_was_received_before_is_not_assigned_again() {
    let mut received = Segments::default();
    received.insert(0..30);
    received.insert(60..80);
    let mut map = SegmentMap::new(120, received);
    assert_eq!(map.assign(RULES).unwrap().1, 30..60);
    assert_eq!(map.assign(RULES).unwrap().1, 80..120);
}

#[test]
fn a_range_that_ends_early_leaves_its_rest_to_the_next() {
    let mut map = empty(100);
    let (id, _) = map.assign(RULES).unwrap();
    map.advance(id, 40);
    map.end(id);
    assert_eq!(map.assign(RULES).unwrap().1, 40..100);
}

#[test]
fn where_nothing_is_left_the_longest_range_is_divided() {
    let mut map = empty(100);
    let (first, _) = map.assign(RULES).unwrap();
    map.advance(first, 20);
    let (second, range) = map.assign(RULES).unwrap();
    assert_eq!(range, 60..100);
    assert_eq!(map.left(first), 20..60);
    assert_eq!(map.left(second), 60..100);
}

#[test]
fn a_range_that_is_long_is_divided_near_its_front() {
    let alone = Rules {
        longest: u64::MAX,
        ..RULES
    };
    let mut map = empty(10_000);
    let (first, range) = map.assign(alone).unwrap();
    assert_eq!(range, 0..10_000);
    assert_eq!(map.assign(RULES).unwrap().1, 100..200);
    assert_eq!(map.left(first), 0..100);
    assert_eq!(map.assign(RULES).unwrap().1, 200..300);
}

#[test]
fn a_rest_that_is_too_short_is_not_divided() {
    let mut map = empty(19);
    assert!(map.assign(RULES).is_some());
    assert!(map.assign(RULES).is_none());
}

#[test]
fn nothing_is_assigned_beyond_the_reach_but_a_slow_range_is_helped() {
    let mut map = empty(1000);
    let rules = Rules {
        reach: 100,
        ..RULES
    };
    assert_eq!(map.assign(rules).unwrap().1, 0..100);
    assert_eq!(map.assign(rules).unwrap().1, 50..100);
}

#[test]
fn with_nothing_in_flight_there_is_always_a_range() {
    let mut map = empty(1000);
    let rules = Rules { reach: 0, ..RULES };
    assert_eq!(map.assign(rules).unwrap().1, 0..100);
}

#[test]
fn a_source_without_ranges_is_left_with_one_gap() {
    let mut received = Segments::default();
    received.insert(0..30);
    received.insert(60..80);
    let mut map = SegmentMap::new(120, received);
    map.assign(RULES);
    map.keep_front_alone();
    assert_eq!((map.in_flight(), map.received_bytes()), (0, 30));
    let whole = Rules {
        longest: u64::MAX,
        ..RULES
    };
    assert_eq!(map.assign(whole).unwrap().1, 30..120);
}

proptest! {
    #[test]
    fn whatever_happens_every_byte_comes_once_and_nothing_is_forgotten(
        size in 1_u64..2000,
        events in prop::collection::vec((0_u8..5, 0_usize..8, 1_u64..200), 0..300),
    ) {
        let mut map = empty(size);
        let mut flying: Vec<RangeId> = Vec::new();
        let mut times = vec![0_u8; usize::try_from(size).unwrap()];
        let mut come = |map: &mut SegmentMap, id: RangeId, length: u64| {
            let left = map.left(id);
            let end = left.end.min(left.start + length);
            map.advance(id, length);
            for offset in left.start..end {
                times[usize::try_from(offset).unwrap()] += 1;
            }
        };
        for (event, which, amount) in events {
            let id = flying.get(which % flying.len().max(1)).copied();
            match (event, id) {
                (0, _) | (_, None) => {
                    let rules = Rules { reach: amount * 10, longest: amount, shortest: 1 + amount / 8 };
                    prop_assert_eq!(map.can_assign(rules), map.choose(rules).is_some());
                    flying.extend(map.assign(rules).map(|(id, _)| id));
                }
                (1 | 2, Some(id)) => come(&mut map, id, amount),
                (3, Some(id)) => {
                    map.end(id);
                    flying.retain(|other| *other != id);
                }
                (_, Some(_)) => map.shorten(amount),
            }
            let mut ranges: Vec<_> = flying.iter().map(|id| map.left(*id)).collect();
            ranges.retain(|range| !range.is_empty());
            ranges.sort_unstable_by_key(|range| range.start);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:?}");
        }
        for id in flying {
            map.end(id);
        }
        while let Some((id, _)) = map.assign(RULES) {
            come(&mut map, id, u64::MAX / 2);
            map.end(id);
        }
        prop_assert!(map.is_complete());
        prop_assert_eq!(map.received_bytes(), size);
        prop_assert!(times.iter().all(|times| *times == 1));
    }
}

#[test]
fn of_too_many_ranges_those_nearest_to_the_front_go_on_and_no_byte_is_lost() {
    let mut map = SegmentMap::new(400, Segments::default());
    let rules = Rules {
        reach: u64::MAX,
        longest: 100,
        shortest: 10,
    };
    let ids: Vec<_> = (0..4).map(|_| map.assign(rules).unwrap().0).collect();
    map.advance(ids[2], 30);
    map.keep_first(2);
    let left: Vec<_> = ids.iter().map(|id| map.left(*id)).collect();
    assert_eq!(left, [0..100, 100..200, 230..230, 300..300]);
    map.end(ids[2]);
    map.end(ids[3]);
    assert_eq!(map.assign(rules).unwrap().1, 230..330);
}
