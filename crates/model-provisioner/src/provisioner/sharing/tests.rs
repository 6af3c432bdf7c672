//! Who waits, who stops, who hears of the end.

use tokio::sync::oneshot;

use super::*;

const BLOB: Digest = Digest::Sha256([1; 32]);

fn unlimited() -> SharedTransfers<u32> {
    SharedTransfers::new(RateLimiter::new(None))
}

async fn end_of(mut ticket: Ticket<u32>) -> Outcome<u32> {
    loop {
        if let Next::Ended(outcome) = ticket.next().await {
            return outcome;
        }
    }
}

/// Work that runs until nobody waits, and then says so.
fn endless(
    stopped: oneshot::Sender<()>,
) -> impl FnOnce(Line) -> futures_util::future::BoxFuture<'static, u32> {
    move |line| {
        async move {
            line.cancellation.cancelled().await;
            let _ = stopped.send(());
            0
        }
        .boxed()
    }
}

#[tokio::test]
async fn all_who_need_a_blob_have_the_end_of_one_transfer() {
    let transfers = unlimited();
    let (go, gone) = oneshot::channel::<()>();
    let first = transfers
        .join(BLOB, RateLimiter::new(None), |_| async {
            gone.await.unwrap();
            7
        })
        .await;
    let second = transfers
        .join(BLOB, RateLimiter::new(None), |_| async { 8 })
        .await;
    let other = transfers
        .join(Digest::Sha256([2; 32]), RateLimiter::new(None), |_| async {
            9
        })
        .await;
    assert!(first.is_first && !second.is_first && other.is_first);
    go.send(()).unwrap();
    assert_eq!(end_of(first).await, Ok(7));
    assert_eq!(end_of(second).await, Ok(7));
    assert_eq!(end_of(other).await, Ok(9));
    let later = transfers
        .join(BLOB, RateLimiter::new(None), |_| async { 10 })
        .await;
    assert_eq!(end_of(later).await, Ok(10));
}

#[tokio::test]
async fn a_transfer_stops_with_its_last_waiter_and_not_before() {
    let transfers = unlimited();
    let (stopped, mut has_stopped) = oneshot::channel();
    let first = transfers
        .join(BLOB, RateLimiter::new(None), endless(stopped))
        .await;
    let second = transfers
        .join(BLOB, RateLimiter::new(None), |_| async { 0 })
        .await;
    first.leave().await;
    assert!(has_stopped.try_recv().is_err());
    assert!(!second.shared.line.cancellation.is_cancelled());
    second.leave().await;
    has_stopped.try_recv().unwrap();
}

#[tokio::test]
async fn one_who_comes_while_a_transfer_stops_begins_anew_after_its_end() {
    let transfers = unlimited();
    let (go, gone) = oneshot::channel::<()>();
    let ended = Arc::new(Mutex::new(false));
    let has_ended = Arc::clone(&ended);
    let first = transfers
        .join(BLOB, RateLimiter::new(None), |_| async move {
            gone.await.unwrap();
            *has_ended.lock().unwrap() = true;
            1
        })
        .await;
    drop(first);
    let joining = transfers.join(BLOB, RateLimiter::new(None), |_| async { 2 });
    let (second, ()) = tokio::join!(joining, async { go.send(()).unwrap() });
    assert!(*ended.lock().unwrap());
    assert_eq!(end_of(second).await, Ok(2));
}

#[tokio::test]
async fn a_panic_reaches_every_waiter() {
    let transfers = unlimited();
    let (go, gone) = oneshot::channel::<()>();
    let first = transfers
        .join(BLOB, RateLimiter::new(None), |_| async {
            gone.await.unwrap();
            panic!("out of order")
        })
        .await;
    let second = transfers
        .join(BLOB, RateLimiter::new(None), |_| async { 0 })
        .await;
    go.send(()).unwrap();
    for ticket in [first, second] {
        assert_eq!(
            end_of(ticket).await,
            Err(Panicked("out of order".to_owned()))
        );
    }
}

#[tokio::test]
async fn every_waiter_has_the_news_before_the_end() {
    let transfers = unlimited();
    let (go, gone) = oneshot::channel::<()>();
    let work = |line: Line| async move {
        gone.await.unwrap();
        line.news.send(News::WaitsForOtherProgram).unwrap();
        3
    };
    let first = transfers.join(BLOB, RateLimiter::new(None), work).await;
    let second = transfers
        .join(BLOB, RateLimiter::new(None), |_| async { 0 })
        .await;
    go.send(()).unwrap();
    for mut ticket in [first, second] {
        assert!(matches!(
            ticket.next().await,
            Next::News(News::WaitsForOtherProgram)
        ));
        assert!(matches!(ticket.next().await, Next::Ended(Ok(3))));
    }
}
