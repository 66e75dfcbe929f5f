//! What expressions can see: the context object, variables, random values (spec: Context object).

use crate::input::{Execution, ExecutionType};
use crate::machine::Machine;
use crate::map_run::is_child;
use crate::scope::{Scope, ScopeId};
use asl_expr::Env;
use asl_expr::jsonata::JsonataEnv;
use asl_syntax::model::StateType;
use asl_value::{Map, Value};
use std::cell::Cell;
use std::sync::Arc;

/// The item of a Map whose `ItemSelector` is evaluated.
#[derive(Clone, Debug)]
pub(crate) struct MapItem {
    pub(crate) index: u64,
    pub(crate) value: Value,
    /// The member's name, where an object is mapped.
    pub(crate) key: Option<Arc<str>>,
    /// Where the items of a Distributed Map came from.
    pub(crate) source: Option<Arc<str>>,
}

/// What an expression is about: `$` of a path, and what `$states` holds besides `input` and `context`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'v> {
    /// The input of the state.
    Input(&'v Value),
    /// The result of its work: `$states.result`.
    Result(&'v Value),
    /// What a catcher got: `$states.errorOutput`.
    Error(&'v Value),
}

impl<'v> Subject<'v> {
    pub(crate) fn value(self) -> &'v Value {
        match self {
            Subject::Input(value) | Subject::Result(value) | Subject::Error(value) => value,
        }
    }
}

/// The environment of one evaluation in one scope.
pub(crate) struct Context<'m> {
    machine: &'m Machine,
    scope: ScopeId,
    token: Option<&'m str>,
    item: Option<&'m MapItem>,
    subject: Option<Subject<'m>>,
    draws: Cell<u64>,
}

impl<'m> Context<'m> {
    pub(crate) fn new(machine: &'m Machine, scope: ScopeId) -> Context<'m> {
        Context { machine, scope, token: None, item: None, subject: None, draws: Cell::new(0) }
    }

    /// With the task token that `$$.Task.Token` shows.
    pub(crate) fn with_token(self, token: Option<&'m str>) -> Context<'m> {
        Context { token, ..self }
    }

    /// With the item that `$$.Map.Item` shows.
    pub(crate) fn with_item(self, item: &'m MapItem) -> Context<'m> {
        Context { item: Some(item), ..self }
    }

    /// With the result or the error that `$states` shows.
    pub(crate) fn about(self, subject: Subject<'m>) -> Context<'m> {
        Context { subject: Some(subject), ..self }
    }

    /// Begins the evaluation of a field in JSONata: each field of a state draws random values of its own.
    pub(crate) fn begin(&self, field: &str) {
        // FNV-1a, kept to the high bits so that counting on does not lead into another field's draws.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.draws.set(field.bytes().fold(0xcbf2_9ce4_8422_2325, mix) << 24);
    }
}

impl Env for Context<'_> {
    fn context(&self) -> Value {
        let scope = self.machine.scopes.get(self.scope);
        let rehearsal = self.machine.rehearsal.as_deref();
        let mut out = match rehearsal.and_then(|rehearsal| rehearsal.context.as_ref()) {
            Some(Value::Object(given)) => return self.with_map_item(Map::clone(given)),
            _ => Map::with_capacity(5),
        };
        if let Some(execution) = &self.machine.execution {
            out.insert("Execution", execution_part(self.machine, execution));
            out.insert("State", state_part(self.machine, scope));
            out.insert(
                "StateMachine",
                Map::from_iter([("Id", &execution.state_machine_arn), ("Name", &execution.state_machine_name)]),
            );
        }
        if let Some(token) = self.token {
            out.insert("Task", Map::from_iter([("Token", token)]));
        }
        if let Some(item) = rehearsal.and_then(|rehearsal| rehearsal.map_item.as_ref()) {
            out.insert("Map", Map::from_iter([("Item", item.clone())]));
        }
        self.with_map_item(out)
    }

    fn variable(&self, name: &str) -> Option<Value> {
        let mut at = self.machine.scopes.get(self.scope);
        loop {
            if let Some(value) = at.variables.get(name) {
                return Some(value.clone());
            }
            let (parent, _) = at.parent?;
            at = self.machine.scopes.get(parent);
        }
    }

    fn random(&self) -> u64 {
        let execution = self.machine.execution.as_ref();
        let draw_number = self.draws.get();
        self.draws.set(draw_number + 1);
        // The place is the number of the last event: no two evaluations of different values share one within a scope.
        let scope = self.machine.scopes.get(self.scope);
        let place = (self.machine.last_event() << 20) ^ scope.entered ^ self.item.map_or(0, |i| i.index << 40);
        draw(execution.map_or(0, |e| e.seed), place, draw_number)
    }

    fn worked(&self, units: u64) {
        self.machine.spent.charge(units);
    }
}

impl Context<'_> {
    /// The context object, with the item whose selector is evaluated.
    fn with_map_item(&self, mut context: Map) -> Value {
        if let Some(item) = self.item {
            context.insert("Map", Map::from_iter([("Item", item_part(item))]));
        }
        Value::from(context)
    }

    /// How much work the machine has done since its last record.
    pub(crate) fn spent(&self) -> u64 {
        self.machine.spent.work()
    }

    /// A template made a value of another one.
    pub(crate) fn made(&self, from: &Value, to: &Value) {
        self.machine.spent.made(from, to);
    }
}

impl JsonataEnv for Context<'_> {
    fn states(&self) -> Value {
        let mut out = Map::with_capacity(3);
        out.insert("input", self.machine.scopes.get(self.scope).input.clone());
        out.insert("context", self.context());
        match self.subject {
            Some(Subject::Result(result)) => drop(out.insert("result", result.clone())),
            Some(Subject::Error(error)) => drop(out.insert("errorOutput", error.clone())),
            Some(Subject::Input(_)) | None => {}
        }
        Value::from(out)
    }

    fn states_member(&self, name: &str) -> Option<Value> {
        match (name, self.subject) {
            ("input", _) => Some(self.machine.scopes.get(self.scope).input.clone()),
            ("context", _) => Some(self.context()),
            ("result", Some(Subject::Result(value))) | ("errorOutput", Some(Subject::Error(value))) => {
                Some(value.clone())
            }
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Option<Value> {
        Env::variable(self, name)
    }

    fn random(&self) -> u64 {
        Env::random(self)
    }

    fn worked(&self, units: u64) {
        Env::worked(self, units);
    }

    fn now_ms(&self) -> i64 {
        self.machine.now.millis()
    }
}

fn execution_part(machine: &Machine, execution: &Arc<Execution>) -> Map {
    let mut out = Map::with_capacity(7);
    out.insert("Id", &execution.arn);
    out.insert("Input", execution.input.clone());
    out.insert("StartTime", machine.started.to_string());
    out.insert("Name", &execution.name);
    // TestState: a task that is mocked needs no role, and nothing is ever redriven.
    if machine.holds() {
        out.insert(
            "RoleArn",
            Some(&execution.role_arn).filter(|role| !role.is_empty()).map_or(Value::Null, Value::from),
        );
        return out;
    }
    out.insert("RoleArn", &execution.role_arn);
    // An Express child of a map run has no count (spec: Context object).
    if !is_child(&execution.state_machine_arn) || execution.execution_type == ExecutionType::Standard {
        out.insert("RedriveCount", machine.redrives.count);
    }
    if let Some(at) = machine.redrives.last {
        out.insert("RedriveTime", at.to_string());
    }
    out
}

fn item_part(item: &MapItem) -> Map {
    let mut out = Map::with_capacity(4);
    out.insert("Index", item.index);
    out.insert("Value", item.value.clone());
    item.key.iter().for_each(|key| drop(out.insert("Key", key)));
    item.source.iter().for_each(|source| drop(out.insert("Source", source)));
    out
}

/// `RetryCount` is there only where a state can be retried (recorded AWS behaviour).
fn state_part(machine: &Machine, scope: &Scope) -> Map {
    let state = Machine::state_of(&machine.definition, scope);
    let mut out = Map::with_capacity(3);
    out.insert("Name", &state.name);
    out.insert("EnteredTime", scope.entered_at.to_string());
    if matches!(state.state_type(), StateType::Task | StateType::Parallel | StateType::Map) {
        out.insert("RetryCount", scope.retry_count);
    }
    out
}

/// 64 pseudo-random bits from a seed, a place and a counter (SplitMix64's finalizer over their mix): the same in every
/// replay. All chance in an execution comes from here, but for its task tokens: what is drawn can be computed back to the
/// seed, so nothing that is to be a secret may come from it.
pub fn draw(seed: u64, place: u64, counter: u64) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    mix(mix(mix(seed.wrapping_add(golden)) ^ place.wrapping_mul(golden)).wrapping_add(counter.wrapping_mul(golden)))
}

/// A UUID of version 4 drawn from a seed and a place.
pub fn uuid(seed: u64, place: u64) -> String {
    let (high, low) = (draw(seed, place, 0), draw(seed, place, 1));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        8 | low >> 62,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}
