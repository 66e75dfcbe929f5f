//! A driver in virtual time: answers come from the record, children of map runs are machines of their own, and time
//! jumps to the next deadline.

use crate::bucket::Buckets;
use crate::dated;
use crate::handlers::Handlers;
use crate::mocks::Mocks;
use asl_core::items::load;
use asl_core::{ChildCall, Command, Event, Failure, Input, Machine, MapCommand, Outcome, Progress};
use asl_expr::Timestamp;
use asl_value::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// What a case brings along.
pub(crate) struct Fixtures<'c> {
    case: &'c Value,
    handlers: Handlers<'c>,
    buckets: RefCell<Buckets>,
}

impl<'c> Fixtures<'c> {
    pub(crate) fn new(case: &'c Value) -> Fixtures<'c> {
        Fixtures { case, handlers: Handlers::new(case), buckets: RefCell::new(Buckets::new(case)) }
    }
}

/// One execution and its clock.
pub(crate) struct World<'f, 'c> {
    machine: Machine,
    fixtures: &'f Fixtures<'c>,
    /// The recorded task results; none for children, whose tasks are not recorded.
    mocks: Option<Mocks<'c>>,
    now: Timestamp,
    inputs: VecDeque<Input>,
    /// Answers that come later: children that take their time.
    later: BTreeMap<(Timestamp, u64), Input>,
    answers: u64,
    /// The case stops its execution, which it does when that comes to rest for the first time.
    stop: Option<Failure>,
    pub(crate) events: Vec<Event>,
}

impl<'f, 'c> World<'f, 'c> {
    /// The world of the case's own execution.
    pub(crate) fn new(machine: Machine, fixtures: &'f Fixtures<'c>, now: Timestamp) -> World<'f, 'c> {
        let mocks = fixtures.case["task_results"].as_array().map(Mocks::new);
        let (inputs, later, events) = (VecDeque::new(), BTreeMap::new(), Vec::new());
        let stop = stop(&fixtures.case["fixtures"]["stop_execution"]);
        World { machine, fixtures, mocks, now, inputs, later, answers: 0, stop, events }
    }

    /// Runs to the end; `None` when nothing will ever happen again.
    pub(crate) fn run(&mut self, start: Input) -> Option<Outcome> {
        self.inputs.push_back(start);
        loop {
            if let Some(input) = self.inputs.pop_front() {
                // A late answer of an aborted sibling is nobody's; the machine says so.
                let _ = self.machine.handle(input, self.now);
            }
            let progress = self.machine.run(self.now, 10_000).progress;
            let effects = self.machine.take_effects();
            self.events.extend(effects.events);
            for command in effects.commands {
                self.obey(command);
            }
            match progress {
                Progress::Finished => return self.machine.outcome().cloned(),
                Progress::Quiescent if self.inputs.is_empty() => match self.stop.take() {
                    Some(reason) => self.inputs.push_back(Input::Stop(reason)),
                    None => self.wait()?,
                },
                Progress::Quiescent | Progress::Yielded => {}
            }
        }
    }

    /// Moves the clock to what happens next.
    fn wait(&mut self) -> Option<()> {
        let answer = self.later.first_key_value().map(|((at, _), _)| *at);
        let next = [answer, self.machine.next_deadline()].into_iter().flatten().min()?;
        self.now = self.now.max(next);
        if answer == Some(next) {
            self.inputs.extend(self.later.pop_first().map(|(_, input)| input));
        }
        Some(())
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::RunTask(call) => match &mut self.mocks {
                Some(mocks) => self.inputs.extend(mocks.answer(&call)),
                None => self.inputs.extend(self.fixtures.handlers.answer(&call)),
            },
            Command::Map(MapCommand::Read(read)) => {
                let run = read.run;
                let items = load(&read, &*self.fixtures.buckets.borrow());
                self.inputs.push_back(match items.and_then(|items| dated::items(self.fixtures.case, items)) {
                    Ok(items) => Input::MapItems { run, items },
                    Err(failure) => Input::MapFailed { run, failure },
                });
            }
            Command::Map(MapCommand::Start(call)) => self.child(*call),
            Command::Map(MapCommand::Write(write)) => {
                let run = write.run;
                self.fixtures.buckets.borrow_mut().write(*write);
                self.inputs.push_back(Input::MapWritten { run });
            }
            Command::Map(MapCommand::Stop { .. }) | Command::CancelTask(_) | Command::Finish(_) => {}
        }
    }

    /// Runs a child to its end; the parent hears of it when that time has come.
    fn child(&mut self, call: ChildCall) {
        let machine = Machine::new(self.machine.definition().clone());
        let mut world = World { mocks: None, stop: None, ..World::new(machine, self.fixtures, self.now) };
        let stuck = || Outcome::Failed(Failure::new("States.Runtime", "nothing moves the child on"));
        let outcome = world.run(Input::Start(Box::new(call.execution))).unwrap_or_else(stuck);
        self.answers += 1;
        let done = Input::ChildDone { run: call.run, child: call.child, outcome };
        self.later.insert((world.now, self.answers), done);
    }
}

/// The reason of a stop: `{error?, cause?}`, or true for none.
fn stop(fixture: &Value) -> Option<Failure> {
    let text = |v: &Value| v.as_str().map(Into::into);
    match fixture {
        Value::Null | Value::Bool(false) => None,
        reason => Some(Failure { error: text(&reason["error"]), cause: text(&reason["cause"]) }),
    }
}
