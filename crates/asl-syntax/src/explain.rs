//! A page for every rule: what it means, an example that breaks it, and the cure.

use crate::diagnostic::Rule;

macro_rules! pages {
    ($($rule:ident $file:literal,)*) => {
        /// The page about a rule, in Markdown: a title, what the rule asks for, a definition that breaks it under `Wrong:`
        /// and the cured one under `Right:`.
        pub fn explain(rule: Rule) -> &'static str {
            match rule { $(Rule::$rule => include_str!(concat!("../explain/", $file, ".md")),)* }
        }
    };
}

pages! {
    JsonSyntax "json-syntax",
    YamlSyntax "yaml-syntax",
    YamlBoolean "yaml-boolean",
    NotAnObject "not-an-object",
    TooLarge "too-large",
    TooDeep "too-deep",
    RequiredField "required-field",
    UnknownField "unknown-field",
    WrongLanguage "wrong-language",
    LanguageDowngrade "language-downgrade",
    WrongType "wrong-type",
    NotInList "not-in-list",
    EmptyValue "empty-value",
    OutOfRange "out-of-range",
    OnlyOneOf "only-one-of",
    BadPath "bad-path",
    NotReferencePath "not-reference-path",
    BadTemplateField "bad-template-field",
    DuplicateTemplateField "duplicate-template-field",
    JsonataDelimiters "jsonata-delimiters",
    JsonataSyntax "jsonata-syntax",
    JsonataReference "jsonata-reference",
    JsonataMistake "jsonata-mistake",
    BadTimestamp "bad-timestamp",
    BadResource "bad-resource",
    UnknownIntegration "unknown-integration",
    UnknownParameter "unknown-parameter",
    NotInExpress "not-in-express",
    DistributedOnly "distributed-only",
    HeartbeatTooLong "heartbeat-too-long",
    AllNotLast "all-not-last",
    BadVariableName "bad-variable-name",
    ShadowedVariable "shadowed-variable",
    BadStateName "bad-state-name",
    BadLabel "bad-label",
    DuplicateLabel "duplicate-label",
    DuplicateState "duplicate-state",
    MissingTarget "missing-target",
    NoEnd "no-end",
    Unreachable "unreachable",
    NoDollar "no-dollar",
    NoPath "no-path",
    StaticResult "static-result",
    DuplicateKey "duplicate-key",
    NeverMatches "never-matches",
    UnknownErrorName "unknown-error-name",
    UnusedVariable "unused-variable",
    UnassignedVariable "unassigned-variable",
    NoEffect "no-effect",
    NoDefault "no-default",
    EndlessBranch "endless-branch",
    WaitTooLong "wait-too-long",
    Deprecated "deprecated",
}
