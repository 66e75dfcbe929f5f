//! Those outside: clients who ask and want an answer, functions and workers who are asked.

use super::process::Delivery;
use super::{Entry, Sim, Weather};
use crate::Sabotage;
use crate::store::Exec;
use crate::world::{self, Handed};
use asl_core::{Failure, Input, MapRunId, TaskCall, TaskId, draw, read_task_token};
use asl_engine::protocol::{News, Work};
use asl_syntax::Pattern;
use asl_value::Value;

/// Something a client asks for, again and again until he hears how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    /// Start an execution of the scenario.
    Start(usize),
    /// Stop one.
    Stop(usize),
    /// Answer a task by its token: the so-manieth thing said of it.
    Token(Exec, TaskId, usize),
}

impl Sim<'_> {
    pub(super) fn ask_later(&mut self, after_ms: i64, ask: Ask) {
        self.plan(after_ms, Entry::Ask(ask));
    }

    /// Nobody there: the client tries again.
    pub(super) fn ask_again(&mut self, ask: Ask) {
        let after_ms = if self.weather == Weather::Storm { 200 + self.dice.below(2000) as i64 } else { 500 };
        self.ask_later(after_ms, ask);
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        if self.process.is_none() && (matches!(ask, Ask::Start(_)) || !self.is_from_elsewhere(ask)) {
            return self.ask_again(ask);
        }
        match ask {
            Ask::Start(n) => self.ask_start(n),
            Ask::Stop(n) => {
                let found = self.store.find(&self.scenario.executions[n].arn);
                match found {
                    Some(exec) => self.ask_driver(exec, Input::Stop(Failure::new("stopped", "by hand")), ask),
                    None => self.ask_again(ask),
                }
            }
            Ask::Token(exec, task, k) => {
                let token = self.world.handed.get(&(exec, task)).and_then(|handed| handed.call.token.clone());
                let named = token.as_deref().and_then(read_task_token);
                let found = named.and_then(|(arn, named)| Some((self.store.find(&arn)?, named)));
                if found != Some((exec, task)) {
                    return self.break_rule(format!("the token of {task:?} of {exec:?} leads to {found:?}"));
                }
                let input = self.world.said[&(exec, task)][k].input.clone();
                self.ask_driver(exec, input, ask);
            }
        }
    }

    fn ask_driver(&mut self, exec: Exec, input: Input, ask: Ask) {
        if self.store.row(exec).outcome.is_some() {
            // It is told that the execution has ended.
            return;
        }
        if self.store.row(exec).set_aside {
            // An answer by token waits until it is taken again.
            return match input {
                Input::Stop(_) => self.stop_set_aside(exec, input, ask),
                _ => self.ask_again(ask),
            };
        }
        if self.is_from_elsewhere(ask) {
            self.stats.left += 1;
            self.store.signal(exec, input, ask);
            return self.soon(30, Entry::Poll);
        }
        self.asking.insert(ask);
        if !self.signal_here(exec, input, Some(ask)) {
            self.asking.remove(&ask);
            return self.ask_again(ask);
        }
        if self.has(Sabotage::AcknowledgeBeforeWrite) {
            self.acknowledge(ask);
        }
    }

    /// Whether a client is in another process, and so leaves what it asks for in the inbox.
    fn is_from_elsewhere(&self, ask: Ask) -> bool {
        let draws = match ask {
            Ask::Start(n) | Ask::Stop(n) => n,
            Ask::Token(exec, task, k) => exec.0 + k + task.0 as usize,
        };
        matches!(self.weather, Weather::Storm | Weather::Kills) && draws % 2 == 1
    }

    /// The client hears that it is done.
    pub(super) fn acknowledge(&mut self, ask: Ask) {
        self.asking.remove(&ask);
        self.acknowledged.insert(ask);
        self.stats.acknowledged += 1;
    }

    /// The client hears that it has no place: the task or the execution is over.
    pub(super) fn refuse(&mut self, ask: Ask) {
        self.asking.remove(&ask);
    }

    /// A task goes out. It must be in the journal by now, must not be over, and only a new driver may ask again.
    pub(super) fn hand_out(&mut self, exec: Exec, driver: u64, call: TaskCall) {
        let row = self.store.row(exec);
        let place = (exec, call.id);
        if row.last_event < call.entered {
            return self.break_rule(format!("{:?} of {exec:?} was handed out before it was written", call.id));
        }
        if self.world.settled.contains(&place) {
            return self.break_rule(format!("{:?} of {exec:?} was handed out although it is over", call.id));
        }
        let other = if self.has(Sabotage::OtherKey) { driver } else { 0 };
        let key = draw(row.execution.seed, call.id.0, other);
        let execution_seed = row.execution.seed;
        if let Some(before) = self.world.handed.get_mut(&place) {
            before.times += 1;
            let same = before.key == key
                && before.call.parameters == call.parameters
                && before.call.token == call.token
                && before.call.resource == call.resource;
            let before_driver = std::mem::replace(&mut before.driver, driver);
            let same_driver = before_driver == driver;
            if !same {
                return self.break_rule(format!("{:?} of {exec:?} was handed out again as another call", call.id));
            }
            if same_driver {
                return self.break_rule(format!("{:?} of {exec:?} was handed out twice without a crash", call.id));
            }
            let is_job = matches!(call.resource.pattern(), Pattern::Sync | Pattern::Sync2);
            if self.handed_over.contains(&before_driver) && !is_job {
                return self
                    .break_rule(format!("{:?} of {exec:?} was under way when its process had drained", call.id));
            }
            self.stats.repeated_calls += 1;
            if matches!(self.weather, Weather::Calm | Weather::CrashAfterEachRecord) {
                // The world is at it already, and knows the key.
                return;
            }
        } else {
            self.world.handed.insert(place, Handed { call: call.clone(), key, times: 1, driver });
        }
        let planned = world::plan(self.scenario.seed, execution_seed, &call);
        let said = self.world.said.entry(place).or_default();
        let first = said.len();
        said.extend(planned.iter().cloned());
        for (k, said) in (first..).zip(planned) {
            let entry =
                if said.by_token { Entry::Ask(Ask::Token(exec, call.id, k)) } else { Entry::Answer(exec, call.id, k) };
            self.plan(said.after_ms, entry);
        }
    }

    pub(super) fn answer(&mut self, exec: Exec, task: TaskId, k: usize) {
        let input = self.world.said[&(exec, task)][k].input.clone();
        // The call is over with its last word; one that is answered by token, with its first.
        let is_last = match &input {
            Input::TaskSucceeded { .. } | Input::TaskFailed { .. } | Input::TaskRejected { .. } => true,
            Input::TaskSubmitted { .. } => {
                self.world.handed.get(&(exec, task)).is_some_and(|handed| world::waits_for_token(&handed.call))
            }
            _ => false,
        };
        let over = is_last.then_some(Work::Call(task));
        self.deliver(exec, Delivery::News(News { input: Some(input), over }));
    }

    pub(super) fn items(&mut self, exec: Exec, run: MapRunId) {
        let seed = self.store.row(exec).execution.seed ^ self.scenario.seed;
        let input = match draw(seed, run.0, 1) % 8 {
            0 => Input::MapFailed { run, failure: Failure::new("States.ItemReaderFailed", "no such file") },
            n => Input::MapItems { run, items: (0..n % 4).map(Value::from).collect() },
        };
        self.deliver(exec, Delivery::News(News { input: Some(input), over: Some(Work::File(run)) }));
    }

    pub(super) fn written(&mut self, exec: Exec, run: MapRunId) {
        let input = Some(Input::MapWritten { run });
        self.deliver(exec, Delivery::News(News { input, over: Some(Work::File(run)) }));
    }
}
