//! Rules of the protocol, one by one. The simulator tries them together.

use super::flight::InFlight;
use super::*;
use asl_core::{Execution, ExecutionType, MapRunId, TaskId};
use asl_store::SignalId;
use asl_syntax::{Options, Source, load};
use asl_value::Value;
use proptest::prelude::*;

const CALL: &str = r#"{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:F", "End": true}"#;
const TOKEN: &str = r#"{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
    "Parameters": {"FunctionName": "F", "Payload": {"t.$": "$$.Task.Token"}}}"#;
const WAIT: &str = r#"{"Type": "Wait", "Seconds": 60, "End": true}"#;

/// Everything is remote.
struct Remote;

impl Integrations for Remote {
    fn mode(&self, _: &TaskCall) -> Mode {
        Mode::Remote
    }

    fn again(&self, _: &TaskCall) -> bool {
        false
    }

    fn run_here(&self) -> bool {
        false
    }
}

fn around(now_ms: i64) -> Around<'static> {
    Around {
        now: Timestamp::from_millis(now_ms),
        draining: false,
        pressed: false,
        evicts: true,
        record: Budget { steps: 100, work: u64::MAX, bytes: 10_000 },
        integrations: &Remote,
    }
}

/// An execution of one state that was created at 0 ms; callers have names.
fn created(state: &str) -> Protocol<&'static str> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{"A": {state}}}}}"#));
    let mut machine = Machine::new(load(&source, &Options::default()).definition.expect("a definition"));
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:one".into(),
        name: "one".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
        role_arn: "".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: 1,
        token_key: None,
        input_text: "{}".into(),
        input: Value::empty_object(),
    };
    let (now, start) = (Timestamp::from_millis(0), Input::Start(Box::new(execution)));
    machine.handle(start.clone(), now).expect("a start");
    let step = machine.run(now, 100);
    let first = Recording::of(&mut machine, now, vec![start], step);
    Protocol::created(machine, first)
}

/// Does what there is to do until a rest or the end, and tells it, one word for each; machines run, and what is written is committed.
fn pump(protocol: &mut Protocol<&'static str>, around: &Around<'_>) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(todo) = protocol.next(around) {
        let is_last = matches!(todo, Todo::Wait { .. } | Todo::Evict { .. } | Todo::Finish(_) | Todo::HandOver);
        match todo {
            Todo::Run { now, budget } => {
                let step = protocol.machine_mut().run(now, budget);
                protocol.ran(step);
            }
            Todo::Write(write) => {
                let verdicts: String = write.taken.iter().map(|v| if v.taken { '+' } else { '-' }).collect();
                told.push(format!("write {}{verdicts}", write.record.inputs.len()));
                assert!(protocol.next(around).is_none(), "nothing is done before the commit");
                protocol.written();
            }
            Todo::Show(_) => {}
            Todo::Call(_) => told.push("call".to_owned()),
            Todo::Tell(caller, taken) => told.push(format!("{caller} {taken}")),
            Todo::Wait { until } => told.push(format!("wait {}", when(until))),
            Todo::Evict { due } => told.push(format!("evict {}", when(due))),
            Todo::Finish(outcome) => told.push(outcome.status().to_owned()),
            Todo::HandOver => told.push("hand over".to_owned()),
            Todo::Discard(signals) => told.push(format!("discard {}", signals.len())),
            other => panic!("{other:?}"),
        }
        if is_last {
            break;
        }
    }
    told
}

/// A time in milliseconds; an execution ends after a year.
fn when(at: Option<Timestamp>) -> String {
    match at.map(Timestamp::millis) {
        None | Some(31_536_000_000) => "for ever".to_owned(),
        Some(ms) => format!("until {ms}"),
    }
}

fn answer(output: i64) -> Input {
    Input::TaskSucceeded { task: TaskId(1), output: Value::from(output) }
}

fn submitted() -> News {
    let input = Some(Input::TaskSubmitted { task: TaskId(1), output: Value::Null });
    News { input, over: Some(Work::Call(TaskId(1))) }
}

fn from(caller: &'static str, output: i64) -> Arrived<&'static str> {
    Arrived { input: answer(output), from: From::Caller(caller) }
}

#[test]
fn an_answer_is_committed_before_its_end_is_told_and_a_late_one_leaves_no_trace() {
    let mut one = created(CALL);
    assert_eq!(pump(&mut one, &around(1)), ["call", "wait for ever"]);
    one.tell(News { input: Some(answer(1)), over: Some(Work::Call(TaskId(1))) });
    one.tell(News { input: Some(answer(2)), over: None });
    assert_eq!(pump(&mut one, &around(2)), ["write 1", "SUCCEEDED"]);
    assert!(one.next(&around(3)).is_none(), "it is over");
}

#[test]
fn of_two_answers_to_one_token_one_is_taken_and_each_sender_hears_which() {
    let mut one = created(TOKEN);
    pump(&mut one, &around(1));
    one.tell(submitted());
    pump(&mut one, &around(2));
    one.signal(from("first", 1));
    one.signal(from("second", 2));
    one.signal(Arrived { input: answer(3), from: From::Inbox(SignalId(7)) });
    assert_eq!(pump(&mut one, &around(3)), ["write 1-", "first true", "second false", "SUCCEEDED"]);
}

#[test]
fn a_signal_of_the_inbox_that_has_no_place_is_discarded_without_a_record() {
    let mut one = created(CALL);
    pump(&mut one, &around(1));
    let input = Input::TaskHeartbeat { task: TaskId(9) };
    one.signal(Arrived { input, from: From::Inbox(SignalId(7)) });
    assert_eq!(pump(&mut one, &around(2)), ["discard 1", "wait for ever"]);
}

#[test]
fn what_waits_for_its_time_leaves_memory_at_once_and_what_may_be_answered_lingers() {
    let mut waits = created(WAIT);
    assert_eq!(pump(&mut waits, &around(5)), ["evict until 60000"]);
    let mut token = created(TOKEN);
    pump(&mut token, &around(1));
    token.tell(submitted());
    assert_eq!(pump(&mut token, &around(10)), ["write 1", "wait until 260"]);
    assert_eq!(pump(&mut token, &Around { pressed: true, ..around(12) }), ["wait until 15"]);
    // A clock that was set back does not keep it in memory.
    assert_eq!(pump(&mut token, &around(-1000)), ["wait until -750"]);
    assert_eq!(pump(&mut token, &around(-750)), ["evict for ever"]);
    // Something comes at the last moment.
    token.signal(from("late", 1));
    token.stays();
    assert_eq!(pump(&mut token, &around(-700)), ["write 1", "late true", "SUCCEEDED"]);
}

#[test]
fn where_time_is_skipped_and_where_calls_are_under_way_nothing_leaves_memory() {
    let skipped = Around { evicts: false, ..around(5) };
    assert_eq!(pump(&mut created(WAIT), &skipped), ["wait until 60000"]);
    let mut calls = created(CALL);
    pump(&mut calls, &around(1));
    assert_eq!(pump(&mut calls, &around(1_000_000)), ["wait for ever"]);
}

#[test]
fn a_drain_begins_nothing_waits_for_calls_and_not_for_jobs() {
    let draining = |now_ms| Around { draining: true, ..around(now_ms) };
    // The call is the next owner's to make.
    assert_eq!(pump(&mut created(CALL), &draining(1)), ["hand over"]);
    let mut calls = created(CALL);
    pump(&mut calls, &around(1));
    assert_eq!(pump(&mut calls, &draining(2)), ["wait for ever"]);
    calls.tell(News { input: Some(answer(1)), over: Some(Work::Call(TaskId(1))) });
    assert_eq!(pump(&mut calls, &draining(3)), ["write 1", "SUCCEEDED"]);
    let mut job = created(
        &CALL
            .replace("arn:aws:lambda:us-east-1:123456789012:function:F", "arn:aws:states:::batch:submitJob.sync")
            .replace("\"End\"", r#""Parameters": {"JobName": "a", "JobQueue": "b", "JobDefinition": "c"}, "End""#),
    );
    pump(&mut job, &around(1));
    assert_eq!(pump(&mut job, &draining(2)), ["wait for ever"], "its start is not answered");
    job.tell(News { over: None, ..submitted() });
    assert_eq!(pump(&mut job, &draining(3)), ["write 1", "hand over"]);
}

#[test]
fn what_can_never_be_written_fails_by_name_and_was_taken_from_nobody() {
    let mut one = created(TOKEN);
    pump(&mut one, &around(1));
    one.tell(submitted());
    pump(&mut one, &around(2));
    let as_recorded = one.machine().clone();
    one.signal(from("large", 1));
    one.signal(Arrived { input: answer(2), from: From::Inbox(SignalId(7)) });
    let Some(Todo::Run { now, budget }) = one.next(&around(3)) else { panic!("a run") };
    let step = one.machine_mut().run(now, budget);
    one.ran(step);
    assert!(matches!(one.next(&around(3)), Some(Todo::Write(_))));
    one.unwritable();
    let todo: Vec<Todo<&str>> = std::iter::from_fn(|| one.next(&around(3))).collect();
    assert!(
        matches!(&todo[..], [Todo::Discard(signals), Todo::Tell("large", false), Todo::Rebuild] if *signals == [SignalId(7)]),
        "{todo:?}"
    );
    one.rebuilt(as_recorded, Failure::new("States.DataLimitExceeded", "too large"), Timestamp::from_millis(4));
    assert_eq!(pump(&mut one, &around(4)), ["write 1", "FAILED"]);
}

/// Each start and each end of a child looks at that child alone, however many are in flight.
#[test]
fn a_million_children_are_not_looked_at_each_time_that_one_starts() {
    const CHILDREN: u64 = 100_000;
    let mut flight = InFlight::default();
    for child in 0..CHILDREN {
        flight.insert(Work::Child(MapRunId(1), child));
        assert!(!flight.is_empty() && flight.maps() && !flight.calls());
    }
    for child in 0..CHILDREN {
        assert!(flight.remove(Work::Child(MapRunId(1), child)));
    }
    assert!(flight.is_empty() && !flight.maps());
    assert!(flight.looked as u64 <= 2 * CHILDREN, "{} were looked at", flight.looked);
}

proptest! {
    /// The counts are those of a list that is looked through.
    #[test]
    fn counts_are_those_of_a_list(steps in prop::collection::vec((0..4u8, 0..4u64), 0..60)) {
        let (mut flight, mut list) = (InFlight::default(), Vec::<(Work, bool)>::new());
        for (what, n) in steps {
            let work = [Work::Call(TaskId(n)), Work::Child(MapRunId(1), n), Work::File(MapRunId(n))][n as usize % 3];
            match what {
                0 | 1 => {
                    flight.insert(work);
                    list.retain(|(of, _)| *of != work);
                    list.push((work, false));
                }
                2 => {
                    prop_assert_eq!(flight.remove(work), list.iter().any(|(of, _)| *of == work));
                    list.retain(|(of, _)| *of != work);
                }
                _ => {
                    flight.follows(TaskId(n));
                    list.iter_mut().filter(|(of, _)| *of == Work::Call(TaskId(n))).for_each(|(_, job)| *job = true);
                }
            }
            let any = |is: fn(&(Work, bool)) -> bool| list.iter().any(is);
            prop_assert_eq!(flight.is_empty(), list.is_empty());
            prop_assert_eq!(flight.calls(), any(|(work, job)| matches!(work, Work::Call(_)) && !job));
            prop_assert_eq!(flight.files(), any(|(work, _)| matches!(work, Work::File(_))));
            prop_assert_eq!(flight.maps(), any(|(work, _)| !matches!(work, Work::Call(_))));
        }
    }
}
