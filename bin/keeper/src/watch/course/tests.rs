//! The table of decisions: what each signal, key and event does at each point of a course.

use uuid::Uuid;

use super::*;

const SUBMITTER: Role = Role::Submitter {
    on_term: OnTerm::Leave,
};
const CANCELLING_SUBMITTER: Role = Role::Submitter {
    on_term: OnTerm::Cancel,
};
const INTERRUPT: Input = Input::Signal(Signal::Interrupt);

fn id(number: u128) -> JobId {
    JobId::new(Uuid::from_u128(number))
}

fn cancel(numbers: &[u128]) -> Decision {
    cancel_by(Signal::Interrupt, numbers)
}

fn cancel_by(signal: Signal, numbers: &[u128]) -> Decision {
    Decision::Cancel(numbers.iter().map(|number| id(*number)).collect(), signal)
}

/// A course in which the jobs 1, 2, … are followed.
fn following(role: Role, jobs: u128) -> Course {
    let mut course = Course::new(role, usize::try_from(jobs).unwrap());
    for (index, number) in (1..=jobs).enumerate() {
        assert_eq!(
            course.handle(Input::Accepted(index, id(number))),
            Decision::GoOn
        );
    }
    course
}

fn finish(ending: Ending, too_late: bool) -> Decision {
    Decision::Finish(Outcome { ending, too_late })
}

#[test]
fn the_first_signal_cancels_or_leaves_by_role() {
    use Signal::{HangUp, Interrupt, Quit, Terminate};
    let goes_on = |signal| Decision::Leave(Leaving::JobsGoOn(signal));
    let cases = [
        (SUBMITTER, Interrupt, cancel(&[1])),
        (SUBMITTER, Terminate, goes_on(Terminate)),
        (SUBMITTER, HangUp, goes_on(HangUp)),
        (SUBMITTER, Quit, goes_on(Quit)),
        (CANCELLING_SUBMITTER, Interrupt, cancel(&[1])),
        (CANCELLING_SUBMITTER, Terminate, cancel_by(Terminate, &[1])),
        (CANCELLING_SUBMITTER, HangUp, cancel_by(HangUp, &[1])),
        (CANCELLING_SUBMITTER, Quit, goes_on(Quit)),
        (Role::Looker, Interrupt, goes_on(Interrupt)),
        (Role::Looker, Terminate, goes_on(Terminate)),
        (Role::Looker, HangUp, goes_on(HangUp)),
        (Role::Looker, Quit, goes_on(Quit)),
    ];
    for (role, signal, decision) in cases {
        let mut course = following(role, 1);
        assert_eq!(
            course.handle(Input::Signal(signal)),
            decision,
            "{role:?} {signal:?}"
        );
    }
}

#[test]
fn a_second_signal_leaves_as_soon_as_the_cancel_is_on_its_way() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    assert_eq!(course.handle(INTERRUPT), Decision::Hurry);
    let leaving = Leaving::CancelUnconfirmed(Signal::Interrupt);
    assert_eq!(course.handle(Input::Deadline), Decision::Leave(leaving));
    assert_eq!(leaving.ending(), Ending::Signal(2));
    assert_eq!(course.unended(), [(0, Some(id(1)))]);
}

#[test]
fn a_third_signal_leaves_whatever_is_on_its_way() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    assert_eq!(course.handle(INTERRUPT), Decision::Hurry);
    let leaving = Leaving::CancelUnconfirmed(Signal::Interrupt);
    assert_eq!(course.handle(INTERRUPT), Decision::Leave(leaving));
}

#[test]
fn a_signal_that_comes_twice_from_one_cause_cancels_as_one_does() {
    let mut course = following(CANCELLING_SUBMITTER, 1);
    let terminate = Input::Signal(Signal::Terminate);
    assert_eq!(course.handle(terminate), cancel_by(Signal::Terminate, &[1]));
    assert_eq!(course.handle(terminate), Decision::Hurry);
    assert_eq!(
        course.handle(Input::Ended(0, End::Cancelled)),
        finish(Ending::Signal(15), false)
    );
}

#[test]
fn a_cancel_that_is_confirmed_ends_by_the_signal() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    assert_eq!(
        course.handle(Input::Ended(0, End::Cancelled)),
        finish(Ending::Signal(2), false)
    );
    let mut course = following(CANCELLING_SUBMITTER, 1);
    let terminate = Signal::Terminate;
    assert_eq!(
        course.handle(Input::Signal(terminate)),
        cancel_by(terminate, &[1])
    );
    assert_eq!(
        course.handle(Input::Ended(0, End::Cancelled)),
        finish(Ending::Signal(15), false)
    );
}

#[test]
fn a_cancel_that_came_too_late_ends_as_the_success_it_is() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    assert_eq!(
        course.handle(Input::Ended(0, End::Succeeded)),
        finish(Ending::DONE, true)
    );
}

#[test]
fn a_failure_while_cancelling_ends_as_the_failure_it_is() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    assert_eq!(
        course.handle(Input::Ended(0, End::Failed { retryable: true })),
        finish(Ending::Code(exit_code::TRY_AGAIN), false)
    );
}

#[test]
fn a_cancel_without_a_last_event_in_time_leaves_by_the_signal() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(Input::Deadline), Decision::GoOn);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    let leaving = Leaving::CancelTimedOut(Signal::Interrupt);
    assert_eq!(course.handle(Input::Deadline), Decision::Leave(leaving));
}

#[test]
fn an_interrupt_during_the_submission_cancels_as_soon_as_the_id_is_there() {
    let mut course = Course::new(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[]));
    assert_eq!(course.handle(Input::Accepted(0, id(1))), cancel(&[1]));
    assert_eq!(
        course.handle(Input::Ended(0, End::Cancelled)),
        finish(Ending::Signal(2), false)
    );
}

#[test]
fn an_interrupted_submission_that_is_refused_ends_by_the_signal() {
    let mut course = Course::new(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[]));
    assert_eq!(
        course.handle(Input::Ended(0, End::Refused(exit_code::UNREACHABLE))),
        finish(Ending::Signal(2), false)
    );
}

#[test]
fn the_leave_key_leaves_once_every_job_has_its_id() {
    let mut course = following(SUBMITTER, 1);
    let left = Decision::Leave(Leaving::Detached);
    assert_eq!(course.handle(Input::LeaveKey), left);
    assert_eq!(Leaving::Detached.ending(), Ending::DONE);

    let mut course = Course::new(SUBMITTER, 2);
    assert_eq!(course.handle(Input::LeaveKey), Decision::GoOn);
    assert_eq!(course.handle(Input::Accepted(0, id(1))), Decision::GoOn);
    assert_eq!(course.handle(Input::Accepted(1, id(2))), left);
}

#[test]
fn the_leave_key_does_nothing_after_a_cancel_and_for_one_who_looks() {
    let mut course = following(SUBMITTER, 1);
    assert_eq!(course.handle(INTERRUPT), cancel(&[1]));
    assert_eq!(course.handle(Input::LeaveKey), Decision::GoOn);
    let mut course = following(Role::Looker, 1);
    assert_eq!(course.handle(Input::LeaveKey), Decision::GoOn);
}

#[test]
fn one_interrupt_cancels_every_job_that_has_not_ended() {
    let mut course = following(SUBMITTER, 3);
    assert_eq!(
        course.handle(Input::Ended(1, End::Succeeded)),
        Decision::GoOn
    );
    assert_eq!(course.handle(INTERRUPT), cancel(&[1, 3]));
    assert_eq!(
        course.handle(Input::Ended(0, End::Cancelled)),
        Decision::GoOn
    );
    assert_eq!(
        course.handle(Input::Ended(2, End::Succeeded)),
        finish(Ending::Signal(2), false)
    );
}

#[test]
fn without_a_signal_the_worst_end_counts() {
    let ends = [
        (End::Succeeded, End::Succeeded, exit_code::DONE),
        (
            End::Succeeded,
            End::Failed { retryable: true },
            exit_code::TRY_AGAIN,
        ),
        (
            End::Failed { retryable: false },
            End::Failed { retryable: true },
            exit_code::FAILED,
        ),
        (
            End::Refused(4),
            End::Failed { retryable: false },
            exit_code::UNAUTHORISED,
        ),
        (End::Succeeded, End::Cancelled, exit_code::CANCELLED),
    ];
    for (first, second, code) in ends {
        let mut course = following(SUBMITTER, 2);
        assert_eq!(course.handle(Input::Ended(0, first)), Decision::GoOn);
        let finished = finish(Ending::Code(code), false);
        assert_eq!(
            course.handle(Input::Ended(1, second)),
            finished,
            "{first:?} {second:?}"
        );
    }
}
