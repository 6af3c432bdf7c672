//! Who gets the next connection, and how many make jobs equal.

use futures_util::FutureExt;

use super::*;

fn take(member: &Member) -> Option<Permit> {
    member.acquire().now_or_never()
}

#[tokio::test]
async fn one_alone_gets_all_and_no_more() {
    let budget = ConnectionBudget::new(3);
    let member = budget.share().join();
    let permits: Vec<_> = std::iter::from_fn(|| take(&member)).collect();
    assert_eq!((permits.len(), budget.in_use()), (3, 3));
    drop(permits);
    assert_eq!(budget.in_use(), 0);
}

#[tokio::test]
async fn a_newcomer_gets_its_equal_share_as_connections_come_free() {
    let budget = ConnectionBudget::new(4);
    let (old, new) = (budget.share().join(), budget.share().join());
    let mut of_old: Vec<_> = std::iter::from_fn(|| take(&old)).collect();
    let mut of_new = Vec::new();
    for _ in 0..20 {
        // Both want as many as they can get, and the old one gives one back after each range.
        let mut for_new = pin!(new.acquire());
        let mut for_old = pin!(old.acquire());
        assert!(futures_util::poll!(for_new.as_mut()).is_pending());
        assert!(futures_util::poll!(for_old.as_mut()).is_pending());
        drop(of_old.remove(0));
        tokio::select! {
            permit = for_new => of_new.push(permit),
            permit = for_old => of_old.push(permit),
        }
    }
    assert_eq!((of_old.len(), of_new.len()), (2, 2));
}

#[tokio::test]
async fn one_that_stops_waiting_is_in_nobodys_way() {
    let budget = ConnectionBudget::new(1);
    let (first, second, third) = (
        budget.share().join(),
        budget.share().join(),
        budget.share().join(),
    );
    let held = take(&first).unwrap();
    let mut for_third = pin!(third.acquire());
    {
        let mut for_second = pin!(second.acquire());
        assert!(futures_util::poll!(for_second.as_mut()).is_pending());
        assert!(futures_util::poll!(for_third.as_mut()).is_pending());
        assert!(first.is_contended());
    }
    drop(held);
    for_third.await;
    assert!(!first.is_contended());
}

#[tokio::test]
async fn a_job_with_many_downloads_gets_no_more_than_one_with_a_single_download() {
    let budget = ConnectionBudget::new(8);
    let many = budget.share();
    let of_many: Vec<_> = (0..16).map(|_| many.join()).collect();
    let single = budget.share().join();
    let mut held_by_many: Vec<_> = of_many[..8]
        .iter()
        .map(|member| take(member).unwrap())
        .collect();
    let mut held_by_single = Vec::new();
    for _ in 0..20 {
        let mut for_single = pin!(single.acquire());
        let mut for_many = pin!(of_many[8].acquire());
        assert!(futures_util::poll!(for_single.as_mut()).is_pending());
        assert!(futures_util::poll!(for_many.as_mut()).is_pending());
        drop(held_by_many.remove(0));
        tokio::select! {
            permit = for_single => held_by_single.push(permit),
            permit = for_many => held_by_many.push(permit),
        }
    }
    assert_eq!((held_by_many.len(), held_by_single.len()), (4, 4));
}

#[tokio::test]
async fn the_downloads_of_one_job_share_its_part_equally() {
    let share = ConnectionBudget::new(4).share();
    let (first, second) = (share.join(), share.join());
    let mut of_first: Vec<_> = std::iter::from_fn(|| take(&first)).collect();
    let mut for_second = pin!(second.acquire());
    let mut for_first = pin!(first.acquire());
    assert!(futures_util::poll!(for_first.as_mut()).is_pending());
    assert!(futures_util::poll!(for_second.as_mut()).is_pending());
    assert!(first.is_contended() && !second.is_contended());
    of_first.pop();
    assert!(for_second.now_or_never().is_some());
}

#[tokio::test]
async fn nobody_gives_way_to_one_that_would_then_have_more() {
    let budget = ConnectionBudget::new(5);
    let (one, other) = (budget.share().join(), budget.share().join());
    let _of_one: Vec<_> = (0..3).map(|_| take(&one).unwrap()).collect();
    let _of_other: Vec<_> = (0..2).map(|_| take(&other).unwrap()).collect();
    let mut for_one = pin!(one.acquire());
    let mut for_other = pin!(other.acquire());
    assert!(futures_util::poll!(for_one.as_mut()).is_pending());
    assert!(futures_util::poll!(for_other.as_mut()).is_pending());
    assert!(!one.is_contended() && !other.is_contended());
}

#[tokio::test]
async fn a_job_may_have_as_many_as_the_job_that_wishes_most() {
    let budget = ConnectionBudget::new(16);
    let single = budget.share().join();
    assert_eq!(single.wish(2), 0, "nobody else is there");
    let many = budget.share();
    let of_many: Vec<_> = (0..4).map(|_| many.join()).collect();
    for member in &of_many {
        assert_eq!(member.wish(1), 0, "two for four are none for each");
    }
    assert_eq!(single.wish(1), 4);
    drop(of_many);
    assert_eq!(single.wish(1), 0);
}
