//! The process: its first and its last line.

fn main() -> std::process::ExitCode {
    keeper::main()
}
