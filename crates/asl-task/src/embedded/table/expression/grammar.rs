//! The grammar of conditions.
//!
//! `or := and (OR and)*`, `and := not (AND not)*`, `not := NOT not | comparison`,
//! `comparison := primary [comparator primary | BETWEEN primary AND primary | IN (primary, ...)]`,
//! `primary := ( or ) | function(primary, ...) | :value | path`.

use super::condition::{Comparator, Condition, FUNCTIONS, Function, Operand, order};
use super::parse::{Parser, Rank, Syntax};
use super::path::Path;
use crate::embedded::table::attribute::Attribute;
use std::cmp::Ordering;

const COMPARATORS: [(&str, Comparator); 6] = [
    ("=", Comparator::Equal),
    ("<>", Comparator::NotEqual),
    ("<", Comparator::Less),
    ("<=", Comparator::LessOrEqual),
    (">", Comparator::Greater),
    (">=", Comparator::GreaterOrEqual),
];

const TYPES: [&str; 10] = ["S", "N", "B", "NULL", "SS", "BOOL", "L", "BS", "NS", "M"];

/// What a piece of the grammar turned out to be: parentheses may hold either.
enum Node {
    Condition(Condition),
    Operand(Operand),
}

impl Parser<'_> {
    /// A condition and nothing else.
    pub(super) fn whole_condition(&mut self) -> Syntax<Condition> {
        let node = self.any()?;
        self.condition(node)
    }

    fn any(&mut self) -> Syntax<Node> {
        self.deeper(|parser| parser.series("OR", Condition::Or, |p| p.series("AND", Condition::And, Self::not)))
    }

    /// `inner (keyword inner)*`
    fn series(
        &mut self,
        keyword: &str,
        join: fn(Vec<Condition>) -> Condition,
        inner: fn(&mut Self) -> Syntax<Node>,
    ) -> Syntax<Node> {
        let first = inner(self)?;
        if !self.is_keyword(keyword) {
            return Ok(first);
        }
        let mut parts = vec![self.condition(first)?];
        while self.keyword(keyword) {
            let next = inner(self)?;
            parts.push(self.condition(next)?);
        }
        Ok(Node::Condition(join(parts)))
    }

    fn condition(&mut self, node: Node) -> Syntax<Condition> {
        match node {
            Node::Condition(condition) => Ok(condition),
            Node::Operand(Operand::Size(inner)) => {
                self.misused("size");
                Ok(Condition::Function(Function::Exists, vec![*inner]))
            }
            Node::Operand(_) => Err(self.syntax_error()),
        }
    }

    fn misused(&mut self, function: &str) {
        self.report(Rank::MisusedFunction, || {
            format!("The function is not allowed to be used this way in an expression; function: {function}")
        });
    }

    fn not(&mut self) -> Syntax<Node> {
        if !self.keyword("NOT") {
            return self.comparison();
        }
        let inner = self.deeper(Self::not)?;
        let inner = self.condition(inner)?;
        Ok(Node::Condition(Condition::Not(Box::new(inner))))
    }

    fn comparison(&mut self) -> Syntax<Node> {
        let left = self.primary()?;
        let symbol = self.next_text();
        if let Some((_, comparator)) = COMPARATORS.iter().find(|(name, _)| *name == symbol) {
            self.advance();
            let left = self.operand(left)?;
            let right = self.primary()?;
            let right = self.operand(right)?;
            self.check_comparable(symbol, *comparator, &left, &right);
            return Ok(Node::Condition(Condition::Compare(*comparator, left, right)));
        }
        if self.keyword("BETWEEN") {
            let left = self.operand(left)?;
            let low = self.primary()?;
            let low = self.operand(low)?;
            if !self.keyword("AND") {
                return Err(self.syntax_error());
            }
            let high = self.primary()?;
            let high = self.operand(high)?;
            self.check_between(&low, &high);
            return Ok(Node::Condition(Condition::Between(left, low, high)));
        }
        if self.keyword("IN") {
            let left = self.operand(left)?;
            self.expect("(")?;
            let set = self.operands()?;
            return Ok(Node::Condition(Condition::In(left, set)));
        }
        Ok(left)
    }

    fn primary(&mut self) -> Syntax<Node> {
        let open = self.position();
        if self.symbol("(") {
            let inner = self.any()?;
            self.expect(")")?;
            self.close(open);
            return Ok(inner);
        }
        if let Some(name) = self.function() {
            let operands = self.deeper(Self::operands)?;
            return Ok(self.apply(name, operands));
        }
        if let Some(value) = self.value() {
            return Ok(Node::Operand(Operand::Value(value)));
        }
        self.path().map(|path| Node::Operand(Operand::Path(path)))
    }

    /// Operands up to the closing parenthesis.
    fn operands(&mut self) -> Syntax<Vec<Operand>> {
        let mut operands = Vec::new();
        loop {
            let operand = self.primary()?;
            operands.push(self.operand(operand)?);
            if self.symbol(")") {
                return Ok(operands);
            }
            self.expect(",")?;
        }
    }

    fn operand(&mut self, node: Node) -> Syntax<Operand> {
        match node {
            Node::Operand(operand) => Ok(operand),
            Node::Condition(Condition::Function(function, mut operands)) => {
                self.misused(function.name());
                Ok(operands.pop().unwrap_or(Operand::Value(Attribute::Null)))
            }
            Node::Condition(_) => Err(self.syntax_error()),
        }
    }

    fn apply(&mut self, name: &str, mut operands: Vec<Operand>) -> Node {
        if name == "size" {
            self.check_count(name, 1, operands.len());
            let operand = operands.pop().unwrap_or(Operand::Value(Attribute::Null));
            if let Some(kind @ ("N" | "BOOL" | "NULL")) = operand.known_type() {
                self.wrong_type(name, kind);
            }
            return Node::Operand(Operand::Size(Box::new(operand)));
        }
        let Some((_, function, count)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            self.report(Rank::UnknownFunction, || format!("Invalid function name; function: {name}"));
            return Node::Condition(Condition::And(Vec::new()));
        };
        self.check_count(name, *count, operands.len());
        if operands.len() == *count {
            self.check_operands(name, *function, &operands);
        }
        Node::Condition(Condition::Function(*function, operands))
    }

    fn check_operands(&mut self, name: &str, function: Function, operands: &[Operand]) {
        if let [Operand::Path(a), Operand::Path(b)] = operands
            && a == b
        {
            self.distinct(name, a);
        }
        match function {
            Function::Exists | Function::NotExists => {
                if !matches!(operands, [Operand::Path(_)]) {
                    self.wants_path(name);
                }
            }
            Function::Type => match operands.get(1) {
                Some(Operand::Value(Attribute::S(kind))) if TYPES.contains(&&**kind) => {}
                Some(Operand::Value(Attribute::S(kind))) => self.report(Rank::OperandType, || {
                    format!(
                        "Invalid attribute type name found; type: {kind}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
                    )
                }),
                other => {
                    let kind = other.and_then(Operand::known_type).unwrap_or("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
                    self.wrong_type(name, kind);
                }
            },
            Function::BeginsWith => {
                let wrong = operands.iter().filter_map(Operand::known_type).find(|kind| !["S", "B"].contains(kind));
                if let Some(kind) = wrong {
                    self.wrong_type(name, kind);
                }
            }
            Function::Contains => {}
        }
    }

    fn distinct(&mut self, name: &str, path: &Path) {
        self.report(Rank::Distinct, || {
            format!(
                "The first operand must be distinct from the remaining operands for this operator or function; \
                 operator: {name}, first operand: {path}"
            )
        });
    }

    fn check_comparable(&mut self, symbol: &str, comparator: Comparator, left: &Operand, right: &Operand) {
        if let (Operand::Path(a), Operand::Path(b)) = (left, right)
            && a == b
        {
            self.distinct(symbol, a);
        }
        if matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
            return;
        }
        let unordered = |kind: &&str| !["S", "N", "B"].contains(kind);
        if let Some(kind) = [left, right].into_iter().filter_map(Operand::known_type).find(unordered) {
            self.report(Rank::OperandType, || {
                format!("Incorrect operand type for operator or function; operator: {symbol}, operand type: {kind}")
            });
        }
    }

    fn check_between(&mut self, low: &Operand, high: &Operand) {
        let (Operand::Value(low), Operand::Value(high)) = (low, high) else { return };
        let problem = match order(low, high) {
            _ if low.type_name() != high.type_name() => "requires same data type for lower and upper bounds",
            Some(Ordering::Greater) => "requires upper bound to be greater than or equal to lower bound",
            Some(_) => return,
            None => return self.wrong_type("BETWEEN", low.type_name()),
        };
        let show = |value: &Attribute| match value {
            Attribute::S(text) => format!("{{S:{text}}}"),
            Attribute::N(number) => format!("{{N:{number}}}"),
            other => format!("{{{}}}", other.type_name()),
        };
        self.report(Rank::OperandType, || {
            format!(
                "The BETWEEN operator {problem}; lower bound operand: AttributeValue: {}, \
                 upper bound operand: AttributeValue: {}",
                show(low),
                show(high)
            )
        });
    }
}
