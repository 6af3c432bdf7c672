//! `hive socket`: how keeper has a hive started, stopped and looked for by its own program, here or over ssh.

use hive_api::{SocketAnswer, SocketRefusal};

use crate::failure::Failure;

/// What the program is to do before it says where the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    Look,
    /// Start a hive where none answers.
    Start,
    /// Stop the one that runs.
    Stop,
}

impl Order {
    /// The arguments of `hive`.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Look => &["socket", "--format", "json"],
            Self::Start => &["socket", "--start", "--format", "json"],
            Self::Stop => &["socket", "--stop", "--format", "json"],
        }
    }
}

/// Reads the line that the program printed; `None` where it is none of its lines.
pub(crate) fn read(line: &str) -> Option<Result<SocketAnswer, SocketRefusal>> {
    match serde_json::from_str::<SocketAnswer>(line) {
        Ok(answer) if is_a_path(&answer.socket_path) => Some(Ok(answer)),
        Ok(_) => None,
        Err(_) => serde_json::from_str(line).ok().map(Err),
    }
}

/// What the program could not do, as keeper's own failure; `place` says where, `""` for this machine.
pub(crate) fn refused(exit: u8, place: &str, refusal: SocketRefusal) -> Failure {
    let next = refusal
        .hint
        .unwrap_or_else(|| "run hive socket --start there and read what it says".to_owned());
    let detail = format!("{place}{}", refusal.detail);
    Failure::new(exit, "hive_unreachable", detail, next).with_lines(refusal.lines)
}

/// Whether it is a path that can be handed to a program as it is.
fn is_a_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use hive_api::{Open, RunState};

    use super::*;

    #[test]
    fn an_answer_and_a_refusal_are_told_apart() {
        let line =
            r#"{"socket_path":"/s/hive.sock","state":"running","started_process":7,"new":1}"#;
        let answer = read(line).unwrap().unwrap();
        assert_eq!(answer.socket_path, "/s/hive.sock");
        assert_eq!(answer.state, Open::Known(RunState::Running));
        assert_eq!(answer.started_process, Some(7));
        let refusal = read(r#"{"detail":"it ended","hint":"read it"}"#).unwrap();
        assert_eq!(refusal.unwrap_err().detail, "it ended");
    }

    #[test]
    fn a_path_that_is_none_is_no_answer() {
        for path in ["", "hive.sock", "/a\\u001b[0m", "/a\\nb"] {
            let line = format!(r#"{{"socket_path":"{path}","state":"running"}}"#);
            assert_eq!(read(&line), None, "{path}");
        }
        assert_eq!(read("Welcome!"), None);
    }
}
