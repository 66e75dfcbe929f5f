//! Whether a text is an expression: the grammar of the reference implementation, for its mistakes alone. What passes here is
//! parsed by the evaluator.

use super::lexer::{Kind, Lexer, Mistake, Token};

/// How deep a text may nest to be judged here.
const DEEPEST: usize = 200;

/// A part of an expression, as far as mistakes depend on it.
#[derive(Debug)]
struct Node {
    token: Token,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// A token by itself.
    Leaf,
    /// Parts in the order in which they are looked at.
    Parts(Vec<Node>),
    Negate(Box<Node>),
    Binary(Box<Node>, Vec<Node>),
}

/// Finds the first mistake of `text`. A text that nests too deep passes.
///
/// # Errors
/// The mistake the reference implementation reports.
pub(super) fn check(text: &str) -> Result<(), Mistake> {
    let mut parser =
        Parser { lexer: Lexer::new(text), token: Token { kind: Kind::End, text: String::new(), start: 0 }, depth: 0 };
    match parser.all() {
        Err(Stop::Mistake(mistake)) => Err(mistake),
        Err(Stop::Deep) => Ok(()),
        Ok(node) => process(&node).map(|_| ()),
    }
}

enum Stop {
    Mistake(Mistake),
    Deep,
}

impl From<Mistake> for Stop {
    fn from(mistake: Mistake) -> Stop {
        Stop::Mistake(mistake)
    }
}

type Parsed = Result<Node, Stop>;

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    depth: usize,
}

/// How tightly a token binds to what is left of it.
fn binding(token: &Token) -> u8 {
    if token.kind != Kind::Operator {
        return 0;
    }
    match token.text.as_str() {
        "[" | "(" | "@" | "#" => 80,
        "." => 75,
        "{" => 70,
        "*" | "/" | "%" => 60,
        "+" | "-" | "&" => 50,
        "=" | "<" | ">" | "^" | "!=" | "<=" | ">=" | "~>" | "in" => 40,
        "and" => 30,
        "or" => 25,
        "?" => 20,
        ":=" => 10,
        _ => 0,
    }
}

impl Parser<'_> {
    fn is(&self, operator: &str) -> bool {
        self.token.kind == Kind::Operator && self.token.text == operator
    }

    /// Goes on to the next token.
    fn step(&mut self, after_operand: bool) -> Result<Token, Stop> {
        let next = self.lexer.next(after_operand)?;
        if next.kind == Kind::Operator && matches!(next.text.as_str(), "!" | "~") {
            return Err(Mistake::at("S0204", &next).into());
        }
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Goes past the operator that must be here.
    fn expect(&mut self, operator: &str, after_operand: bool) -> Result<(), Stop> {
        if self.is(operator) {
            return self.step(after_operand).map(|_| ());
        }
        let code = if self.token.kind == Kind::End { "S0203" } else { "S0202" };
        let mut mistake = Mistake::at(code, &self.token);
        mistake.value = Some(super::messages::quoted(operator));
        Err(mistake.into())
    }

    fn all(&mut self) -> Parsed {
        self.step(false)?;
        let node = self.expression(0)?;
        if self.token.kind != Kind::End {
            return Err(Mistake::at("S0201", &self.token).into());
        }
        Ok(node)
    }

    fn expression(&mut self, right: u8) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::Deep);
        }
        let token = self.step(true)?;
        let mut left = self.prefix(token)?;
        while right < binding(&self.token) {
            let token = self.step(false)?;
            left = self.infix(token, left)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// `one` as long as a comma follows, up to `end`.
    fn list(&mut self, end: &str, mut one: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        if !self.is(end) {
            loop {
                one(self)?;
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect(end, true)
    }

    fn pairs(&mut self) -> Result<Vec<Node>, Stop> {
        let mut parts = Vec::new();
        self.list("}", |parser| {
            parts.push(parser.expression(0)?);
            parser.expect(":", false)?;
            parts.push(parser.expression(0)?);
            Ok(())
        })?;
        Ok(parts)
    }

    fn prefix(&mut self, token: Token) -> Parsed {
        if token.kind != Kind::Operator {
            return Ok(Node { token, form: Form::Leaf });
        }
        let mut parts = Vec::new();
        match token.text.as_str() {
            "and" | "or" | "in" | "*" | "**" | "%" => return Ok(Node { token, form: Form::Leaf }),
            "-" => {
                let operand = Box::new(self.expression(70)?);
                return Ok(Node { token, form: Form::Negate(operand) });
            }
            "(" => {
                while !self.is(")") {
                    parts.push(self.expression(0)?);
                    if !self.is(";") {
                        break;
                    }
                    self.expect(";", false)?;
                }
                self.expect(")", true)?;
            }
            "[" => self.list("]", |parser| {
                parts.push(parser.expression(0)?);
                if parser.is("..") {
                    parser.expect("..", false)?;
                    parts.push(parser.expression(0)?);
                }
                Ok(())
            })?,
            "{" => parts = self.pairs()?,
            "|" => {
                parts.push(self.expression(0)?);
                self.expect("|", false)?;
                parts.push(self.expression(0)?);
                if self.is(",") {
                    self.expect(",", false)?;
                    parts.push(self.expression(0)?);
                }
                self.expect("|", false)?;
            }
            _ => return Err(Mistake::at("S0211", &token).into()),
        }
        Ok(Node { token, form: Form::Parts(parts) })
    }

    fn infix(&mut self, token: Token, left: Node) -> Parsed {
        let mut parts = Vec::new();
        let mut left = Some(left);
        match token.text.as_str() {
            "(" => return self.call(token, left.take()),
            "[" if self.is("]") => {
                self.expect("]", false)?;
                return left.ok_or(Stop::Deep);
            }
            "[" => {
                parts.push(self.expression(0)?);
                self.expect("]", true)?;
            }
            "{" => parts = self.pairs()?,
            "^" => {
                self.expect("(", false)?;
                loop {
                    if self.is("<") || self.is(">") {
                        self.step(false)?;
                    }
                    parts.push(self.expression(0)?);
                    if !self.is(",") {
                        break;
                    }
                    self.expect(",", false)?;
                }
                self.expect(")", false)?;
            }
            ":=" => {
                if let Some(left) = left.as_ref().filter(|left| !is_variable(left)) {
                    return Err(Mistake::at("S0212", &left.token).into());
                }
                parts.push(self.expression(9)?);
            }
            "@" | "#" => {
                let name = self.expression(80)?;
                if !is_variable(&name) {
                    return Err(Mistake { offset: name.token.start, ..Mistake::at("S0214", &token) }.into());
                }
            }
            "?" => {
                parts.push(self.expression(0)?);
                if self.is(":") {
                    self.expect(":", false)?;
                    parts.push(self.expression(0)?);
                }
            }
            _ => parts.push(self.expression(binding(&token))?),
        }
        let left = Box::new(left.ok_or(Stop::Deep)?);
        Ok(Node { token, form: Form::Binary(left, parts) })
    }

    fn call(&mut self, token: Token, procedure: Option<Node>) -> Parsed {
        let mut parts = Vec::new();
        self.list(")", |parser| {
            parts.push(if parser.is("?") {
                let token = parser.step(false)?;
                Node { token, form: Form::Leaf }
            } else {
                parser.expression(0)?
            });
            Ok(())
        })?;
        let is_lambda = procedure.as_ref().is_some_and(|procedure| {
            procedure.token.kind == Kind::Name
                && matches!(procedure.form, Form::Leaf)
                && matches!(procedure.token.text.as_str(), "function" | "\u{3bb}")
        });
        if !is_lambda {
            parts.extend(procedure);
            return Ok(Node { token, form: Form::Parts(parts) });
        }
        if let Some(index) = parts.iter().position(|part| !is_variable(part)) {
            let mut mistake = Mistake::at("S0208", &parts[index].token);
            mistake.value = Some((index + 1).to_string());
            return Err(mistake.into());
        }
        if self.is("<") {
            let (start, mut signature, mut depth) = (self.token.start, "<".to_owned(), 1);
            while depth > 0 && !self.is("{") && self.token.kind != Kind::End {
                self.step(false)?;
                depth += i32::from(self.is("<")) - i32::from(self.is(">"));
                signature.push_str(&self.token.text);
            }
            self.expect(">", false)?;
            if let Some(code) = signature_mistake(&signature) {
                return Err(Mistake::new(code, start).into());
            }
        }
        self.expect("{", false)?;
        let body = self.expression(0)?;
        self.expect("}", false)?;
        Ok(Node { token, form: Form::Parts(vec![body]) })
    }
}

/// The code of the mistake in a function's signature.
fn signature_mistake(signature: &str) -> Option<&'static str> {
    let (mut rest, mut before) = (&signature[1..], ' ');
    while let Some(c) = rest.chars().next().filter(|c| *c != ':') {
        rest = &rest[c.len_utf8()..];
        let close = |open: char, shut: char| {
            let mut depth = 1;
            let closes = |c: char| {
                depth += i32::from(c == open) - i32::from(c == shut);
                depth == 0
            };
            rest.find(closes).unwrap_or(rest.len())
        };
        match c {
            '(' => {
                let end = close('(', ')');
                if rest[..end].contains('<') {
                    return Some("S0402");
                }
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            '<' if !matches!(before, 'a' | 'f') => return Some("S0401"),
            '<' => rest = rest.get(close('<', '>') + 1..).unwrap_or_default(),
            _ => {}
        }
        if c.is_alphabetic() || c == '(' {
            before = c;
        }
    }
    None
}

fn is_variable(node: &Node) -> bool {
    node.token.kind == Kind::Variable && matches!(node.form, Form::Leaf)
}

/// What became of a node: its steps, if it is a path; a single one, if not.
struct Steps {
    path: bool,
    steps: Vec<Step>,
    grouped: bool,
}

#[derive(Default)]
struct Step {
    /// A number, `true`, `false` or `null`, which is no step.
    literal: Option<Token>,
    /// It has predicates.
    staged: bool,
    sorted: bool,
}

fn single(literal: Option<Token>) -> Steps {
    Steps { path: false, steps: vec![Step { literal, ..Step::default() }], grouped: false }
}

/// The second look at an expression, at what its parts may stand next to.
fn process(node: &Node) -> Result<Steps, Mistake> {
    match &node.form {
        Form::Leaf => match node.token.kind {
            Kind::End => Err(Mistake::at("S0207", &node.token)),
            Kind::Number | Kind::Value => Ok(single(Some(node.token.clone()))),
            Kind::Name => Ok(Steps { path: true, ..single(None) }),
            Kind::Operator if node.token.text.starts_with(char::is_alphabetic) => {
                Ok(Steps { path: true, ..single(None) })
            }
            _ => Ok(single(None)),
        },
        Form::Parts(parts) => {
            parts.iter().try_for_each(|part| process(part).map(|_| ()))?;
            Ok(single(None))
        }
        Form::Negate(operand) => {
            let inner = process(operand)?;
            let number = inner.steps.into_iter().next().and_then(|step| step.literal);
            let number = number.filter(|token| !inner.path && token.kind == Kind::Number);
            Ok(single(number.map(|token| Token { text: format!("-{}", token.text), ..token })))
        }
        Form::Binary(left, right) => binary(&node.token, left, right),
    }
}

fn binary(token: &Token, left: &Node, right: &[Node]) -> Result<Steps, Mistake> {
    let mut result = process(left)?;
    let last = result.steps.last_mut();
    match token.text.as_str() {
        "." => {
            for part in right {
                result.steps.extend(process(part)?.steps);
            }
            if let Some(literal) = result.steps.iter().find_map(|step| step.literal.as_ref()) {
                return Err(Mistake::at("S0213", literal));
            }
            result.path = true;
            result.grouped = false;
        }
        "[" => {
            if result.grouped && !result.path {
                return Err(Mistake::new("S0209", token.start));
            }
            last.into_iter().for_each(|step| step.staged = true);
            right.iter().try_for_each(|part| process(part).map(|_| ()))?;
        }
        "{" => {
            if result.grouped {
                return Err(Mistake::new("S0210", token.start));
            }
            right.iter().try_for_each(|part| process(part).map(|_| ()))?;
            result.grouped = true;
        }
        "^" => {
            right.iter().try_for_each(|part| process(part).map(|_| ()))?;
            result.path = true;
            result.steps.push(Step { sorted: true, ..Step::default() });
        }
        "@" => {
            if last.as_ref().is_some_and(|step| step.staged) {
                return Err(Mistake::new("S0215", token.start));
            }
            if last.is_some_and(|step| step.sorted) {
                return Err(Mistake::new("S0216", token.start));
            }
        }
        "#" => result.path = true,
        _ => {
            right.iter().try_for_each(|part| process(part).map(|_| ()))?;
            return Ok(single(None));
        }
    }
    Ok(result)
}
