//! hive and keeper as a person runs them: one module a capability, in one program so that they wait side by side.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod bad_input;
mod ctrl_c;
mod dead_hive;
mod download;
mod hub_account;
mod job_control;
mod job_logs;
mod json_output;
mod killed_hive;
mod limited_hive;
mod local_hive;
mod pairing;
mod pause;
mod rate_limit;
mod several_hives;
mod several_hives_on_a_terminal;
mod several_jobs;
mod silent_hub;
mod ssh;
mod watching;
