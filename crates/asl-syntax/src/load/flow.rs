//! The top level, branches and processors: `StartAt` and `States`.

use super::{Loader, MAX_STATE_DEPTH};
use crate::diagnostic::Rule;
use crate::fields;
use crate::load::read::Range;
use crate::model::{Flow, FlowId, Language, StateId};
use crate::tree::Item;
use std::collections::HashMap;
use std::sync::Arc;

/// The states of the flow that is being read, and how they hang together.
pub(crate) struct Scope {
    pub(crate) flow: FlowId,
    pub(crate) ids: HashMap<Arc<str>, StateId>,
    /// Names in the order of the text; the state at `i` is the `first + i`th of all.
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) first: usize,
    pub(crate) start_at: Option<StateId>,
    /// From which state to which.
    pub(crate) edges: Vec<(StateId, StateId)>,
    /// A state ends the flow.
    pub(crate) ends: bool,
    /// Some transitions could not be read, so nothing can be said about what is missing.
    pub(crate) uncertain: bool,
    /// A transition leads nowhere: what it should lead to looks as if nothing did.
    pub(crate) astray: bool,
}

/// Where a nested flow runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    /// In the same execution.
    Inline,
    /// In executions of their own, which see no variables of this one.
    Execution {
        /// They are Express.
        express: bool,
    },
}

impl Loader<'_> {
    /// The whole definition.
    pub(crate) fn top(&mut self, item: &Item<'_>) {
        if let Some(language) = item.get("QueryLanguage") {
            self.machine_language = self.query_language(&language);
        }
        self.current.language = self.machine_language;
        self.known_fields(item, fields::TOP);
        self.comment = item.get("Comment").and_then(|comment| self.string(&comment));
        if let Some(version) = item.get("Version") {
            self.choice_of(&version, &["1.0"]);
        }
        let timeout = item.get("TimeoutSeconds");
        self.timeout_seconds = timeout.and_then(|t| self.integer(&t, Range::integer(1, 99_999_999)));
        self.flow(item, None);
    }

    /// Exactly `JSONPath` is JSONPath; anything else is judged as JSONata, besides being an error (as AWS does).
    pub(crate) fn query_language(&mut self, item: &Item<'_>) -> Language {
        match self.choice_of(item, &["JSONPath", "JSONata"]) {
            Some("JSONPath") => Language::JsonPath,
            _ => Language::Jsonata,
        }
    }

    /// `StartAt` and `States` of a branch or processor, with the fields of `table`.
    pub(crate) fn nested_flow(
        &mut self,
        item: &Item<'_>,
        table: fields::Table,
        owner: StateId,
        child: Child,
    ) -> FlowId {
        let outer = self.current.clone();
        self.current.language = self.machine_language;
        self.current.express |= child == Child::Execution { express: true };
        self.current.depth += 1;
        let flow = if self.current.depth > MAX_STATE_DEPTH {
            let message = format!("States are nested more than {MAX_STATE_DEPTH} levels deep");
            self.error(Rule::TooDeep, item, message).help("move the inner states into a state machine of their own");
            FlowId::TOP
        } else if self.object_of(item, table) {
            self.variables.enter(FlowId(self.flows.len() as u32), outer.flow, owner, child != Child::Inline);
            self.flow(item, Some(owner))
        } else {
            FlowId::TOP
        };
        self.current = outer;
        flow
    }

    fn flow(&mut self, item: &Item<'_>, owner: Option<StateId>) -> FlowId {
        let flow = FlowId(self.flows.len() as u32);
        self.flows.push(None);
        self.current.flow = flow;
        self.require(item, &["States", "StartAt"]);
        let states = item.get("States");
        let mut scope = self.scope(flow, states.as_ref());
        if let Some(start) = item.get("StartAt") {
            scope.start_at = self.find_target(&start, &mut scope);
        }
        for (i, (member, state)) in states.iter().flat_map(|s| s.members()).enumerate() {
            let id = StateId((scope.first + i) as u32);
            if !self.state_name(&member.key, member.key_span, &state) {
                scope.uncertain = true;
                continue;
            }
            let built = self.state(&state, id, &mut scope);
            self.states[id.0 as usize] = built;
        }
        self.check_graph(&scope, states.as_ref());
        let ids = (0..scope.names.len()).map(|i| StateId((scope.first + i) as u32)).collect();
        let start_at = scope.start_at;
        self.flows[flow.0 as usize] = start_at.map(|start_at| Flow { start_at, states: ids, owner });
        flow
    }

    /// Gives every state of the flow its id before any of them is read.
    fn scope(&mut self, flow: FlowId, states: Option<&Item<'_>>) -> Scope {
        let names: Vec<Arc<str>> = states.iter().flat_map(|s| s.members()).map(|(m, _)| m.key.clone()).collect();
        let first = self.states.len();
        self.states.extend(names.iter().map(|_| None));
        let ids = names.iter().enumerate().map(|(i, name)| (name.clone(), StateId((first + i) as u32))).collect();
        if let Some(states) = states {
            match states.node.as_object() {
                None => self.wrong_type(states, "OBJECT"),
                Some([]) => drop(self.error(Rule::EmptyValue, states, "Value cannot be empty")),
                Some(_) => {}
            }
        }
        let uncertain = names.is_empty();
        Scope { flow, ids, names, first, start_at: None, edges: Vec::new(), ends: false, uncertain, astray: false }
    }

    /// A transition from the state `from`.
    pub(crate) fn target(&mut self, item: &Item<'_>, from: StateId, scope: &mut Scope) -> Option<StateId> {
        let to = self.find_target(item, scope)?;
        scope.edges.push((from, to));
        Some(to)
    }

    fn find_target(&mut self, item: &Item<'_>, scope: &mut Scope) -> Option<StateId> {
        let Some(name) = self.string(item) else {
            scope.uncertain = true;
            return None;
        };
        if let Some(id) = scope.ids.get(&name) {
            return Some(*id);
        }
        if scope.names.is_empty() {
            return None;
        }
        scope.astray = true;
        let elsewhere = self.survey.states.get(&*name).map(|span| self.source.original_span(*span));
        let near = match elsewhere {
            Some(_) => None,
            None => self.suggest(&name, scope.names.iter().map(|name| &**name)),
        };
        let diagnostic = self.error(Rule::MissingTarget, item, format!("Missing 'Next' target: {name}"));
        if let Some(near) = near {
            diagnostic.help(format!("did you mean `{near}`?"));
        } else if let Some(span) = elsewhere {
            diagnostic.labels.push((span, "this state is outside of the branch or processor".to_owned()));
            diagnostic.help(
                "a transition cannot lead out of or into a branch or processor: end here with `\"End\": true`, and let \
                 the Map or Parallel state around it go on to that state",
            );
        }
        None
    }
}
