//! What people do to the course of an execution: begin it at another state, and end a wait before its time.

use crate::event::EventId;
use crate::input::{Rejected, Rerun};
use crate::machine::Machine;
use crate::scope::{Phase, Scope, ScopeId};
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
        let wakes = |id: ScopeId| move |timer: Option<Timer>| timer == Some(Timer::Wake(id));
        let waits = |id: ScopeId, scope: &Scope| scope.timers.iter().map(|key| self.timers.get(*key)).any(wakes(id));
        let found = self.scopes.alive().find(|(id, scope)| scope.entered == entered && waits(*id, scope));
        let id = found.map(|(id, _)| id).ok_or(Rejected::NotWaiting)?;
        self.cancel_timer(id, Timer::Wake(id));
        self.wake(id);
        Ok(())
    }
}
