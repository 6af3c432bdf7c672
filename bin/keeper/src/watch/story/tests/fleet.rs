//! The story of several hives: every line names its hive, and a table ends it.

use super::*;

/// A story of one job on each of two hives.
fn of_two_hives(audience: Audience) -> (Story, Captured) {
    let (mut story, captured) = story(audience, 2);
    story.is_fleet = true;
    story.jobs[1].hive.name = "gpu2".into();
    story.jobs[1].hive.flag = Some("gpu2".into());
    (story, captured)
}

#[test]
fn with_several_hives_every_line_names_its_hive_and_a_table_ends_the_story() {
    let (mut story, captured) = of_two_hives(Audience::Person);
    story.accepted(0, job(id(0xa)), true);
    let down = Failure::new(
        3,
        "hive_unreachable",
        "no hive answers at https://gpu2",
        "start it",
    );
    story.refused(1, down);
    tell(&mut story, 0, &Event::Succeeded(Box::new(succeeded(0xa))));
    finish(story);
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "gpu1: job 00000a accepted",
            "gpu2: No hive answers at https://gpu2",
            "  Next   start it",
            "gpu1: done, 142.3 GB in 27 min, every sha256 checked",
            "Hive  State      What          Where or why",
            "gpu1  succeeded  download a/b  /hub/b/10.gguf",
            "gpu2  failed     download a/b  no hive answers at https://gpu2",
        ]
    );
    assert_eq!(captured.out.text(), "gpu1\t/hub/b/10.gguf\n");
}

#[test]
fn leaving_several_hives_says_for_each_what_becomes_of_its_job() {
    let (mut story, captured) = of_two_hives(Audience::QuietPerson);
    story.accepted(0, job(id(0xa)), true);
    let unended = [(0, Some(id(0xa))), (1, None)];
    story.cancelling(&VecDeque::from([id(0xa)]), Signal::Interrupt);
    story.leaving(Leaving::CancelTimedOut(Signal::Interrupt), &unended);
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "Cancelling 00000a on gpu1, press Ctrl+C again to leave at once",
            "gpu1 did not confirm in 5 s: job 00000a may still run",
            "  Cancel    keeper --hive gpu1 job cancel 00000a",
            "Left before gpu2 answered: it may have accepted the job",
            "  Look      keeper --hive gpu2 job list",
        ]
    );
}

#[test]
fn a_program_is_told_the_hive_beside_each_event_and_job() {
    let (mut story, captured) = of_two_hives(Audience::Program);
    story.accepted(1, job(id(1)), true);
    tell(&mut story, 1, &Event::Succeeded(Box::new(succeeded(1))));
    finish(story);
    let lines: Vec<serde_json::Value> = captured
        .out
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["hive"] == "gpu2"), "{lines:?}");
    assert_eq!(lines[1]["state"], "succeeded");
}
