//! The process: its first and its last line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hive::run(std::env::args_os()))
}
