//! A program's transcript with everything that differs from run to run replaced by its name.

use insta::Settings;

use crate::Machine;

/// Runs `check` with filters for this machine's folders, ids, times and rates.
pub fn transcript(machine: &Machine, check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    // Where a line is wrapped depends on the length of names that differ from machine to machine.
    settings.add_filter("\\n {9}", " ");
    let machine_name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    settings.add_filter(
        &format!("\\b{}\\b", regex_escaped(&machine_name)),
        "[machine]",
    );
    settings.add_filter(
        &regex_escaped(&machine.home().display().to_string()),
        "[home]",
    );
    settings.add_filter("127\\.0\\.0\\.1:\\d+", "[address]");
    settings.add_filter(
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[job id]",
    );
    settings.add_filter(
        "\\b(job|Job|local|last is|Cancelled|Cancelling|Paused|Resumed|cancel|resume|watch|retry) [0-9a-f]{6}\\b",
        "$1 [job]",
    );
    settings.add_filter("\\b[0-9a-f]{40}\\b", "[commit]");
    settings.add_filter("at [0-9a-f]{7}\\b", "at [commit]");
    settings.add_filter("free afterwards [0-9.]+ [kMGT]B", "free afterwards [free]");
    settings.add_filter("[0-9.]+ [kMGT]B free afterwards", "[free] free afterwards");
    settings.add_filter("[0-9.]+ [kMG]?B/s", "[rate]");
    settings.add_filter("\\b(in|after) [0-9.]+ (ms|s)\\b", "$1 [time]");
    settings.add_filter("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z", "[at]");
    // How often it comes depends on how fast the machine is.
    settings.add_filter("(?m)^local: downloading .*\n", "");
    settings.add_filter("Kept [0-9.]+ of", "Kept [some] of");
    settings.add_filter("process \\d+", "process [pid]");
    settings.bind(check);
}

/// The text as a regular expression that matches it alone.
fn regex_escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, character| {
        if !character.is_alphanumeric() && character != '/' {
            pattern.push('\\');
        }
        pattern.push(character);
        pattern
    })
}
