//! What people do to the course of an execution: begin it at another state, and end a wait before its time.

use crate::event::EventId;
use crate::input::{Rejected, Rerun};
use crate::machine::Machine;
use crate::scope::{Phase, ScopeId};
use crate::timers::Timer;
use asl_syntax::model::FlowId;

impl Machine {
    /// Begins at another state of the top level, with what that state had when it was entered.
    pub(crate) fn begin_elsewhere(&mut self, rerun: &Rerun) -> Result<(), Rejected> {
        let is_new = self.last_event() == 1 && self.flow == FlowId::TOP;
        if !is_new || !matches!(self.scopes.get(ScopeId::ROOT).phase, Phase::Enter) {
            return Err(Rejected::OutOfOrder);
        }
        let definition = self.definition().clone();
        let states = &definition.flow(FlowId::TOP).states;
        let state = states.iter().find(|id| definition.state(**id).name == rerun.state).ok_or(Rejected::NoSuchState)?;
        let root = self.scopes.get_mut(ScopeId::ROOT);
        root.state = *state;
        root.input = rerun.input.clone();
        let variables = rerun.variables.as_object().into_iter().flatten();
        root.variables = variables.map(|(name, value)| (name.as_ref().into(), value.clone())).collect();
        Ok(())
    }

    /// Ends what a state waits for, if that is nothing but a time.
    pub(crate) fn hurry(&mut self, entered: EventId) -> Result<(), Rejected> {
        let waits = |id: &ScopeId| {
            self.scopes.get(*id).timers.iter().any(|key| self.timers.get(*key) == Some(Timer::Wake(*id)))
        };
        let of_event = self.scopes.alive().filter(|(_, scope)| scope.entered == entered).map(|(id, _)| id);
        let id = of_event.filter(waits).next().ok_or(Rejected::NotWaiting)?;
        self.cancel_timer(id, Timer::Wake(id));
        self.wake(id);
        Ok(())
    }
}
