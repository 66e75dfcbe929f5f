//! Variables: who assigns, who reads, and which scope sees what (AWS: variables of an outer scope can be read in an inner
//! one but not assigned; the children of a Distributed Map see none of them).

use crate::diagnostic::Rule;
use crate::load::Loader;
use crate::model::{FlowId, StateId};
use crate::tree::Item;
use asl_value::Span;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Every place that names a variable.
#[derive(Default)]
pub(crate) struct Variables {
    /// The flow around each flow, when its variables are seen, and the state in it that this flow belongs to.
    parents: HashMap<FlowId, (FlowId, StateId)>,
    assigned: Vec<Mention>,
    read: Vec<Mention>,
    /// Every `$name` in an expression in JSONata, also those that name a function of the language.
    words: HashSet<String>,
    /// How many bytes the locations of all mentions take.
    bytes: usize,
}

/// How many bytes the locations of all mentions may take; those beyond have none.
const MAX_LOCATION_BYTES: usize = 8 << 20;

#[derive(Clone)]
struct Mention {
    flow: FlowId,
    state: StateId,
    name: Arc<str>,
    span: Span,
    location: Option<String>,
}

/// Where each variable of a flow is assigned, in the order of the text.
type Assigned<'v> = HashMap<(FlowId, &'v str), Vec<&'v Mention>>;

impl Variables {
    /// Tells that `flow` belongs to the state `owner` of `parent`, and whether it is cut off from its variables.
    pub(crate) fn enter(&mut self, flow: FlowId, parent: FlowId, owner: StateId, isolated: bool) {
        if !isolated {
            self.parents.insert(flow, (parent, owner));
        }
    }

    /// The flow and those around it whose variables it sees, from the inside out.
    fn visible(&self, flow: FlowId) -> impl Iterator<Item = FlowId> + '_ {
        std::iter::successors(Some(flow), |flow| self.parents.get(flow).map(|(parent, _)| *parent))
    }

    /// The states around a flow, each with its own flow, from the inside out.
    fn around(&self, flow: FlowId) -> impl Iterator<Item = (FlowId, StateId)> + '_ {
        std::iter::successors(self.parents.get(&flow), |(parent, _)| self.parents.get(parent)).copied()
    }
}

impl Loader<'_> {
    /// The current state assigns a variable.
    pub(crate) fn note_assigned(&mut self, name: &str, span: Span, item: &Item<'_>) {
        let mention = self.mention(name, span, item);
        self.variables.assigned.push(mention);
    }

    /// The current state reads a variable.
    pub(crate) fn note_variable_read(&mut self, name: &str, span: Span, item: &Item<'_>) {
        let mention = self.mention(name, span, item);
        self.variables.read.push(mention);
    }

    /// An expression names these, whatever they are.
    pub(crate) fn note_words(&mut self, expression: &str) {
        for (_, after) in expression.match_indices('$').map(|(at, _)| expression.split_at(at + 1)) {
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
            if !self.variables.words.contains(&after[..end]) {
                self.variables.words.insert(after[..end].to_owned());
            }
        }
    }

    fn mention(&mut self, name: &str, span: Span, item: &Item<'_>) -> Mention {
        let location = (self.variables.bytes < MAX_LOCATION_BYTES).then(|| item.location());
        self.variables.bytes += location.as_ref().map_or(0, String::len);
        let span = self.source.original_span(span);
        Mention { flow: self.current.flow, state: self.current.state, name: name.into(), span, location }
    }

    /// Looks at the variables of the whole definition, once all of it has been read.
    pub(crate) fn check_variables(&mut self) {
        let variables = std::mem::take(&mut self.variables);
        let mut assigned = Assigned::new();
        for mention in &variables.assigned {
            assigned.entry((mention.flow, &mention.name)).or_default().push(mention);
        }
        self.shadowed(&variables, &assigned);
        self.unassigned(&variables, &assigned);
        self.unused(&variables, &assigned);
    }

    /// What the Parallel or Map itself assigns comes after its branches, so that is no clash (AWS runs such definitions).
    fn shadowed(&mut self, variables: &Variables, assigned: &Assigned<'_>) {
        for mention in &variables.assigned {
            let outer = variables.around(mention.flow).find_map(|(flow, owner)| {
                let outer = assigned.get(&(flow, &*mention.name))?;
                outer.iter().find(|outer| outer.state != owner)
            });
            if let Some(outer) = outer {
                let message = format!("Variable '{}' is already assigned in an outer scope", mention.name);
                let label = (outer.span, "assigned here".to_owned());
                let diagnostic = self.report(Rule::ShadowedVariable, mention, message);
                diagnostic.labels.push(label);
                diagnostic.help("an inner scope can read it but not assign it: choose another name");
            }
        }
    }

    fn unassigned(&mut self, variables: &Variables, assigned: &Assigned<'_>) {
        for mention in &variables.read {
            let mut visible = variables.visible(mention.flow);
            if visible.any(|flow| assigned.contains_key(&(flow, &*mention.name))) {
                continue;
            }
            let near = self.keeps(Rule::UnassignedVariable).then(|| {
                let flows: HashSet<FlowId> = variables.visible(mention.flow).collect();
                let names = variables.assigned.iter().filter(|m| flows.contains(&m.flow)).map(|m| &*m.name);
                self.suggest(&mention.name, names)
            });
            let near = near.flatten();
            let message = format!("No state assigns the variable '{}'", mention.name);
            let diagnostic = self.report(Rule::UnassignedVariable, mention, message);
            match near {
                Some(near) => diagnostic.help(format!("did you mean `${near}`?")),
                None => diagnostic.help("assign it in an earlier state of this scope or of one around it"),
            };
        }
    }

    fn unused(&mut self, variables: &Variables, assigned: &Assigned<'_>) {
        let mut read: HashSet<(FlowId, &str)> = HashSet::new();
        for mention in &variables.read {
            read.extend(variables.visible(mention.flow).map(|flow| (flow, &*mention.name)));
        }
        for mention in &variables.assigned {
            let place = (mention.flow, &*mention.name);
            let is_first =
                assigned.get(&place).and_then(|all| all.first()).is_some_and(|first| std::ptr::eq(*first, mention));
            // A function of the language may have the name: `$count` is either, and the function is meant where none is
            // assigned.
            if is_first && !read.contains(&place) && !variables.words.contains(&*mention.name) {
                let message = format!("The variable '{}' is never read", mention.name);
                self.report(Rule::UnusedVariable, mention, message);
            }
        }
    }

    /// Reports at a mention, whose span is one of the original text already.
    fn report(&mut self, rule: Rule, mention: &Mention, message: String) -> &mut crate::Diagnostic {
        let mut diagnostic = crate::Diagnostic::new(rule, message);
        diagnostic.location.clone_from(&mention.location);
        diagnostic.span = Some(mention.span);
        self.keep(diagnostic)
    }
}
