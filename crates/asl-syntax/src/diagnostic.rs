//! What is wrong with a definition, in AWS's words, with the place and the way out.

use asl_value::Span;
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition runs, but likely not as meant.
    Warning,
}

impl Severity {
    /// `ERROR` or `WARNING`, as in AWS's answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal,)*) => {
        /// The code AWS gives a diagnostic (API reference: ValidateStateMachineDefinitionDiagnostic).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            /// The code as AWS writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$code => $text,)* }
            }
        }
    };
}

codes! {
    /// The text is not JSON.
    InvalidJsonDescription = "INVALID_JSON_DESCRIPTION",
    /// A field is missing, unknown, of the wrong type or out of range.
    SchemaValidationFailed = "SCHEMA_VALIDATION_FAILED",
    /// Nothing ends the workflow.
    MissingEndState = "MISSING_END_STATE",
    /// The same state name appears twice.
    DuplicateStateName = "DUPLICATE_STATE_NAME",
    /// A state name is too long.
    InvalidStateName = "INVALID_STATE_NAME",
    /// A Map's `Label` appears twice.
    DuplicateLabelName = "DUPLICATE_LABEL_NAME",
    /// A Map's `Label` breaks the rules for names.
    InvalidLabelName = "INVALID_LABEL_NAME",
    /// A transition leads nowhere, or none leads to a state.
    MissingTransitionTarget = "MISSING_TRANSITION_TARGET",
    /// Nested too deeply.
    TooDeeplyNested = "TOO_DEEPLY_NESTED",
    /// An expression that is not JSONata.
    InvalidJsonataExpression = "INVALID_JSONATA_EXPRESSION",
    /// An expression that reads what is not there.
    UnsupportedJsonataExpression = "UNSUPPORTED_JSONATA_EXPRESSION",
    /// A literal that looks like a path under a key without `.$`.
    NoDollar = "NO_DOLLAR",
    /// A literal that looks like a path in a field that does not end in `Path`.
    NoPath = "NO_PATH",
    /// A Pass `Result` that looks like a path is not evaluated.
    PassResultIsStatic = "PASS_RESULT_IS_STATIC",
    /// A warning that AWS does not have.
    Lint = "LINT",
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal $code:ident $severity:ident,)*) => {
        /// One rule of the language: finer than AWS's codes, and stable; `asl explain NAME` tells all about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $($(#[$doc])* $rule,)* }

        impl Rule {
            /// All rules.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule,)*];

            /// The name: lower case, words joined by `-`.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name,)* }
            }

            /// AWS's code for it.
            pub fn code(self) -> Code {
                match self { $(Rule::$rule => Code::$code,)* }
            }

            /// Its severity.
            pub fn severity(self) -> Severity {
                match self { $(Rule::$rule => Severity::$severity,)* }
            }
        }
    };
}

rules! {
    /// The text is not JSON.
    JsonSyntax = "json-syntax" InvalidJsonDescription Error,
    /// The text is not YAML, or uses YAML that JSON cannot say.
    YamlSyntax = "yaml-syntax" InvalidJsonDescription Error,
    /// A word without quotes that YAML 1.1 takes as a boolean.
    YamlBoolean = "yaml-boolean" Lint Warning,
    /// The definition is not an object.
    NotAnObject = "not-an-object" SchemaValidationFailed Error,
    /// The definition is larger than 1 MB.
    TooLarge = "too-large" SchemaValidationFailed Error,
    /// Nested too deeply.
    TooDeep = "too-deep" TooDeeplyNested Error,
    /// A field that must be there is not.
    RequiredField = "required-field" SchemaValidationFailed Error,
    /// A field that this object does not have.
    UnknownField = "unknown-field" SchemaValidationFailed Error,
    /// A field of the other query language.
    WrongLanguage = "wrong-language" SchemaValidationFailed Error,
    /// A JSONPath state in a JSONata machine.
    LanguageDowngrade = "language-downgrade" SchemaValidationFailed Error,
    /// A value of the wrong JSON type.
    WrongType = "wrong-type" SchemaValidationFailed Error,
    /// A value that is none of those listed.
    NotInList = "not-in-list" SchemaValidationFailed Error,
    /// An empty object, array or string where something must be.
    EmptyValue = "empty-value" SchemaValidationFailed Error,
    /// A number outside its range, a string that is too long.
    OutOfRange = "out-of-range" SchemaValidationFailed Error,
    /// Two fields that exclude each other.
    OnlyOneOf = "only-one-of" SchemaValidationFailed Error,
    /// Not a JSONPath.
    BadPath = "bad-path" SchemaValidationFailed Error,
    /// A path that may pick several values where exactly one is needed.
    NotReferencePath = "not-reference-path" SchemaValidationFailed Error,
    /// A `.$` field whose value is neither a path nor an intrinsic function call.
    BadTemplateField = "bad-template-field" SchemaValidationFailed Error,
    /// `x` and `x.$` in the same object.
    DuplicateTemplateField = "duplicate-template-field" SchemaValidationFailed Error,
    /// A string with only one of `{%` and `%}`.
    JsonataDelimiters = "jsonata-delimiters" SchemaValidationFailed Error,
    /// An expression that is not JSONata.
    JsonataSyntax = "jsonata-syntax" InvalidJsonataExpression Error,
    /// An expression that reads what is not there.
    JsonataReference = "jsonata-reference" UnsupportedJsonataExpression Error,
    /// Not a timestamp of RFC 3339.
    BadTimestamp = "bad-timestamp" SchemaValidationFailed Error,
    /// A `Resource` that is no ARN of a task.
    BadResource = "bad-resource" SchemaValidationFailed Error,
    /// A service integration that does not exist.
    UnknownIntegration = "unknown-integration" SchemaValidationFailed Error,
    /// A parameter that the integrated service does not have.
    UnknownParameter = "unknown-parameter" SchemaValidationFailed Error,
    /// Something that Express workflows cannot do.
    NotInExpress = "not-in-express" SchemaValidationFailed Error,
    /// A field of Distributed Map in an inline one.
    DistributedOnly = "distributed-only" SchemaValidationFailed Error,
    /// `HeartbeatSeconds` not below `TimeoutSeconds`.
    HeartbeatTooLong = "heartbeat-too-long" SchemaValidationFailed Error,
    /// `States.ALL` beside other names or not in the last place.
    AllNotLast = "all-not-last" SchemaValidationFailed Error,
    /// Not the name of a variable.
    BadVariableName = "bad-variable-name" SchemaValidationFailed Error,
    /// A variable that an enclosing scope already has.
    ShadowedVariable = "shadowed-variable" SchemaValidationFailed Error,
    /// A state name that is too long.
    BadStateName = "bad-state-name" InvalidStateName Error,
    /// A `Label` that breaks the rules for names.
    BadLabel = "bad-label" InvalidLabelName Error,
    /// A `Label` that appears twice.
    DuplicateLabel = "duplicate-label" DuplicateLabelName Error,
    /// A state name that appears twice.
    DuplicateState = "duplicate-state" DuplicateStateName Error,
    /// A transition to a state that does not exist.
    MissingTarget = "missing-target" MissingTransitionTarget Error,
    /// No state ends the workflow.
    NoEnd = "no-end" MissingEndState Error,
    /// No transition leads to a state.
    Unreachable = "unreachable" MissingTransitionTarget Error,
    /// A literal that looks like a path under a key without `.$`.
    NoDollar = "no-dollar" NoDollar Warning,
    /// A literal that looks like a path in a field that does not end in `Path`.
    NoPath = "no-path" NoPath Warning,
    /// A Pass `Result` that looks like a path.
    StaticResult = "static-result" PassResultIsStatic Warning,
    /// A key that appears twice in an object.
    DuplicateKey = "duplicate-key" Lint Warning,
    /// A Retrier or Catcher, or one of its names, that can never match.
    NeverMatches = "never-matches" Lint Warning,
    /// An error name in `States.` that does not exist.
    UnknownErrorName = "unknown-error-name" Lint Warning,
    /// A variable that is assigned and never read.
    UnusedVariable = "unused-variable" Lint Warning,
    /// A variable that is read and never assigned.
    UnassignedVariable = "unassigned-variable" Lint Warning,
    /// A JSONata expression that a run would certainly refuse.
    JsonataMistake = "jsonata-mistake" Lint Warning,
    /// A field that does nothing where it stands.
    NoEffect = "no-effect" Lint Warning,
    /// A Choice without `Default`.
    NoDefault = "no-default" Lint Warning,
    /// A branch or processor that nothing ends.
    EndlessBranch = "endless-branch" Lint Warning,
    /// A Wait longer than an execution may last.
    WaitTooLong = "wait-too-long" Lint Warning,
    /// `Iterator`, or `Parameters` of a Map.
    Deprecated = "deprecated" Lint Warning,
}

impl Rule {
    /// The rule with this name.
    pub fn find(name: &str) -> Option<Rule> {
        Rule::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// AWS's code.
    pub code: Code,
    /// Our finer rule.
    pub rule: Rule,
    /// AWS's text, where it is known.
    pub message: String,
    /// The place as AWS writes it: `/States/A/Choices[0]/Next`. Some diagnostics have none.
    pub location: Option<String>,
    /// The place in the original text (before substitutions), in bytes.
    pub span: Option<Span>,
    /// Other places that matter, each with what it is.
    pub labels: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(rule: Rule, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: rule.severity(),
            code: rule.code(),
            rule,
            message: message.into(),
            location: None,
            span: None,
            labels: Vec::new(),
            help: None,
        }
    }

    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The message for people: without the text of the definition that AWS adds to what is wrong with its JSON.
    pub fn headline(&self) -> &str {
        self.message.split("\n at [Source: ").next().unwrap_or_default().trim_end()
    }

    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let texts =
            [&self.location, &self.help].into_iter().flatten().chain(self.labels.iter().map(|(_, label)| label));
        size_of::<Diagnostic>() + self.message.len() + texts.map(String::len).sum::<usize>()
    }

    /// True when it keeps a definition from being accepted.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
