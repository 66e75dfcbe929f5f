//! Which states can be reached, and whether anything ends.

use crate::diagnostic::{Diagnostic, Rule};
use crate::load::Loader;
use crate::load::flow::Scope;
use crate::model::FlowId;
use crate::tree::Item;

impl Loader<'_> {
    /// The graph of one flow. Nothing is said where some transitions could not be read.
    pub(crate) fn check_graph(&mut self, scope: &Scope, states: Option<&Item<'_>>) {
        let Some(states) = states.filter(|_| !scope.uncertain) else { return };
        // AWS lists what a transition that leads nowhere leaves unreachable; to people one mistake is told once.
        if scope.astray && self.options.lints {
            return;
        }
        if !scope.ends && scope.flow == FlowId::TOP {
            // AWS gives no location, and then looks for nothing that cannot be reached.
            let mut diagnostic = Diagnostic::new(Rule::NoEnd, "Workflow has no terminal state");
            diagnostic.span = Some(self.source.original_span(states.node.span));
            diagnostic.help("end one of the states with `\"End\": true`, or lead to a Succeed or Fail state");
            self.keep(diagnostic);
            return;
        }
        if !scope.ends {
            self.error(Rule::EndlessBranch, states, "No state ends this branch or processor")
                .help("end one of the states with `\"End\": true`, or lead to a Succeed or Fail state");
        }
        if scope.start_at.is_none() {
            return;
        }
        for ((member, state), reached) in states.members().zip(scope.reached()) {
            if !reached {
                let message = format!("State \"{}\" is not reachable.", member.key);
                self.error_at(Rule::Unreachable, &state, member.key_span, message)
                    .help("name it in a `Next`, `Default` or `Catch`, or remove it");
            }
        }
    }
}

impl Scope {
    /// For each state of the flow, whether a way leads to it from `StartAt`.
    fn reached(&self) -> Vec<bool> {
        let place = |id: crate::model::StateId| id.0 as usize - self.first;
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.names.len()];
        for (from, to) in &self.edges {
            next[place(*from)].push(place(*to));
        }
        let mut reached = vec![false; self.names.len()];
        let mut open: Vec<usize> = self.start_at.map(place).into_iter().collect();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(&next[at]);
            }
        }
        reached
    }
}
