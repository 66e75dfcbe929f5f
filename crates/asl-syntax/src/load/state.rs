//! One state: the fields that all types share, and which reader its type has.

use super::Loader;
use super::flow::Scope;
use super::jsonata::Sees;
use crate::diagnostic::Rule;
use crate::fields;
use crate::model::{Language, Next, PathField, State, StateId, StateKind, StateType};
use crate::tree::Item;
use asl_value::Span;
use std::sync::Arc;

/// How long the name of a state may be, in characters.
const MAX_NAME_CHARS: usize = 80;

const TYPES: [StateType; 8] = [
    StateType::Task,
    StateType::Wait,
    StateType::Pass,
    StateType::Succeed,
    StateType::Fail,
    StateType::Choice,
    StateType::Parallel,
    StateType::Map,
];

impl Loader<'_> {
    /// Names are unique in the whole machine and at most 80 characters long. False for one that is too long: what is in
    /// such a state is not looked at, for every place in it would be named by it.
    pub(crate) fn state_name(&mut self, name: &Arc<str>, span: Span, state: &Item<'_>) -> bool {
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
            let message = format!("State name must be 1 to {MAX_NAME_CHARS} characters long");
            self.error_at(Rule::BadStateName, state, span, message);
            return name.is_empty();
        }
        if let Some(first) = self.names.get(name).copied() {
            let message = format!("Duplicate State name: {name}");
            let diagnostic = self.error_at(Rule::DuplicateState, state, span, message);
            diagnostic.labels.push((first, "the first state of this name".to_owned()));
            diagnostic.help("names are unique in the whole state machine, branches and processors included");
            return true;
        }
        self.names.insert(name.clone(), self.source.original_span(span));
        true
    }

    pub(crate) fn state(&mut self, item: &Item<'_>, id: StateId, scope: &mut Scope) -> Option<State> {
        if item.node.as_object().is_none() {
            scope.uncertain = true;
            self.wrong_type(item, "OBJECT");
            return None;
        }
        let Some(language) = self.state_language(item) else {
            scope.uncertain = true;
            return None;
        };
        self.current.language = language;
        self.current.state = id;
        self.current.place = item.location().len();
        let Some(kind) = self.state_type(item) else {
            scope.uncertain = true;
            return None;
        };
        self.known_fields(item, &fields::of_state(kind));
        if let Some(comment) = item.get("Comment") {
            self.string(&comment);
        }
        let next = self.next(item, kind, id, scope);
        let (input_path, output_path) = match kind {
            StateType::Fail => (PathField::All, PathField::All),
            _ => (self.path_field(item, "InputPath"), self.path_field(item, "OutputPath")),
        };
        let result_path = self.result_path(item);
        let parameters = self.parameters(item, kind);
        let result_selector = item.get("ResultSelector").filter(|_| !self.is_jsonata());
        let result_selector = result_selector.and_then(|selector| self.payload(&selector));
        let sees = match kind {
            StateType::Task | StateType::Parallel | StateType::Map => Sees::Result,
            _ => Sees::Input,
        };
        let (output, assign) = self.seeing(sees, |loader| (loader.output(item), loader.assign(item)));
        let kind = self.state_kind(item, kind, id, scope)?;
        let name = scope.names[id.0 as usize - scope.first].clone();
        Some(State {
            name,
            flow: scope.flow,
            language: self.current.language,
            input_path,
            parameters,
            result_selector,
            result_path,
            output_path,
            output,
            assign,
            kind,
            next,
        })
    }

    /// A machine in JSONPath may have JSONata states, but not the other way round; such a state is not looked at further.
    fn state_language(&mut self, item: &Item<'_>) -> Option<Language> {
        let Some(field) = item.get("QueryLanguage") else { return Some(self.machine_language) };
        let language = self.query_language(&field);
        if language == Language::JsonPath && self.machine_language == Language::Jsonata {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            self.error_at(Rule::LanguageDowngrade, item, field.node.span, message)
                .help("set JSONPath for the machine and JSONata for single states");
            return None;
        }
        Some(language)
    }

    fn state_type(&mut self, item: &Item<'_>) -> Option<StateType> {
        if !self.require(item, &["Type"]) {
            return None;
        }
        let field = item.get("Type")?;
        let text = self.string(&field)?;
        let found = TYPES.into_iter().find(|kind| kind.name() == &*text);
        if found.is_none() {
            let names = TYPES.map(StateType::name);
            let near = self.suggest(&text, names);
            let message = format!("The field 'Type' should have one of these values: [{}]", names.join(", "));
            let diagnostic = self.error(Rule::NotInList, &field, message);
            if let Some(near) = near {
                diagnostic.help(format!("did you mean `{near}`?"));
            }
        }
        found
    }

    /// `Next` or `End: true`, where the type has them.
    fn next(&mut self, item: &Item<'_>, kind: StateType, id: StateId, scope: &mut Scope) -> Next {
        match kind {
            StateType::Choice => return Next::None,
            StateType::Succeed | StateType::Fail => {
                scope.ends = true;
                return if kind == StateType::Succeed { Next::End } else { Next::None };
            }
            _ => {}
        }
        let end = item.get("End").map(|end| self.boolean(&end));
        let ends = end == Some(Some(true));
        scope.ends |= ends;
        scope.uncertain |= end == Some(None);
        match item.get("Next") {
            Some(next) => {
                if ends {
                    self.only_one_of(item, &["Next", "End"]);
                }
                return self.target(&next, id, scope).map_or(Next::None, Next::State);
            }
            None if ends => return Next::End,
            // The wrong type of `End` has been reported.
            None if end == Some(None) => {}
            None => {
                scope.uncertain = true;
                self.error(Rule::RequiredField, item, "These fields are required: [Next]")
                    .help("name the next state in `Next`, or end here with `\"End\": true`");
            }
        }
        Next::None
    }

    fn state_kind(&mut self, item: &Item<'_>, kind: StateType, id: StateId, scope: &mut Scope) -> Option<StateKind> {
        Some(match kind {
            StateType::Pass => StateKind::Pass { result: self.static_result(item) },
            StateType::Task => StateKind::Task(Box::new(self.task(item, id, scope)?)),
            StateType::Choice => StateKind::Choice(self.choice(item, id, scope)?),
            StateType::Wait => StateKind::Wait(self.wait(item)?),
            StateType::Succeed => StateKind::Succeed,
            StateType::Fail => {
                let error = self.text_field(item, "Error", "ErrorPath");
                StateKind::Fail { error, cause: self.text_field(item, "Cause", "CausePath") }
            }
            StateType::Parallel => StateKind::Parallel(self.parallel(item, id, scope)?),
            StateType::Map => StateKind::Map(Box::new(self.map(item, id, scope)?)),
        })
    }
}
