//! keeper under a shell with job control: Ctrl+Z stops it, `fg` and `bg` take it up again.

use std::fs;

use e2e::{End, FILE, MODEL, Machine, Terminal, quantised};
use fake_hub::FakeHub;

const CTRL_Z: &str = "\u{1a}";
/// What the shell says once it has the terminal back.
const PUT_AWAY: &str = "put away";
/// The line of the bars that is there from the first to the last.
const TOTAL: &str = "  Total ";
/// What that line says while the Hub is silent, a second at a time and with nothing drawn after it: a moment to stop in.
/// Its tick may pass over one of them.
const QUIET: [&str; 4] = ["for 1 s", "for 2 s", "for 3 s", "for 4 s"];

/// A shell that downloads the model from a silent Hub, and after Ctrl+Z does this. It puts the terminal back into lines,
/// as interactive shells do.
async fn put_away(machine: &Machine, after: &str) -> Terminal {
    let script = format!("keeper pull {MODEL}; stty icanon echo; echo {PUT_AWAY} >&2; {after}");
    let mut shell = Terminal::start(&machine.program("sh", ["-mc", &script])).unwrap();
    shell.wait_for_one_of(&QUIET).await.unwrap();
    shell.press(CTRL_Z).unwrap();
    shell.wait_for(PUT_AWAY).await.unwrap();
    shell
}

#[tokio::test]
async fn taken_up_again_keeper_has_its_keys_and_draws_over_nothing_of_the_shell() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let _silent = hub.hold_api();
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut shell = put_away(&machine, "fg").await;
    shell.press("d").unwrap();
    let finished = shell.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let (_, after) = finished.stderr.split_once(PUT_AWAY).unwrap();
    assert!(after.contains("Left "), "{after:?}");
    assert!(
        !moves_up(after.split(TOTAL).next().unwrap_or_default()),
        "{after:?}"
    );
}

#[tokio::test]
async fn in_the_background_keeper_says_lines_and_draws_nothing() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let silent = hub.hold_api();
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut shell = put_away(&machine, "bg; wait").await;
    shell
        .wait_for("\nasking the Hub for the revision for ")
        .await
        .unwrap();
    silent.release();
    let finished = shell.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let (_, after) = finished.stderr.split_once(PUT_AWAY).unwrap();
    assert!(after.contains("Done: 8.0 MB"), "{after:?}");
    assert!(!after.contains(TOTAL) && !moves_up(after), "{after:?}");
}

#[tokio::test]
async fn in_the_background_keeper_goes_on_where_its_story_is_on_another_terminal() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let path = machine.home().join("other");
    let script = format!("tty > {}; echo ready >&2; read _", path.display());
    let mut other = Terminal::start(&machine.program("sh", ["-c", &script])).unwrap();
    other.wait_for("ready").await.unwrap();
    let path = fs::read_to_string(path).unwrap();
    let script = format!("keeper pull {MODEL} 2>{} & wait", path.trim());
    let shell = Terminal::start(&machine.program("sh", ["-mc", &script])).unwrap();
    let finished = shell.finish().await.unwrap();
    assert!(finished.stdout.contains(FILE), "{finished}");
    other.press("\n").unwrap();
    let told = other.finish().await.unwrap();
    assert!(told.stderr.contains("local: done, 8.0 MB"), "{told}");
}

/// Whether the cursor goes up (CUU of ECMA-48), onto what stands there.
fn moves_up(screen: &str) -> bool {
    let sequences = screen.split("\u{1b}[").skip(1);
    let mut commands = sequences.filter_map(|rest| rest.chars().find(char::is_ascii_alphabetic));
    commands.any(|command| command == 'A')
}
