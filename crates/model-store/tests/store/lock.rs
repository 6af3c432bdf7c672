//! Two who want the same blob take turns.

use std::time::Duration;

use tokio::time::timeout;

use crate::fixture::{Fixture, blob};

#[test]
fn a_lock_is_held_by_one_and_its_file_stays() {
    let fixture = Fixture::new();
    let held = fixture.repo.try_lock_blob(&blob('a')).unwrap();
    assert!(held.is_some());
    assert!(fixture.repo.try_lock_blob(&blob('a')).unwrap().is_none());
    assert!(fixture.repo.try_lock_blob(&blob('b')).unwrap().is_some());

    drop(held);

    assert!(fixture.repo.try_lock_blob(&blob('a')).unwrap().is_some());
    let name = format!(".locks/models--org--name/{}.lock", blob('a'));
    assert!(fixture.store.root().join(name).is_file());
}

#[tokio::test]
async fn who_waits_for_a_lock_gets_it_when_it_is_free_and_can_stop_waiting() {
    let fixture = Fixture::new();
    let blob = blob('a');
    let held = fixture.repo.try_lock_blob(&blob).unwrap();
    let soon = Duration::from_millis(20);
    assert!(timeout(soon, fixture.repo.lock_blob(&blob)).await.is_err());

    drop(held);

    let deadline = Duration::from_secs(30);
    let lock = timeout(deadline, fixture.repo.lock_blob(&blob)).await;
    lock.unwrap().unwrap();
}
