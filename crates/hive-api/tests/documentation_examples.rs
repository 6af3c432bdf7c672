//! Every wire object reads from, and writes exactly, the example that the documentation shows (`docs/api/*.json`).
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use hive_api::{
    AuditPage, ChangeJob, CreatePairCode, CreateToken, Diagnosis, Event, Heartbeat, HiveInfo,
    HubAccount, Job, JobId, JobList, JobState, LogEvent, ModelList, NewToken, Open, Operation,
    Pair, PairCode, PhaseEvent, Plan, Problem, ProblemCode, Progress, RemovedModel, RunDoctor,
    SetHubToken, Snapshot, StateEvent, StreamTick, SubmitJob, TokenList,
};
use serde_json::Value;

macro_rules! examples {
    ($($test:ident: $object:ty = $file:literal;)+) => {
        $(
            #[test]
            fn $test() {
                let example: Value =
                    serde_json::from_str(include_str!(concat!("../../../docs/api/", $file, ".json"))).unwrap();
                let object: $object = serde_json::from_value(example.clone()).unwrap();
                assert_eq!(serde_json::to_value(&object).unwrap(), example);
            }
        )+

        #[test]
        fn every_example_of_the_documentation_is_tested() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api");
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                // The description of the whole API, held by a test of hive.
                .filter(|name| name != "openapi.json")
                .collect();
            found.sort();
            let mut tested = vec![$(concat!($file, ".json").to_owned()),+];
            tested.sort();
            assert_eq!(found, tested);
        }
    };
}

examples! {
    submit_job: SubmitJob = "submit_job";
    change_job: ChangeJob = "change_job";
    job: Job = "job";
    job_failed: Job = "job_failed";
    job_succeeded: Job = "job_succeeded";
    job_list: JobList = "job_list";
    problem: Problem = "problem";
    plan: Plan = "plan";
    model_list: ModelList = "model_list";
    removed_model: RemovedModel = "removed_model";
    hive_info: HiveInfo = "hive_info";
    set_hub_token: SetHubToken = "set_hub_token";
    hub_account: HubAccount = "hub_account";
    create_token: CreateToken = "create_token";
    new_token: NewToken = "new_token";
    token_list: TokenList = "token_list";
    create_pair_code: CreatePairCode = "create_pair_code";
    pair_code: PairCode = "pair_code";
    pair: Pair = "pair";
    run_doctor: RunDoctor = "run_doctor";
    diagnosis: Diagnosis = "diagnosis";
    event_tick: StreamTick = "event_tick";
    audit_page: AuditPage = "audit_page";
    event_snapshot: Snapshot = "event_snapshot";
    event_state: StateEvent = "event_state";
    event_phase: PhaseEvent = "event_phase";
    event_log: LogEvent = "event_log";
    event_progress: Progress = "event_progress";
    event_heartbeat: Heartbeat = "event_heartbeat";
}

fn job_with(pointer: &str, value: Value) -> Job {
    let mut example: Value =
        serde_json::from_str(include_str!("../../../docs/api/job.json")).unwrap();
    *example.pointer_mut(pointer).unwrap() = value;
    serde_json::from_value(example).unwrap()
}

#[test]
fn a_state_of_a_newer_hive_is_kept_as_text_and_taken_as_not_ended() {
    let job = job_with("/state", "hibernating".into());
    assert_eq!(job.state, Open::Unknown("hibernating".to_owned()));
    assert!(!job.state.has_ended());
    assert_eq!(job.state.as_str(), "hibernating");
}

#[test]
fn an_operation_of_a_newer_hive_is_kept_as_it_came() {
    let operation = serde_json::json!({"kind": "model_fold", "times": 7});
    assert_eq!(
        job_with("/operation", operation.clone()).operation,
        Open::Unknown(operation)
    );
}

#[test]
fn fields_of_a_newer_hive_are_accepted() {
    let mut example: Value =
        serde_json::from_str(include_str!("../../../docs/api/job.json")).unwrap();
    example["colour"] = "blue".into();
    example["operation"]["mirror"] = "near".into();
    let job: Job = serde_json::from_value(example).unwrap();
    assert!(matches!(
        job.operation,
        Open::Known(Operation::ModelDownload(_))
    ));
}

#[test]
fn every_code_and_state_is_written_as_it_is_named() {
    for code in ProblemCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    for state in JobState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
}

#[test]
fn an_unknown_event_is_kept_and_is_not_the_last() {
    let event = Event::parse("hint", r#"{"text":"hello"}"#).unwrap();
    assert_eq!(event.name(), "hint");
    assert!(event.last().is_none());
}

#[test]
fn the_last_events_carry_the_job() {
    let job = include_str!("../../../docs/api/job_succeeded.json");
    for name in ["succeeded", "failed", "cancelled"] {
        let event = Event::parse(name, job).unwrap();
        assert_eq!(event.name(), name);
        assert!(event.last().is_some());
    }
}

#[test]
fn a_job_id_has_one_spelling() {
    let text = "01920f3e-7a7b-7c3d-9a1e-5b2d8e9f3c41";
    assert_eq!(text.parse::<JobId>().unwrap().to_string(), text);
    for other in [
        text.to_uppercase(),
        text.replace('-', ""),
        format!("{{{text}}}"),
        format!("urn:uuid:{text}"),
    ] {
        assert!(other.parse::<JobId>().is_err(), "{other}");
    }
}

#[test]
fn a_shown_job_id_is_its_random_end() {
    assert_eq!(job_with("/attempt", 1.into()).job_id.short(), "9f3c41");
}

#[test]
fn a_change_of_a_job_says_what_it_changes() {
    assert!(serde_json::from_str::<ChangeJob>("{}").is_err());
    let lifted: ChangeJob = serde_json::from_str(r#"{"limit_bytes_per_second":null}"#).unwrap();
    assert_eq!(lifted.limit_bytes_per_second, None);
}
