//! Every order of a few things that can happen to a job, forced in the real registry beside the model.

use crate::pair::{Act, Pair};

const DEPTH: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Act,
    Crash,
    Stop,
}

const ACTS: [Act; 7] = [
    Act::Cancel,
    Act::Pause,
    Act::Resume,
    Act::Publish,
    Act::Succeed,
    Act::Fail,
    Act::StopByItself,
];

/// Every sequence of this many of these.
fn sequences<T: Copy>(items: &[T], length: usize) -> Vec<Vec<T>> {
    let mut sequences = vec![Vec::new()];
    for _ in 0..length {
        let longer = |sequence: &Vec<T>| {
            let add = |item: &T| [sequence.as_slice(), &[*item]].concat();
            items.iter().map(add).collect::<Vec<_>>()
        };
        sequences = sequences.iter().flat_map(longer).collect();
    }
    sequences
}

/// A crash or a stop of the hive befalls all jobs, so those whose sequences have them at the same places are one
/// registry's, and each of its jobs is one sequence.
#[tokio::test]
async fn in_every_order_the_registry_does_what_the_model_does() {
    for pattern in sequences(&[Step::Act, Step::Crash, Step::Stop], DEPTH) {
        let acting = pattern.iter().filter(|step| matches!(step, Step::Act));
        let orders = sequences(&ACTS, acting.count());
        let mut pair = Pair::new(orders.len()).await;
        for _ in &orders {
            pair.submit().await;
        }
        pair.agree().await;
        let mut turn = 0;
        for step in pattern {
            match step {
                Step::Act => {
                    for (at, order) in orders.iter().enumerate() {
                        pair.act(at, order[turn]).await;
                    }
                    turn += 1;
                }
                Step::Crash => pair = pair.crash().await,
                Step::Stop => pair = pair.stop(None).await,
            }
            pair.agree().await;
        }
        pair.have_the_same_history().await;
    }
}
