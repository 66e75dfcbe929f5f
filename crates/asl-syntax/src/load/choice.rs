//! `Choice`: rules, conditions, operators.

use super::Loader;
use super::flow::Scope;
use super::read::{Range, Roots};
use crate::diagnostic::Rule;
use crate::fields::{JSONATA_RULE, Use, Use::Only};
use crate::model::{Choice, ChoiceRule, Class, Condition, Language, Operand, Operator, Relation, StateId, Test};
use crate::tree::Item;
use std::sync::LazyLock;

const ANY: Range = Range { min: f64::MIN, max: f64::MAX, integer: false };

/// What an operator's name stands for.
#[derive(Clone, Copy)]
enum Name {
    Compare { class: Class, relation: Relation, path: bool },
    Matches,
    Is(Test),
}

/// All 39 operators (ASL specification, Choice state, data-test expressions).
static OPERATORS: LazyLock<Vec<(String, Name)>> = LazyLock::new(|| {
    let relations = [
        ("Equals", Relation::Equals),
        ("LessThan", Relation::LessThan),
        ("GreaterThan", Relation::GreaterThan),
        ("LessThanEquals", Relation::LessThanEquals),
        ("GreaterThanEquals", Relation::GreaterThanEquals),
    ];
    let mut all = Vec::new();
    for (prefix, class, relations) in [
        ("String", Class::String, &relations[..]),
        ("Numeric", Class::Numeric, &relations[..]),
        ("Timestamp", Class::Timestamp, &relations[..]),
        ("Boolean", Class::Boolean, &relations[..1]),
    ] {
        for (suffix, relation) in relations {
            for (end, path) in [("", false), ("Path", true)] {
                all.push((format!("{prefix}{suffix}{end}"), Name::Compare { class, relation: *relation, path }));
            }
        }
    }
    all.push(("StringMatches".to_owned(), Name::Matches));
    for (name, test) in [
        ("IsNull", Test::Null),
        ("IsPresent", Test::Present),
        ("IsNumeric", Test::Numeric),
        ("IsString", Test::String),
        ("IsBoolean", Test::Boolean),
        ("IsTimestamp", Test::Timestamp),
    ] {
        all.push((name.to_owned(), Name::Is(test)));
    }
    all
});

impl Loader<'_> {
    pub(crate) fn choice(&mut self, item: &Item<'_>, id: StateId, scope: &mut Scope) -> Option<Choice> {
        let default = item.get("Default").and_then(|default| self.target(&default, id, scope));
        if !item.has("Default") {
            self.error(Rule::NoDefault, item, "This Choice has no Default")
                .help("the execution fails when no rule holds: add a `Default`");
        }
        if !self.require(item, &["Choices"]) {
            scope.uncertain = true;
            return None;
        }
        let choices = item.get("Choices")?;
        if !self.full_array(&choices) {
            scope.uncertain = true;
            return None;
        }
        let rules = choices.elements().filter_map(|rule| self.rule(&rule, id, scope)).collect();
        Some(Choice { rules, default })
    }

    fn rule(&mut self, item: &Item<'_>, id: StateId, scope: &mut Scope) -> Option<ChoiceRule> {
        if item.node.as_object().is_none() {
            scope.uncertain = true;
            self.wrong_type(item, "OBJECT");
            return None;
        }
        if !item.has("Next") {
            scope.uncertain = true;
            self.require(item, &["Next"]);
        }
        let next = item.get("Next").and_then(|next| self.target(&next, id, scope));
        let output = self.output(item);
        let assign = self.assign(item);
        let condition = if self.is_jsonata() { self.jsonata_condition(item) } else { self.condition(item, true) };
        Some(ChoiceRule { condition: condition?, output, assign, next: next? })
    }

    fn jsonata_condition(&mut self, item: &Item<'_>) -> Option<Condition> {
        let mut table: Vec<(&str, Use)> = JSONATA_RULE.to_vec();
        table.extend(OPERATORS.iter().map(|(name, _)| (name.as_str(), Only(Language::JsonPath))));
        table.extend(["Variable", "And", "Or", "Not"].map(|name| (name, Only(Language::JsonPath))));
        self.known_fields(item, &table);
        let in_jsonpath = ["Variable", "And", "Or", "Not"].iter().any(|name| item.has(name));
        if in_jsonpath || self.require(item, &["Condition"]) {
            let condition = item.get("Condition")?;
            if self.is_expression(&condition) {
                return self.query(&condition).map(Condition::Query);
            }
            return self.boolean(&condition).map(Condition::Literal);
        }
        None
    }

    /// A rule, or what stands in `And`, `Or` and `Not`.
    fn condition(&mut self, item: &Item<'_>, top: bool) -> Option<Condition> {
        if item.node.as_object().is_none() {
            self.wrong_type(item, "OBJECT");
            return None;
        }
        if let Some(comment) = item.get("Comment") {
            self.string(&comment);
        }
        let mut table: Vec<(&str, Use)> = ["Variable", "And", "Or", "Not", "Comment"].map(|n| (n, Use::Both)).to_vec();
        table.extend(OPERATORS.iter().map(|(name, _)| (name.as_str(), Use::Both)));
        if top {
            table.extend([("Next", Use::Both), ("Assign", Use::Both)]);
            table.extend(["Condition", "Output"].map(|name| (name, Only(Language::Jsonata))));
        }
        self.known_fields(item, &table);
        let operators: Vec<&str> = OPERATORS
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(["And", "Or", "Not"])
            .filter(|n| item.has(n))
            .collect();
        match operators[..] {
            // The field of the other language has been reported, and says enough.
            [] if item.has("Condition") => None,
            [] => {
                let missing = if item.has("Variable") { "a comparison operator" } else { "Variable" };
                self.error(Rule::RequiredField, item, format!("These fields are required: [{missing}]"))
                    .help("a rule is `And`, `Or`, `Not`, or `Variable` with one operator such as `StringEquals`");
                None
            }
            [name @ ("And" | "Or" | "Not")] => self.combined(item, name),
            [name] => self.test(item, name),
            _ => {
                self.only_one_of(item, &operators);
                None
            }
        }
    }

    fn combined(&mut self, item: &Item<'_>, name: &str) -> Option<Condition> {
        let field = item.get(name)?;
        if item.has("Variable") {
            self.only_one_of(item, &["Variable", name]);
        }
        if name == "Not" {
            return self.condition(&field, false).map(|inner| Condition::Not(Box::new(inner)));
        }
        if !self.full_array(&field) {
            return None;
        }
        let inner = field.elements().filter_map(|part| self.condition(&part, false)).collect();
        Some(if name == "And" { Condition::And(inner) } else { Condition::Or(inner) })
    }

    fn test(&mut self, item: &Item<'_>, name: &str) -> Option<Condition> {
        let variable = match item.get("Variable") {
            Some(variable) => self.path(&variable),
            None => {
                self.require(item, &["Variable"]);
                None
            }
        };
        let operand = item.get(name)?;
        let (_, kind) = OPERATORS.iter().find(|(operator, _)| operator == name)?;
        let operator = match *kind {
            Name::Is(test) => Operator::Is(test, self.boolean(&operand)?),
            Name::Matches => Operator::StringMatches(self.string(&operand)?),
            Name::Compare { class, relation, path: true } => {
                let operand = Operand::Path(self.reference_path(&operand, Roots::All)?);
                Operator::Compare { class, relation, operand }
            }
            Name::Compare { class, relation, path: false } => {
                self.literal_operand(&operand, name, class)?;
                Operator::Compare { class, relation, operand: Operand::Literal(operand.node.to_value()) }
            }
        };
        Some(Condition::Test { variable: variable?, operator })
    }

    /// Checks that a literal is of the class of its operator.
    fn literal_operand(&mut self, operand: &Item<'_>, name: &str, class: Class) -> Option<()> {
        match class {
            Class::String => {
                self.string(operand)?;
                self.literal_text(operand, name, &format!("{name}Path"));
                Some(())
            }
            Class::Numeric => self.number(operand, ANY).map(drop),
            Class::Boolean => self.boolean(operand).map(drop),
            Class::Timestamp => self.timestamp(operand).map(drop),
        }
    }
}
