//! What the system's `ssh` is told: options that hold whatever a person's configuration says, and the far command.

use std::path::Path;

use super::{Asking, SshAddress};
use crate::hive_socket::Order;

/// A connection that takes longer will not come.
const CONNECT_SECONDS: u32 = 10;
/// How often a silent connection is asked whether it lives, and how many such questions may stay unanswered.
const ALIVE_SECONDS: u32 = 5;
const ALIVE_QUESTIONS: u32 = 3;
/// Where people install programs that the PATH of a command over ssh often lacks.
const USUAL_FOLDERS: &str = "$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin";

/// Runs a command there, over the one master connection, which this makes where there is none.
pub(super) fn session(
    address: &SshAddress,
    control: &Path,
    idle_seconds: u32,
    asking: Asking,
    command: &str,
) -> Vec<String> {
    let batch = match asking {
        Asking::Person => "no",
        Asking::Nobody | Asking::InBackground => "yes",
    };
    let mut arguments = vec!["-T".to_owned()];
    for option in [
        "ControlMaster=auto".to_owned(),
        format!("ControlPath={}", control.display()),
        format!("ControlPersist={idle_seconds}"),
        format!("BatchMode={batch}"),
        format!("ConnectTimeout={CONNECT_SECONDS}"),
        format!("ServerAliveInterval={ALIVE_SECONDS}"),
        format!("ServerAliveCountMax={ALIVE_QUESTIONS}"),
        // What the person forwards elsewhere is not this connection's, and could keep it from being made.
        "ClearAllForwardings=yes".to_owned(),
        "ExitOnForwardFailure=yes".to_owned(),
        "StreamLocalBindUnlink=yes".to_owned(),
        "StreamLocalBindMask=0177".to_owned(),
        "ForwardAgent=no".to_owned(),
        "ForwardX11=no".to_owned(),
        "RemoteCommand=none".to_owned(),
        // Errors are shown, greetings are not.
        "LogLevel=ERROR".to_owned(),
    ] {
        arguments.extend(["-o".to_owned(), option]);
    }
    arguments.extend(address.arguments());
    arguments.push(command.to_owned());
    arguments
}

/// Tells the master to forward a local socket to one there (`forward`), or to no longer do so (`cancel`).
pub(super) fn forwarding(
    address: &SshAddress,
    control: &Path,
    verb: &str,
    local: &Path,
    remote: &str,
) -> Vec<String> {
    // The master has the connection, and nothing of the configuration is needed to find it.
    let control = format!("ControlPath={}", control.display());
    let mut arguments: Vec<String> = ["-F", "none", "-o", &control, "-O", verb, "-L"]
        .map(str::to_owned)
        .to_vec();
    arguments.push(format!("{}:{remote}", local.display()));
    arguments.extend(address.arguments());
    arguments
}

/// The command there, for any shell: the program says first what it is, then where its socket is.
pub(super) fn far_command(hive_command: &str, order: Order) -> String {
    let order = order.arguments().join(" ");
    let script = format!(
        "PATH=\"$PATH:{USUAL_FOLDERS}\"; {hive_command} --version && {hive_command} {order}"
    );
    format!("exec sh -c '{}'", script.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session_to(address: &str, asking: Asking) -> Vec<String> {
        let address = address.parse().unwrap();
        session(&address, Path::new("/run/m"), 60, asking, "true")
    }

    #[test]
    fn nobody_is_asked_where_nobody_can_answer() {
        let has = |arguments: &[String], option: &str| arguments.iter().any(|word| word == option);
        let asked = session_to("ssh://gpu1", Asking::Person);
        assert!(has(&asked, "BatchMode=no"));
        let alone = session_to("ssh://gpu1", Asking::Nobody);
        assert!(has(&alone, "BatchMode=yes"));
        for option in [
            "ControlMaster=auto",
            "ControlPath=/run/m",
            "ControlPersist=60",
        ] {
            assert!(has(&alone, option), "{option}");
        }
    }

    #[test]
    fn the_command_comes_last_and_the_host_right_before_it() {
        let arguments = session_to("ssh://alice@gpu1:2222", Asking::Nobody);
        let end = &arguments[arguments.len() - 7..];
        assert_eq!(end, ["-l", "alice", "-p", "2222", "--", "gpu1", "true"]);
    }

    #[test]
    fn a_forward_goes_to_the_master_alone() {
        let address = "ssh://gpu1".parse().unwrap();
        let local = Path::new("/run/s");
        let arguments = forwarding(
            &address,
            Path::new("/run/m"),
            "forward",
            local,
            "/r/hive.sock",
        );
        assert_eq!(
            arguments.join(" "),
            "-F none -o ControlPath=/run/m -O forward -L /run/s:/r/hive.sock -- gpu1"
        );
    }

    #[test]
    fn the_far_command_is_one_word_for_every_shell() {
        let command = far_command("hive", Order::Start);
        assert!(command.starts_with("exec sh -c 'PATH="), "{command}");
        assert!(
            command.ends_with("hive --version && hive socket --start --format json'"),
            "{command}"
        );
        let quoted = far_command("'/opt/my hive/hive'", Order::Look);
        assert!(
            quoted.contains(r"'\''/opt/my hive/hive'\'' --version"),
            "{quoted}"
        );
    }
}
