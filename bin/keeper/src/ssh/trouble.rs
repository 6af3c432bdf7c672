//! Why a hive is not reached over ssh, told from what `ssh` and the far side have left, and what to do about it.

use std::time::Duration;

use hive_api::{SocketAnswer, SocketRefusal};

use super::SshAddress;
use crate::{exit_code, failure::Failure, hive_socket, local_hive::is_ours, ui::clean};

/// How many of the last lines of ssh are shown.
const LINES_SHOWN: usize = 6;
/// ssh itself failed, and no command has run there (ssh(1), exit status).
const SSH_FAILED: i32 = 255;
/// The shell there found no such program, or could not run it (POSIX, Shell Command Language 2.8.2).
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// How a run of `ssh` ended, its outputs bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// Its exit code, where no signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why a hive is not reached over ssh.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// There is no `ssh` program.
    NoSsh,
    /// The folder of keeper's connections cannot be used.
    NoFolder { reason: String },
    /// `ssh` did not come to an end.
    TooSlow { limit: Duration },
    /// The name leads nowhere.
    UnknownHost { lines: Vec<String> },
    /// The host has another key than the one that is known.
    HostKeyChanged { lines: Vec<String> },
    /// The host's key is not known, and nobody could be asked.
    HostKeyUnknown { lines: Vec<String> },
    /// The host does not let this person in.
    Denied { lines: Vec<String> },
    /// No connection, for another reason.
    NoConnection { lines: Vec<String> },
    /// There is no `hive` program there.
    NoHive { command: String },
    /// What is called so there is another program.
    AnotherProgram { command: String, lines: Vec<String> },
    /// It does not know `hive socket`, or broke off.
    NoAnswer { version: String, lines: Vec<String> },
    /// It could not do what it was told.
    Refused(SocketRefusal),
    /// The host lets nobody forward to a socket.
    NoForwarding,
    /// The local end could not be made.
    NotForwarded { lines: Vec<String> },
}

impl Trouble {
    /// The answer of the far hive, or why there is none.
    pub(super) fn or_answer(ended: &Ended, command: &str) -> Result<SocketAnswer, Self> {
        let lines: Vec<&str> = ended.stdout.lines().map(str::trim_end).collect();
        // Greetings of the far shell may stand before; its own version is where the program's words begin.
        let begin = lines.iter().rposition(|line| is_ours(line));
        let Some(begin) = begin else {
            return Err(Self::before_any_word(ended, command));
        };
        match lines
            .get(begin + 1)
            .and_then(|line| hive_socket::read(line))
        {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(Self::Refused(refusal)),
            None => Err(Self::NoAnswer {
                version: lines[begin].trim_end_matches(" (model hive)").to_owned(),
                lines: last_lines(&ended.stderr),
            }),
        }
    }

    /// `ssh` itself, or the far shell, ended without a word of ours.
    fn before_any_word(ended: &Ended, command: &str) -> Self {
        let lines = last_lines(&ended.stderr);
        let command = command.to_owned();
        match ended.code {
            Some(SSH_FAILED) | None => Self::of_ssh(&ended.stderr),
            Some(NOT_FOUND | NOT_EXECUTABLE) => Self::NoHive { command },
            Some(_) => Self::AnotherProgram { command, lines },
        }
    }

    /// ssh has one exit code for all that fails, so its words have to be told apart. They are those of OpenSSH, which
    /// does not translate them.
    pub(super) fn of_ssh(stderr: &str) -> Self {
        let lines = last_lines(stderr);
        let says = |words: &str| stderr.contains(words);
        if says("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            Self::HostKeyChanged { lines }
        } else if says("Host key verification failed") || says("host key is known for") {
            Self::HostKeyUnknown { lines }
        } else if says("Permission denied") || says("Too many authentication failures") {
            Self::Denied { lines }
        } else if says("Could not resolve hostname") {
            Self::UnknownHost { lines }
        } else {
            Self::NoConnection { lines }
        }
    }

    /// Whether another try may find it gone.
    fn may_pass(&self) -> bool {
        match self {
            Self::TooSlow { .. }
            | Self::UnknownHost { .. }
            | Self::NoConnection { .. }
            | Self::NotForwarded { .. } => true,
            Self::NoSsh
            | Self::NoFolder { .. }
            | Self::HostKeyChanged { .. }
            | Self::HostKeyUnknown { .. }
            | Self::Denied { .. }
            | Self::NoHive { .. }
            | Self::AnotherProgram { .. }
            | Self::NoAnswer { .. }
            | Self::Refused(_)
            | Self::NoForwarding => false,
        }
    }

    /// What a person is told.
    pub(super) fn failure(self, address: &SshAddress) -> Failure {
        let may_pass = self.may_pass();
        let exit = match self {
            Self::Denied { .. } => exit_code::UNAUTHORISED,
            _ => exit_code::UNREACHABLE,
        };
        if let Self::Refused(refusal) = self {
            return hive_socket::refused(exit, &format!("on {}: ", address.host()), refusal);
        }
        let code = self.code();
        let detail = self.detail(address);
        let next = self.next(address);
        let failure = match self {
            Self::UnknownHost { lines }
            | Self::HostKeyChanged { lines }
            | Self::HostKeyUnknown { lines }
            | Self::Denied { lines }
            | Self::NoConnection { lines }
            | Self::AnotherProgram { lines, .. }
            | Self::NoAnswer { lines, .. }
            | Self::NotForwarded { lines } => {
                Failure::new(exit, code, detail, next).with_lines(lines)
            }
            Self::NoFolder { reason } => {
                Failure::new(exit, code, detail, next).because(Some(reason))
            }
            Self::NoSsh
            | Self::TooSlow { .. }
            | Self::NoHive { .. }
            | Self::Refused(_)
            | Self::NoForwarding => Failure::new(exit, code, detail, next),
        };
        failure.retryable(may_pass)
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSsh => "ssh_not_found",
            Self::NoFolder { .. } => "runtime_folder",
            Self::HostKeyChanged { .. } | Self::HostKeyUnknown { .. } => "ssh_host_key",
            Self::Denied { .. } => "ssh_denied",
            Self::NoHive { .. } | Self::AnotherProgram { .. } => "hive_not_found",
            Self::NoAnswer { .. } => "protocol",
            Self::NoForwarding | Self::NotForwarded { .. } => "ssh_forwarding",
            Self::TooSlow { .. }
            | Self::UnknownHost { .. }
            | Self::NoConnection { .. }
            | Self::Refused(_) => "hive_unreachable",
        }
    }

    fn detail(&self, address: &SshAddress) -> String {
        let host = address.host();
        match self {
            Self::NoSsh => "there is no `ssh` program on the PATH".to_owned(),
            Self::NoFolder { .. } => "keeper has no folder for its ssh connections".to_owned(),
            Self::TooSlow { limit } => {
                format!(
                    "the connection to {host} came to no end within {} s",
                    limit.as_secs()
                )
            }
            Self::UnknownHost { .. } => format!("the host {host} is not known"),
            Self::HostKeyChanged { .. } => {
                format!("the host key of {host} is not the one that ssh knows")
            }
            Self::HostKeyUnknown { .. } => format!("the host key of {host} is not known yet"),
            Self::Denied { .. } => format!("you are not let in by {host}"),
            Self::NoConnection { .. } => format!("no ssh connection to {host}"),
            Self::NoHive { command } => format!("there is no `{command}` program on {host}"),
            Self::AnotherProgram { command, .. } => {
                format!("`{command}` on {host} is another program, or did not run")
            }
            Self::NoAnswer { version, .. } => {
                format!("where the hive of {host} is was not said by {version} there")
            }
            Self::Refused(refusal) => refusal.detail.clone(),
            Self::NoForwarding => {
                format!("nothing is forwarded to the hive's socket on {host}, which lets you in")
            }
            Self::NotForwarded { .. } => format!("the socket of {host} was not forwarded"),
        }
    }

    fn next(&self, address: &SshAddress) -> String {
        let by_hand = address.by_hand();
        match self {
            Self::NoSsh => "install OpenSSH's client (Debian: openssh-client)".to_owned(),
            Self::NoFolder { .. } => "set XDG_RUNTIME_DIR to a folder of your own".to_owned(),
            Self::TooSlow { .. } | Self::NoConnection { .. } => format!("try it alone: {by_hand}"),
            Self::UnknownHost { .. } => {
                "check the name; it may also be a Host of your ~/.ssh/config".to_owned()
            }
            Self::HostKeyChanged { .. } => format!(
                "find out why; if the new key is right, remove the old one as ssh says, then {by_hand}"
            ),
            Self::HostKeyUnknown { .. } => {
                format!("connect once by hand and compare the key: {by_hand}")
            }
            Self::Denied { .. } => format!(
                "try it alone: {by_hand}; without a terminal the key must be in the agent (ssh-add)"
            ),
            Self::NoHive { .. } | Self::AnotherProgram { .. } => format!(
                "install hive there, or say where it is: keeper hive add NAME {address} \
                 --hive-command /path/to/hive"
            ),
            Self::NoAnswer { .. } => format!(
                "install hive {} there, as this keeper is",
                env!("CARGO_PKG_VERSION")
            ),
            Self::Refused(_) => String::new(),
            Self::NoForwarding => "allow it there in sshd_config (AllowStreamLocalForwarding, \
                 DisableForwarding), and for your key in authorized_keys (restrict)"
                .to_owned(),
            Self::NotForwarded { .. } => "try again".to_owned(),
        }
    }
}

/// The last lines with something in them, without what a terminal would act upon.
fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let first = lines.len().saturating_sub(LINES_SHOWN);
    let lines = lines[first..].iter();
    lines.map(|line| clean(line).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"socket_path":"/s/hive.sock","state":"running","answers":true}"#;

    fn ended(code: i32, stdout: &str, stderr: &str) -> Ended {
        Ended {
            code: Some(code),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    }

    fn trouble(ended: &Ended) -> Trouble {
        Trouble::or_answer(ended, "hive").unwrap_err()
    }

    #[test]
    fn a_greeting_before_the_answer_and_a_farewell_after_it_change_nothing() {
        for (before, after) in [("", ""), ("Welcome!\n/tmp/x\n{}\n", "bye\n")] {
            let stdout = format!("{before}hive 0.1.0 (model hive)\n{ANSWER}\n{after}");
            let answer = Trouble::or_answer(&ended(0, &stdout, ""), "hive").unwrap();
            assert_eq!(answer.socket_path, "/s/hive.sock");
        }
    }

    #[test]
    fn each_word_of_ssh_is_told_with_its_remedy() {
        let address: SshAddress = "ssh://gpu1".parse().unwrap();
        for (stderr, exit, next) in [
            (
                "ssh: Could not resolve hostname gpu1: Name or service not known",
                3,
                "check the name",
            ),
            (
                "alice@gpu1: Permission denied (publickey).",
                4,
                "try it alone: ssh gpu1",
            ),
            ("Host key verification failed.", 3, "connect once by hand"),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.",
                3,
                "find out why",
            ),
            (
                "ssh: connect to host gpu1 port 22: Connection refused",
                3,
                "try it alone",
            ),
        ] {
            let failure = trouble(&ended(255, "", stderr)).failure(&address);
            assert_eq!(failure.exit, exit, "{stderr}");
            assert!(failure.problem.hint.unwrap().starts_with(next), "{stderr}");
            assert!(!failure.lines.is_empty(), "{stderr}");
        }
    }

    #[test]
    fn a_network_that_is_gone_may_come_back_and_a_closed_door_may_not_open_by_itself() {
        let address: SshAddress = "ssh://gpu1".parse().unwrap();
        let needs_person = |stderr: &str| {
            let failure = trouble(&ended(255, "", stderr)).failure(&address);
            failure.needs_person()
        };
        assert!(!needs_person(
            "ssh: connect to host gpu1 port 22: Network is unreachable"
        ));
        assert!(needs_person("alice@gpu1: Permission denied (publickey)."));
    }

    #[test]
    fn a_missing_an_old_and_another_hive_are_three_things() {
        let missing = ended(127, "", "sh: 1: hive: not found");
        assert!(matches!(trouble(&missing), Trouble::NoHive { .. }));
        let old = ended(
            2,
            "hive 0.0.9 (model hive)\n",
            "error: unrecognized subcommand",
        );
        let Trouble::NoAnswer { version, .. } = trouble(&old) else {
            panic!("an old hive");
        };
        assert_eq!(version, "hive 0.0.9");
        let another = ended(0, "Hive 3.1.3\n", "");
        assert!(matches!(trouble(&another), Trouble::AnotherProgram { .. }));
    }

    #[test]
    fn a_refusal_of_the_far_hive_is_told_in_its_words() {
        let stdout = "hive 0.1.0 (model hive)\n{\"detail\":\"it ended\",\"lines\":[\"why\"]}\n";
        let address: SshAddress = "ssh://gpu1".parse().unwrap();
        let failure = trouble(&ended(2, stdout, "")).failure(&address);
        assert_eq!(failure.problem.detail, "on gpu1: it ended");
        assert_eq!(failure.lines, ["why"]);
    }

    #[test]
    fn what_a_terminal_would_act_upon_does_not_come_through() {
        let Trouble::NoConnection { lines } = Trouble::of_ssh("\u{1b}]0;x\u{7}\r\n\r\nend\r\n")
        else {
            panic!("no connection");
        };
        assert_eq!(lines, ["\u{fffd}]0;x\u{fffd}", "end"]);
    }
}
