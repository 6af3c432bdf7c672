//! The table of a job's life, every pair of standing and trigger.

use super::{
    Standing::{self, In, Publishing, Unknown},
    Transition::{self, Publish, Refuse, Stay, To},
    Trigger::{self, *},
    transition,
};
use hive_api::JobState::{self, *};

pub(super) const TRIGGERS: [Trigger; 12] = [
    Start,
    Cancel,
    Pause,
    Resume,
    Adjust,
    BeginPublishing,
    WorkSucceeded,
    WorkFailed,
    WorkStopped,
    HiveStopped,
    HiveRestarted,
    CrashedTooOften,
];

#[rustfmt::skip]
const TABLE: [(Standing, [Transition; 12]); 10] = [
    //                Start        Cancel          Pause        Resume      Adjust  BeginPublishing  WorkSucceeded  WorkFailed     WorkStopped    HiveStopped    HiveRestarted  CrashedTooOften
    (In(Queued),     [To(Running), To(Cancelled),  To(Paused),  Refuse,     Stay,   Refuse,          Refuse,        Refuse,        Refuse, Stay,          Stay,          Refuse]),
    (In(Running),    [Refuse,      To(Cancelling), To(Pausing), Refuse,     Stay,   Publish,         To(Succeeded), To(Failed),    To(Failed), To(Queued),    To(Queued),    To(Failed)]),
    (Publishing,     [Refuse,      Stay,           Refuse,      Refuse,     Stay,   Stay,            To(Succeeded), To(Failed),    To(Failed), To(Queued),    To(Queued),    To(Failed)]),
    (In(Pausing),    [Refuse,      To(Cancelling), Stay,        Refuse,     Stay,   Refuse,          To(Paused),    To(Paused),    To(Paused), To(Paused),    To(Paused),    Refuse]),
    (In(Paused),     [Refuse,      To(Cancelled),  Stay,        To(Queued), Stay,   Refuse,          Refuse,        Refuse,        Refuse, Stay,          Stay,          Refuse]),
    (In(Cancelling), [Refuse,      Stay,           Refuse,      Refuse,     Refuse, Refuse,          To(Cancelled), To(Cancelled), To(Cancelled), To(Cancelled), To(Cancelled), Refuse]),
    (In(Succeeded),  [Refuse,      Stay,           Refuse,      Refuse,     Refuse, Refuse,          Refuse,        Refuse,        Refuse, Stay,          Stay,          Refuse]),
    (In(Failed),     [Refuse,      Stay,           Refuse,      Refuse,     Refuse, Refuse,          Refuse,        Refuse,        Refuse, Stay,          Stay,          Refuse]),
    (In(Cancelled),  [Refuse,      Stay,           Refuse,      Refuse,     Refuse, Refuse,          Refuse,        Refuse,        Refuse, Stay,          Stay,          Refuse]),
    (Unknown,        [Refuse,      To(Cancelled),  Refuse,      Refuse,     Refuse, Refuse,          Refuse,        Refuse,        Refuse, Stay,          Stay,          Refuse]),
];

#[test]
fn every_trigger_in_every_state_does_what_the_table_says() {
    for (standing, row) in TABLE {
        for (trigger, expected) in TRIGGERS.into_iter().zip(row) {
            assert_eq!(
                transition(standing, trigger),
                expected,
                "{standing:?} on {trigger:?}"
            );
        }
    }
}

#[test]
fn the_table_lists_every_state() {
    for state in JobState::ALL {
        assert!(TABLE.iter().any(|(standing, _)| *standing == In(state)));
    }
}

#[test]
fn no_job_that_was_told_to_stop_runs_again_by_itself() {
    for trigger in TRIGGERS {
        let next = transition(In(Cancelling), trigger);
        assert!(matches!(next, To(Cancelled) | Stay | Refuse), "{trigger:?}");
        let next = transition(In(Pausing), trigger);
        assert!(
            matches!(next, To(Paused | Cancelling) | Stay | Refuse),
            "{trigger:?}"
        );
    }
}
