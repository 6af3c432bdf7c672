//! Random commands, with crashes and stops of the hive among them, against the model.

use proptest::prelude::*;

use crate::pair::{Act, Pair};

const SLOTS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Command {
    Submit,
    SubmitAndCrash(usize),
    Act(usize, Act),
    /// The hive crashes after the first or the second write.
    ActAndCrash(usize, Act, usize),
    Crash,
    /// The hive stops in order, and the work of this job succeeds in it.
    Stop(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Cancel),
        2 => Just(Act::Pause),
        2 => Just(Act::Resume),
        2 => proptest::option::of(1..3_u64).prop_map(Act::Limit),
        2 => Just(Act::Publish),
        1 => Just(Act::WaitForNetwork),
        1 => Just(Act::ReceiveBytes),
        2 => Just(Act::Succeed),
        2 => Just(Act::Fail),
        3 => Just(Act::StopByItself),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let job = 0..16_usize;
    let writes = 1..=2_usize;
    prop_oneof![
        4 => Just(Command::Submit),
        1 => writes.clone().prop_map(Command::SubmitAndCrash),
        16 => (job.clone(), act()).prop_map(|(job, act)| Command::Act(job, act)),
        3 => (job.clone(), act(), writes)
            .prop_map(|(job, act, writes)| Command::ActAndCrash(job, act, writes)),
        3 => Just(Command::Crash),
        2 => job.prop_map(Command::Stop),
    ]
}

async fn obey(mut pair: Pair, command: Command) -> Pair {
    let job = |number: usize| number.checked_rem(pair.len());
    match command {
        Command::Submit => pair.submit().await,
        Command::SubmitAndCrash(writes) => pair = pair.submit_and_crash(writes).await,
        Command::Act(number, act) => {
            if let Some(at) = job(number) {
                pair.act(at, act).await;
            }
        }
        Command::ActAndCrash(number, act, writes) => {
            if let Some(at) = job(number) {
                pair = pair.act_and_crash(at, act, writes).await;
            }
        }
        Command::Crash => pair = pair.crash().await,
        Command::Stop(number) => {
            let succeeding = job(number);
            pair = pair.stop(succeeding).await;
        }
    }
    pair.agree().await;
    pair
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_registry_does_what_the_model_does(
        commands in proptest::collection::vec(command(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new(SLOTS).await;
            for command in commands {
                pair = obey(pair, command).await;
            }
            pair.have_the_same_history().await;
            pair = pair.crash().await;
            pair.agree().await;
            pair.have_the_same_history().await;
        });
    }
}
