//! What goes out: calls, map work, and what callers are told, once their record is committed.

use super::stage::{Committed, Suspicion};
use super::{Around, Mode, Protocol, Shown, Todo, Work, rest};
use asl_core::{Command, Effects, Input, MapCommand, Progress, TaskCall};

impl<C> Protocol<C> {
    /// After a crash, or a time outside memory: what is open goes out again.
    pub(super) fn take_up(&mut self, around: &Around<'_>) {
        let (tasks, map_work) = (self.machine.open_tasks(), self.machine.open_map_work());
        let mut again = self.machine.submitted_tasks();
        again.retain(|call| around.integrations.again(call));
        // Nothing is done for one that is to end: not even what ended the process before it. But its children and jobs are
        // stopped by its end, so they have to be known.
        let ends = self.signals.iter().any(|arrived| matches!(arrived.input, Input::Stop(_)));
        if ends {
            let children = map_work.into_iter().filter(|work| matches!(work, MapCommand::Start(_)));
            children.for_each(|command| self.map_work(command, around));
            let jobs = again.into_iter().filter(|call| around.integrations.mode(call) == Mode::Job);
            jobs.for_each(|call| self.dispatch(call, around));
        } else {
            tasks.into_iter().chain(again).for_each(|call| self.dispatch(call, around));
            map_work.into_iter().for_each(|command| self.map_work(command, around));
        }
        // It may have been in the middle of something.
        self.progress = Progress::Yielded;
    }

    /// What is committed may now be seen and done.
    pub(super) fn act(&mut self, committed: Committed<C>, around: &Around<'_>) {
        let Committed { now, effects, step, callers } = committed;
        self.progress = step.progress;
        let Effects { events, commands, notes, .. } = effects;
        self.todo.push_back(Todo::Show(Box::new(Shown { now, events, notes })));
        for command in commands {
            match command {
                Command::RunTask(call) => self.dispatch(*call, around),
                Command::CancelTask(task) => {
                    self.transactional.retain(|call| call.id != task);
                    if self.flight.remove(Work::Call(task)) {
                        self.todo.push_back(Todo::Cancel(task));
                    }
                }
                Command::Map(command) => self.map_work(command, around),
                Command::Finish(_) => {}
            }
        }
        self.settle(None);
        self.tell_callers(callers);
    }

    pub(super) fn dispatch(&mut self, call: TaskCall, around: &Around<'_>) {
        if around.draining {
            // The next owner hands it out.
            return;
        }
        match around.integrations.mode(&call) {
            Mode::Transactional => self.transactional.push_back(call),
            Mode::Remote | Mode::Job => {
                self.flight.insert(Work::Call(call.id));
                if call.submitted.is_some() {
                    self.flight.follows(call.id);
                }
                self.todo.push_back(Todo::Call(Box::new(call)));
            }
        }
    }

    pub(super) fn map_work(&mut self, command: MapCommand, around: &Around<'_>) {
        if around.draining {
            return;
        }
        match &command {
            MapCommand::Start(call) => self.flight.insert(Work::Child(call.run, call.child)),
            MapCommand::Read(read) => self.flight.insert(Work::File(read.run)),
            MapCommand::Write(write) => self.flight.insert(Work::File(write.run)),
            // It is in flight until its end is heard of.
            MapCommand::Stop { .. } => {}
        }
        self.todo.push_back(Todo::Map(Box::new(command)));
    }

    pub(super) fn tell_callers(&mut self, callers: Vec<(C, bool)>) {
        self.todo.extend(callers.into_iter().map(|(caller, has_place)| Todo::Tell(caller, has_place)));
    }

    /// It goes on: a suspect is on trial again.
    pub(super) fn stand_trial(&mut self) {
        if self.suspicion == Some(Suspicion::Waits) {
            self.suspicion = Some(Suspicion::OnTrial);
            self.todo.push_back(Todo::StandTrial);
        }
    }

    /// It is not to blame for what happens from now on: it has written a record, or waits for something outside.
    pub(super) fn settle(&mut self, then: Option<Suspicion>) {
        if self.suspicion == Some(Suspicion::OnTrial) {
            self.todo.push_back(Todo::Cleared);
        }
        self.suspicion = self.suspicion.and(then);
    }

    pub(super) fn is_at_work(&mut self) {
        self.linger_ms = rest::LINGER_MS;
        self.idle_since = None;
    }
}
