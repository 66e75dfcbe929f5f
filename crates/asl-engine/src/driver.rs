//! The driver of one execution: owns its machine, writes first, then acts.

use crate::BUDGET;
use crate::calls::{self, Calls};
use crate::engine::{Inner, Update, now};
use crate::error::EngineError;
use crate::maps::MapWork;
use asl_core::{Command, Effects, Execution, Failure, Input, Machine, MapCommand, Outcome, Progress, Step, TaskCall};
use asl_expr::Timestamp;
use asl_journal::{Append, Definition as Stored, ExecutionId, NewExecution, Record};
use asl_task::Backend;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many answers may wait for a driver; whoever has another one waits.
const INBOX: usize = 64;
/// How long a driver sleeps at most before it looks at the clock again: the wall clock may be set while it sleeps.
const NAP: Duration = Duration::from_secs(60);

pub(crate) struct Driver {
    inner: Arc<Inner>,
    id: ExecutionId,
    machine: Machine,
    inbox: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
    calls: Calls,
    maps: MapWork,
    embedded: VecDeque<TaskCall>,
    progress: Progress,
}

impl Driver {
    /// Starts an execution: definition, header and first record are written together.
    pub(crate) async fn create(
        inner: Arc<Inner>,
        mut machine: Machine,
        execution: Execution,
        definition: Stored,
    ) -> Result<Driver, EngineError> {
        let now = now();
        let name = execution.name.to_string();
        let start = Input::Start(Box::new(execution.clone()));
        let inputs = vec![start.clone()];
        machine.handle(start, now).map_err(|_| EngineError::AlreadyExists { name: name.clone() })?;
        let step = machine.run(now, BUDGET);
        let effects = machine.take_effects();
        let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
        let outcome = machine.outcome().cloned();
        let new = NewExecution { definition: Arc::new(definition), execution: Arc::new(execution), record, outcome };
        let id = inner.journal.create(new).await.map_err(|e| match e {
            asl_journal::JournalError::AlreadyExists { .. } => EngineError::AlreadyExists { name },
            other => other.into(),
        })?;
        let mut driver = Driver::new(inner, machine, id);
        driver.act(now, effects, step);
        Ok(driver)
    }

    /// Continues an execution whose machine was rebuilt from its records.
    pub(crate) fn resume(inner: Arc<Inner>, machine: Machine, id: ExecutionId) -> Driver {
        let (tasks, map_work) = (machine.open_tasks(), machine.open_map_work());
        let mut driver = Driver::new(inner, machine, id);
        tasks.into_iter().for_each(|call| driver.dispatch(call));
        map_work.into_iter().for_each(|command| driver.map_work(command));
        // It may have been in the middle of something.
        driver.progress = Progress::Yielded;
        driver
    }

    /// Redrives an execution whose machine was rebuilt from its records and can be redriven.
    pub(crate) async fn redrive(inner: Arc<Inner>, machine: Machine, id: ExecutionId) -> Result<Driver, EngineError> {
        let mut driver = Driver::new(inner, machine, id);
        driver.step(vec![Input::Redrive]).await?;
        Ok(driver)
    }

    fn new(inner: Arc<Inner>, machine: Machine, id: ExecutionId) -> Driver {
        let (sender, inbox) = mpsc::channel(INBOX);
        let calls = Calls::default();
        let progress = Progress::Yielded;
        let maps = MapWork::default();
        Driver { inner, id, machine, inbox, sender, calls, maps, embedded: VecDeque::new(), progress }
    }

    pub(crate) fn inbox(&self) -> mpsc::Sender<Input> {
        self.sender.clone()
    }

    /// Runs the execution to its end.
    pub(crate) async fn drive(mut self) -> Result<Outcome, EngineError> {
        loop {
            if let Some(outcome) = self.machine.outcome() {
                return Ok(outcome.clone());
            }
            if let Some(call) = self.embedded.pop_front() {
                self = self.run_embedded(call).await?;
                continue;
            }
            let inputs = if self.progress == Progress::Yielded { Vec::new() } else { self.wait().await };
            self.step(inputs).await?;
        }
    }

    /// Waits for answers or the next deadline.
    async fn wait(&mut self) -> Vec<Input> {
        let nap = match self.machine.next_deadline() {
            Some(deadline) => until(deadline).min(NAP),
            None => NAP,
        };
        let mut inputs = Vec::new();
        tokio::select! {
            // The driver holds a sender itself, so the channel is never closed.
            first = self.inbox.recv() => inputs.extend(first),
            () = tokio::time::sleep(nap) => {}
        }
        while let Ok(more) = self.inbox.try_recv() {
            inputs.push(more);
        }
        inputs
    }

    /// One run of the machine: take in, work, write, act.
    async fn step(&mut self, inputs: Vec<Input>) -> Result<(), EngineError> {
        let now = now();
        // A late answer has no place any more, and leaves no trace.
        let taken: Vec<Input> =
            inputs.into_iter().filter(|input| self.machine.handle(input.clone(), now).is_ok()).collect();
        let step = self.machine.run(now, BUDGET);
        let effects = self.machine.take_effects();
        if taken.is_empty() && step.steps == 0 && effects.events.is_empty() {
            self.progress = step.progress;
            return Ok(());
        }
        let record = Record { now, inputs: taken, steps: step.steps, events: effects.events.clone() };
        self.inner.journal.append(self.id, record, self.machine.outcome()).await?;
        self.act(now, effects, step);
        Ok(())
    }

    /// What was written may now be seen and done.
    fn act(&mut self, now: Timestamp, effects: Effects, step: Step) {
        self.progress = step.progress;
        if let (Some(observer), Some(execution)) = (&self.inner.observer, self.machine.execution()) {
            observer.observe(&Update { execution, now, events: &effects.events, notes: &effects.notes });
        }
        for command in effects.commands {
            match command {
                Command::RunTask(call) => self.dispatch(*call),
                Command::CancelTask(task) => {
                    self.calls.cancel(task);
                    self.embedded.retain(|call| call.id != task);
                }
                Command::Map(command) => self.map_work(command),
                Command::Finish(_) => {}
            }
        }
    }

    fn dispatch(&mut self, call: TaskCall) {
        if let Some(answer) = self.inner.backends.mocks.answer(&call.state, call.invocation) {
            return self.calls.say(call.id, calls::mocked(&call, answer), self.sender.clone());
        }
        match self.inner.backends.resolve(&call.resource) {
            Ok(Backend::Embedded { .. }) => self.embedded.push_back(call),
            Ok(backend) => {
                let Some(execution) = self.machine.execution().cloned() else { return };
                self.calls.spawn(self.inner.clone(), execution, backend, call, self.sender.clone());
            }
            // The definition was stored by an engine with more backends.
            Err(missing) => {
                let failure = Failure::new("States.Runtime", missing.to_string());
                self.calls.say(call.id, vec![Input::TaskFailed { task: call.id, failure }], self.sender.clone());
            }
        }
    }

    fn map_work(&mut self, command: MapCommand) {
        let definition = self.machine.definition().clone();
        self.maps.work(self.inner.clone(), definition, command, self.sender.clone());
    }

    /// Runs a task of an embedded service: its effect and the record of it are one transaction. The machine goes into the
    /// transaction and comes back out of it; if the transaction fails, the driver ends and the records have the truth.
    async fn run_embedded(self, call: TaskCall) -> Result<Driver, EngineError> {
        let Driver { inner, id, mut machine, inbox, sender, calls, maps, embedded, .. } = self;
        let backends = inner.clone();
        let (machine, now, effects, step) = inner
            .journal
            .transact(move |tx| {
                Box::pin(async move {
                    let now = now();
                    let answers = calls::call_embedded(&backends, tx, &machine, &call, now).await?;
                    let inputs: Vec<Input> =
                        answers.into_iter().filter(|input| machine.handle(input.clone(), now).is_ok()).collect();
                    let step = machine.run(now, BUDGET);
                    let effects = machine.take_effects();
                    let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
                    let append = Append { execution: id, record, outcome: machine.outcome().cloned() };
                    Ok::<_, EngineError>(((machine, now, effects, step), Some(append)))
                })
            })
            .await?;
        inner.deliveries.notify_one();
        let mut driver =
            Driver { inner, id, machine, inbox, sender, calls, maps, embedded, progress: Progress::Quiescent };
        driver.act(now, effects, step);
        Ok(driver)
    }
}

fn until(deadline: Timestamp) -> Duration {
    let ms = deadline.millis().saturating_sub(now().millis());
    // A deadline finer than a millisecond must not be met a moment early.
    Duration::from_millis(u64::try_from(ms).unwrap_or(0).saturating_add(u64::from(ms >= 0)))
}
