//! The typed model of a state machine: names are ids, paths and templates are parsed, every reference is resolved.
//!
//! A definition is flat: all states of all nesting levels sit in one list ([`StateId`]), grouped into *flows*
//! ([`FlowId`]): the top level, each Parallel branch and each Map processor. A flow is what an execution scope runs.

use crate::resource::Resource;
use asl_expr::{Expr, Path, Template, Timestamp};
use asl_value::{Step, Value};
use std::sync::Arc;

pub use crate::query::{ItemsField, Payload, Query};

/// The place of a state in [`Definition::states`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(pub u32);

/// The place of a flow in [`Definition::flows`]. The top level is [`FlowId::TOP`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

impl FlowId {
    /// The top level of the definition.
    pub const TOP: FlowId = FlowId(0);
}

/// A whole state machine, ready to run. Made by [`crate::load`], which only returns definitions without errors.
#[derive(Debug)]
pub struct Definition {
    /// The text it was read from, after substitutions; its hash names this version.
    pub source: Arc<str>,
    /// The top-level `Comment`.
    pub comment: Option<Arc<str>>,
    /// `TimeoutSeconds` of the whole execution, in seconds.
    pub timeout_seconds: Option<u64>,
    /// All states, nested ones included.
    pub states: Vec<State>,
    /// The top level, the branches and the processors.
    pub flows: Vec<Flow>,
}

impl Definition {
    /// The state with this id.
    pub fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    /// The flow with this id.
    pub fn flow(&self, id: FlowId) -> &Flow {
        &self.flows[id.0 as usize]
    }

    /// The state named `name`: names are unique across the whole machine.
    pub fn find(&self, name: &str) -> Option<StateId> {
        self.states.iter().position(|s| &*s.name == name).map(|i| StateId(i as u32))
    }
}

/// States that run one after another: the top level, a branch or a processor.
#[derive(Debug)]
pub struct Flow {
    /// `StartAt`.
    pub start_at: StateId,
    /// Its states, in the order of the text.
    pub states: Vec<StateId>,
    /// The Parallel or Map it belongs to; `None` for the top level.
    pub owner: Option<StateId>,
}

/// The query language of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Paths, payload templates and intrinsic functions.
    #[default]
    JsonPath,
    /// `{% %}` expressions.
    Jsonata,
}

/// One state.
#[derive(Debug)]
pub struct State {
    /// Its name.
    pub name: Arc<str>,
    /// The flow it belongs to.
    pub flow: FlowId,
    /// Its query language.
    pub language: Language,
    /// `InputPath`.
    pub input_path: PathField,
    /// `Parameters` (JSONPath) of Pass, Task and Parallel; `Arguments` (JSONata). A Map's are in [`Map::item_selector`].
    pub parameters: Option<Payload>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: PathField,
    /// `Output` (JSONata).
    pub output: Option<Query>,
    /// `Assign` of the state itself.
    pub assign: Option<Payload>,
    /// What the state does.
    pub kind: StateKind,
    /// Where it leads.
    pub next: Next,
}

/// Where a state leads when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To the next state of its flow.
    State(StateId),
    /// `End: true`, or a Succeed: its flow is done.
    End,
    /// A Choice, which picks, or a Fail, which leads nowhere.
    None,
}

/// `InputPath`, `OutputPath`.
#[derive(Clone, Debug, Default)]
pub enum PathField {
    /// Absent or `$`: everything.
    #[default]
    All,
    /// `null`: an empty object.
    Nothing,
    /// A path.
    Path(Path),
}

/// `ResultPath`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ResultPath {
    /// Absent or `$`: the result replaces the input.
    #[default]
    Replace,
    /// `null`: the result is dropped, the input goes on.
    Discard,
    /// A reference path into the input.
    At {
        /// The text, for messages.
        text: Arc<str>,
        /// The steps from the root.
        steps: Vec<Step>,
    },
}

/// The eight kinds of state.
#[derive(Debug)]
pub enum StateKind {
    /// `Pass` with its literal `Result`.
    Pass {
        /// `Result`.
        result: Option<Value>,
    },
    /// `Task`
    Task(Box<Task>),
    /// `Choice`
    Choice(Choice),
    /// `Wait`
    Wait(Wait),
    /// `Succeed`
    Succeed,
    /// `Fail`
    Fail {
        /// `Error` or `ErrorPath`.
        error: Option<TextField>,
        /// `Cause` or `CausePath`.
        cause: Option<TextField>,
    },
    /// `Parallel`
    Parallel(Parallel),
    /// `Map`
    Map(Box<Map>),
}

/// The `Type` of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the ASL type of that name")]
pub enum StateType {
    Pass,
    Task,
    Choice,
    Wait,
    Succeed,
    Fail,
    Parallel,
    Map,
}

impl StateType {
    /// The name, as in the `Type` field and in event types such as `PassStateEntered`.
    pub fn name(self) -> &'static str {
        match self {
            StateType::Pass => "Pass",
            StateType::Task => "Task",
            StateType::Choice => "Choice",
            StateType::Wait => "Wait",
            StateType::Succeed => "Succeed",
            StateType::Fail => "Fail",
            StateType::Parallel => "Parallel",
            StateType::Map => "Map",
        }
    }
}

impl State {
    /// The `Type`.
    pub fn state_type(&self) -> StateType {
        match self.kind {
            StateKind::Pass { .. } => StateType::Pass,
            StateKind::Task(_) => StateType::Task,
            StateKind::Choice(_) => StateType::Choice,
            StateKind::Wait(_) => StateType::Wait,
            StateKind::Succeed => StateType::Succeed,
            StateKind::Fail { .. } => StateType::Fail,
            StateKind::Parallel(_) => StateType::Parallel,
            StateKind::Map(_) => StateType::Map,
        }
    }

    /// `Retry`, empty where the state has none.
    pub fn retry(&self) -> &[Retrier] {
        match &self.kind {
            StateKind::Task(t) => &t.retry,
            StateKind::Parallel(p) => &p.retry,
            StateKind::Map(m) => &m.retry,
            _ => &[],
        }
    }

    /// `Catch`, empty where the state has none.
    pub fn catch(&self) -> &[Catcher] {
        match &self.kind {
            StateKind::Task(t) => &t.catch,
            StateKind::Parallel(p) => &p.catch,
            StateKind::Map(m) => &m.catch,
            _ => &[],
        }
    }
}

/// A text that is written down or computed: `Error`/`ErrorPath`, `Cause`/`CausePath`.
#[derive(Clone, Debug)]
pub enum TextField {
    /// The literal.
    Literal(Arc<str>),
    /// A path or an intrinsic function that must yield a string.
    Computed {
        /// The source text, for messages.
        text: Arc<str>,
        /// The expression.
        expr: Expr,
    },
    /// An expression of JSONata that must yield a string.
    Query(Query),
}

/// A number that is written down, found by a path (`…Path`) or computed (JSONata).
#[derive(Clone, Debug)]
pub enum NumberField {
    /// The literal.
    Literal(f64),
    /// The path of the `…Path` form.
    Path(Path),
    /// An expression of JSONata that must yield a number.
    Query(Query),
}

/// The work of a Task.
#[derive(Debug)]
pub struct Task {
    /// `Resource`.
    pub resource: Resource,
    /// `TimeoutSeconds`, `TimeoutSecondsPath`; seconds.
    pub timeout: Option<NumberField>,
    /// `HeartbeatSeconds`, `HeartbeatSecondsPath`; seconds.
    pub heartbeat: Option<NumberField>,
    /// `Credentials`, with its `RoleArn`.
    pub credentials: Option<Payload>,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
}

/// One entry of `Retry`.
#[derive(Debug)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub error_equals: Vec<Arc<str>>,
    /// `IntervalSeconds`, 1 by default.
    pub interval_seconds: u64,
    /// `MaxAttempts`, 3 by default; 0 means never.
    pub max_attempts: u64,
    /// `BackoffRate`, 2.0 by default.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`, the cap of a delay.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy: FULL`: the delay is drawn between 0 and the computed one.
    pub full_jitter: bool,
}

/// One entry of `Catch`.
#[derive(Debug)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub error_equals: Vec<Arc<str>>,
    /// `ResultPath` of the catcher.
    pub result_path: ResultPath,
    /// `Output` (JSONata).
    pub output: Option<Query>,
    /// `Assign` of the catcher.
    pub assign: Option<Payload>,
    /// `Next`.
    pub next: StateId,
}

/// The rules of a Choice.
#[derive(Debug)]
pub struct Choice {
    /// `Choices`, the first that holds wins.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<StateId>,
}

/// One top-level rule.
#[derive(Debug)]
pub struct ChoiceRule {
    /// When it holds.
    pub condition: Condition,
    /// `Output` (JSONata).
    pub output: Option<Query>,
    /// `Assign` of the rule; replaces the state's own.
    pub assign: Option<Payload>,
    /// `Next`.
    pub next: StateId,
}

/// What a Choice rule tests.
#[derive(Debug)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not this one.
    Not(Box<Condition>),
    /// `Variable` and one operator.
    Test {
        /// `Variable`.
        variable: Path,
        /// The operator with its operand.
        operator: Operator,
    },
    /// `Condition` (JSONata), written down.
    Literal(bool),
    /// `Condition` (JSONata), an expression that must yield a boolean.
    Query(Query),
}

/// A data-test operator.
#[derive(Debug)]
pub enum Operator {
    /// `StringEquals` … `TimestampGreaterThanEqualsPath`, `BooleanEquals(Path)`.
    Compare {
        /// Which values can be compared at all.
        class: Class,
        /// How.
        relation: Relation,
        /// With what.
        operand: Operand,
    },
    /// `StringMatches`, with `*`.
    StringMatches(Arc<str>),
    /// `IsNull`, `IsString` …: the test and the expected answer.
    Is(Test, bool),
}

/// The class of values a comparison is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the prefix of the ASL operators")]
pub enum Class {
    String,
    Numeric,
    Timestamp,
    Boolean,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the suffix of the ASL operators")]
pub enum Relation {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

/// The right-hand side of a comparison.
#[derive(Clone, Debug)]
pub enum Operand {
    /// The literal.
    Literal(Value),
    /// The path of the `…Path` form.
    Path(Path),
}

/// What `Is…` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the suffix of the ASL operator")]
pub enum Test {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// How long a Wait waits.
#[derive(Clone, Debug)]
pub enum Wait {
    /// `Seconds`.
    Seconds(u64),
    /// `Timestamp`.
    Timestamp(Timestamp),
    /// `SecondsPath`.
    SecondsPath(Path),
    /// `TimestampPath`.
    TimestampPath(Path),
    /// `Seconds` as an expression of JSONata.
    SecondsQuery(Query),
    /// `Timestamp` as an expression of JSONata.
    TimestampQuery(Query),
}

/// The branches of a Parallel.
#[derive(Debug)]
pub struct Parallel {
    /// `Branches`, in order.
    pub branches: Vec<FlowId>,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
}

/// A Map.
#[derive(Debug)]
pub struct Map {
    /// `ItemProcessor`, or `Iterator`.
    pub processor: FlowId,
    /// `ItemsPath` or `Items`, by default the whole effective input.
    pub items: Option<ItemsField>,
    /// `ItemSelector`, or `Parameters`.
    pub item_selector: Option<Payload>,
    /// The key the selector was written under, for messages: `ItemSelector` or `Parameters`.
    pub item_selector_field: &'static str,
    /// `MaxConcurrency`, `MaxConcurrencyPath`; 0 is no limit.
    pub max_concurrency: Option<NumberField>,
    /// What a Distributed Map has; `None` runs inline.
    pub distributed: Option<Distributed>,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
}

/// What only a Distributed Map has.
#[derive(Debug)]
pub struct Distributed {
    /// `ExecutionType` of the children: true for EXPRESS.
    pub express: bool,
    /// `Label`.
    pub label: Option<Arc<str>>,
    /// `ItemReader`.
    pub reader: Option<ItemReader>,
    /// `ItemBatcher`.
    pub batcher: Option<ItemBatcher>,
    /// `ResultWriter`.
    pub writer: Option<ResultWriter>,
    /// `ToleratedFailureCount`, `…Path`.
    pub tolerated_failure_count: Option<NumberField>,
    /// `ToleratedFailurePercentage`, `…Path`.
    pub tolerated_failure_percentage: Option<NumberField>,
}

/// `ItemReader`.
#[derive(Debug)]
pub struct ItemReader {
    /// `Resource`.
    pub resource: Resource,
    /// `Parameters` or `Arguments`.
    pub parameters: Option<Payload>,
    /// `ReaderConfig` as written, without `MaxItems`.
    pub config: Value,
    /// `MaxItems`, `MaxItemsPath`.
    pub max_items: Option<NumberField>,
}

/// `ItemBatcher`.
#[derive(Debug)]
pub struct ItemBatcher {
    /// `BatchInput`.
    pub batch_input: Option<Payload>,
    /// `MaxItemsPerBatch`, `…Path`.
    pub max_items: Option<NumberField>,
    /// `MaxInputBytesPerBatch`, `…Path`.
    pub max_input_bytes: Option<NumberField>,
}

/// `ResultWriter`.
#[derive(Debug)]
pub struct ResultWriter {
    /// `Resource`; absent when only `WriterConfig` is given.
    pub resource: Option<Resource>,
    /// `Parameters` or `Arguments`.
    pub parameters: Option<Payload>,
    /// `WriterConfig` as written.
    pub config: Option<Value>,
}
