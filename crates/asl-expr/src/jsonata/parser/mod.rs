//! The parser: operators by how tightly they bind (Pratt), and each part processed as soon as it is read, into the flat
//! paths the reference implementation's second pass makes. Its codes and places are those of the reference.

mod calls;
mod steps;

use self::steps::{index, keep_array, path};
use super::ancestry::Ancestry;
use super::ast::{Expr, Kind, Op};
use super::lexer::{Kind as TokenKind, Lexer, Mistake, Token};
use super::messages::quoted;

/// How deep a text may nest.
const DEEPEST: usize = 160;
/// How high its tree may be: a chain of operators is as high as it is long.
const HIGHEST: usize = 400;
/// How many `%` there may be.
const MOST_PARENTS: usize = 200;

/// A part of the text, parsed, with the token that the reference's own tree has for it.
struct Operand<'a> {
    expr: Expr,
    token: Token<'a>,
    form: Form,
}

/// What a part is as it is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Name,
    Variable,
    /// `@`
    Focus,
    Other,
}

/// The syntax tree of a text, and the labels of its `%`.
///
/// # Errors
/// The mistake the reference implementation reports.
pub(super) fn parse(text: &str) -> Result<(Expr, Vec<usize>), Mistake> {
    let end = Token { kind: TokenKind::End, text: "".into(), start: 0 };
    let mut parser =
        Parser { lexer: Lexer::new(text), token: end, depth: 0, late: None, ancestry: Ancestry::default() };
    let operand = parser.all().map_err(|mistake| *mistake)?;
    if let Some(mistake) = parser.late {
        return Err(mistake);
    }
    if matches!(operand.expr.kind, Kind::Parent(_)) || !operand.expr.seeking.is_empty() {
        return Err(Mistake::new("S0217", operand.expr.at));
    }
    Ok((operand.expr, parser.ancestry.labels()))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    depth: usize,
    /// The first mistake of those that the reference finds after it has read all of the text.
    late: Option<Mistake>,
    ancestry: Ancestry,
}

/// Boxed, so that a level of nesting needs little of the stack; so do functions of their own for what nests.
type Fallible<T> = Result<T, Box<Mistake>>;
type Parsed<'a> = Fallible<Box<Operand<'a>>>;

/// How tightly a token binds to what is left of it.
fn binding(token: &Token<'_>) -> u8 {
    if token.kind != TokenKind::Operator {
        return 0;
    }
    match &*token.text {
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

/// The tallest of some parts, and one more.
fn above<'e>(parts: impl IntoIterator<Item = &'e Expr>) -> usize {
    parts.into_iter().map(|part| part.height).max().unwrap_or(0) + 1
}

impl<'a> Parser<'a> {
    fn is(&self, operator: &str) -> bool {
        self.token.kind == TokenKind::Operator && *self.token.text == *operator
    }

    /// Goes on to the next token.
    fn step(&mut self, after_operand: bool) -> Fallible<Token<'a>> {
        let next = self.lexer.next(after_operand)?;
        if next.kind == TokenKind::Operator && matches!(&*next.text, "!" | "~") {
            return Err(Box::new(Mistake::at("S0204", &next)));
        }
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Goes past the operator that must be here.
    fn expect(&mut self, operator: &str, after_operand: bool) -> Fallible<()> {
        if self.is(operator) {
            return self.step(after_operand).map(|_| ());
        }
        let code = if self.token.kind == TokenKind::End { "S0203" } else { "S0202" };
        let mut mistake = Mistake::at(code, &self.token);
        mistake.value = Some(quoted(operator));
        Err(Box::new(mistake))
    }

    /// Notes a mistake that the reference finds after it has read all of the text.
    fn late(&mut self, mistake: Mistake) {
        self.late.get_or_insert(mistake);
    }

    fn operand(&self, expr: Expr, token: Token<'a>, form: Form) -> Parsed<'a> {
        if expr.height > HIGHEST {
            return Err(Box::new(Mistake::at("S0299", &token)));
        }
        Ok(Box::new(Operand { expr, token, form }))
    }

    fn all(&mut self) -> Parsed<'a> {
        self.step(false)?;
        let operand = self.expression(0)?;
        if self.token.kind != TokenKind::End {
            return Err(Box::new(Mistake::at("S0201", &self.token)));
        }
        Ok(operand)
    }

    fn expression(&mut self, right: u8) -> Parsed<'a> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Box::new(Mistake::at("S0299", &self.token)));
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

    fn inner(&mut self, right: u8) -> Fallible<Expr> {
        Ok(self.expression(right)?.expr)
    }

    /// `one` as long as a comma follows, up to `end`.
    fn list(&mut self, end: &str, mut one: impl FnMut(&mut Self) -> Fallible<()>) -> Fallible<()> {
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

    fn pairs(&mut self) -> Fallible<Vec<(Expr, Expr)>> {
        let mut pairs = Vec::new();
        self.list("}", |parser| {
            let key = parser.inner(0)?;
            parser.expect(":", false)?;
            pairs.push((key, parser.inner(0)?));
            Ok(())
        })?;
        Ok(pairs)
    }

    fn prefix(&mut self, token: Token<'a>) -> Parsed<'a> {
        let at = token.start;
        let form = match token.kind {
            TokenKind::Name => Form::Name,
            TokenKind::Variable => Form::Variable,
            _ => Form::Other,
        };
        let kind = match token.kind {
            TokenKind::End => {
                self.late(Mistake::at("S0207", &token));
                Kind::Null
            }
            TokenKind::Operator => return self.prefix_operator(token),
            TokenKind::Name => {
                let name = Expr::new(Kind::Name(token.text.to_string()), at);
                return self.operand(path(name), token, form);
            }
            TokenKind::Variable => Kind::Variable(token.text.to_string()),
            TokenKind::String => Kind::String(token.text.to_string()),
            TokenKind::Number => Kind::Number(token.text.parse().unwrap_or(f64::NAN)),
            TokenKind::Value => match &*token.text {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                _ => Kind::Null,
            },
            TokenKind::Regex { ref flags } => Kind::Regex { pattern: token.text.to_string(), flags: flags.clone() },
        };
        self.operand(Expr::new(kind, at), token, form)
    }

    fn prefix_operator(&mut self, token: Token<'a>) -> Parsed<'a> {
        match &*token.text {
            "-" => self.negated(token),
            "(" => self.block(token),
            "[" => self.array(token),
            "{" => self.object(token),
            "|" => self.transform(token),
            _ => self.word(token),
        }
    }

    /// An operator that stands for itself.
    fn word(&mut self, token: Token<'a>) -> Parsed<'a> {
        let at = token.start;
        let expr = match &*token.text {
            "and" | "or" | "in" => path(Expr::new(Kind::Name(token.text.to_string()), at)),
            "*" => Expr::new(Kind::Wildcard, at),
            "**" => Expr::new(Kind::Descendant, at),
            "%" if self.ancestry.len() >= MOST_PARENTS => return Err(Box::new(Mistake::at("S0299", &token))),
            "%" => Expr::new(Kind::Parent(self.ancestry.parent()), at),
            _ => return Err(Box::new(Mistake::at("S0211", &token))),
        };
        self.operand(expr, token, Form::Other)
    }

    fn negated(&mut self, token: Token<'a>) -> Parsed<'a> {
        let mut operand = self.inner(70)?;
        let expr = if let Kind::Number(n) = &mut operand.kind {
            *n = -*n;
            operand.at = token.start;
            operand
        } else {
            let mut expr = Expr { height: operand.height + 1, at: token.start, ..Expr::default() };
            self.ancestry.push(&mut expr, &operand);
            Expr { kind: Kind::Negate(Box::new(operand)), ..expr }
        };
        self.operand(expr, token, Form::Other)
    }

    fn object(&mut self, token: Token<'a>) -> Parsed<'a> {
        let pairs = self.pairs()?;
        let height = above(pairs.iter().flat_map(|(k, v)| [k, v]));
        let mut expr = Expr { height, at: token.start, ..Expr::default() };
        for (key, value) in &pairs {
            self.ancestry.push(&mut expr, key);
            self.ancestry.push(&mut expr, value);
        }
        expr.kind = Kind::Object(pairs);
        self.operand(expr, token, Form::Other)
    }

    fn transform(&mut self, token: Token<'a>) -> Parsed<'a> {
        let pattern = self.inner(0)?;
        self.expect("|", false)?;
        let update = self.inner(0)?;
        let mut delete = None;
        if self.is(",") {
            self.expect(",", false)?;
            delete = Some(self.inner(0)?);
        }
        self.expect("|", false)?;
        let height = above([&pattern, &update].into_iter().chain(&delete));
        let expr = Expr::new(Kind::Transform(Box::new((pattern, update, delete))), token.start);
        self.operand(Expr { height, ..expr }, token, Form::Other)
    }

    fn block(&mut self, token: Token<'a>) -> Parsed<'a> {
        let mut parts = Vec::new();
        while !self.is(")") {
            parts.push(self.inner(0)?);
            if !self.is(";") {
                break;
            }
            self.expect(";", false)?;
        }
        self.expect(")", true)?;
        let mut expr = Expr { height: above(&parts), at: token.start, ..Expr::default() };
        for part in &parts {
            self.ancestry.push(&mut expr, part);
            let first = if let Kind::Path { steps, .. } = &part.kind { steps.first() } else { None };
            expr.cons_array |= part.cons_array || first.is_some_and(|step| step.cons_array);
        }
        expr.kind = Kind::Block(parts);
        self.operand(expr, token, Form::Other)
    }

    fn array(&mut self, token: Token<'a>) -> Parsed<'a> {
        let mut items = Vec::new();
        self.list("]", |parser| {
            let mut item = parser.inner(0)?;
            if parser.is("..") {
                let at = parser.token.start;
                parser.expect("..", false)?;
                let last = parser.inner(0)?;
                item = parser.binary_of(Op::Range, item, last, at);
            }
            items.push(item);
            Ok(())
        })?;
        let mut expr = Expr { height: above(&items), at: token.start, ..Expr::default() };
        for item in &items {
            self.ancestry.push(&mut expr, item);
        }
        expr.kind = Kind::Array(items);
        self.operand(expr, token, Form::Other)
    }

    fn binary_of(&mut self, op: Op, left: Expr, right: Expr, at: usize) -> Expr {
        let mut expr = Expr { height: above([&left, &right]), at, ..Expr::default() };
        self.ancestry.push(&mut expr, &left);
        self.ancestry.push(&mut expr, &right);
        Expr { kind: Kind::Binary(op, Box::new([left, right])), ..expr }
    }

    fn infix(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        match &*token.text {
            "(" => self.call(token, left),
            "." => self.dot(token, left),
            "[" => self.bracket(token, left),
            "{" => self.grouping(token, left),
            "^" => self.order_by(token, left),
            ":=" => self.bind(token, left),
            "@" | "#" => self.naming(token, left),
            "?" => self.condition(token, left),
            "~>" => self.apply(token, left),
            _ => self.binary(token, left),
        }
    }

    fn dot(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        let right = self.expression(75)?;
        let expr = self.join(left.expr, right.expr);
        self.operand(expr, token, Form::Other)
    }

    fn bracket(&mut self, token: Token<'a>, mut left: Box<Operand<'a>>) -> Parsed<'a> {
        if self.is("]") {
            self.expect("]", false)?;
            keep_array(&mut left);
            return Ok(left);
        }
        // What is written stays a name or `@` for a `[]` that follows.
        let form = left.form;
        let expr = self.predicate(left.expr, token.start)?;
        self.operand(expr, token, form)
    }

    fn bind(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        if left.form != Form::Variable || left.token.kind != TokenKind::Variable {
            return Err(Box::new(Mistake::at("S0212", &left.token)));
        }
        let value = self.expression(9)?;
        self.bind_of(token, *left, *value)
    }

    fn bind_of(&mut self, token: Token<'a>, left: Operand<'a>, value: Operand<'a>) -> Parsed<'a> {
        let value = value.expr;
        let mut expr = Expr { height: value.height + 1, at: token.start, ..Expr::default() };
        self.ancestry.push(&mut expr, &value);
        expr.kind = Kind::Bind(left.token.text.into_owned(), Box::new(value));
        self.operand(expr, token, Form::Other)
    }

    /// `left@$name` and `left#$name`
    fn naming(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        let name = self.expression(80)?;
        if name.form != Form::Variable || name.token.kind != TokenKind::Variable {
            return Err(Box::new(Mistake { offset: name.token.start, ..Mistake::at("S0214", &token) }));
        }
        if token.text == "@" {
            let expr = self.focus(left.expr, name.token.text.into_owned(), token.start);
            self.operand(expr, token, Form::Focus)
        } else {
            self.operand(index(left.expr, name.token.text.into_owned()), token, Form::Other)
        }
    }

    fn condition(&mut self, token: Token<'a>, condition: Box<Operand<'a>>) -> Parsed<'a> {
        let then = self.expression(0)?;
        let mut otherwise = None;
        if self.is(":") {
            self.expect(":", false)?;
            otherwise = Some(self.expression(0)?);
        }
        self.condition_of(token, condition.expr, then.expr, otherwise.map(|part| part.expr))
    }

    fn condition_of(&mut self, token: Token<'a>, condition: Expr, then: Expr, otherwise: Option<Expr>) -> Parsed<'a> {
        let height = above([&condition, &then].into_iter().chain(&otherwise));
        let mut expr = Expr { height, at: token.start, ..Expr::default() };
        for part in [&condition, &then].into_iter().chain(&otherwise) {
            self.ancestry.push(&mut expr, part);
        }
        expr.kind = Kind::Condition(Box::new((condition, then, otherwise)));
        self.operand(expr, token, Form::Other)
    }

    fn apply(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        let right = self.expression(40)?;
        self.apply_of(token, left.expr, right.expr)
    }

    fn apply_of(&mut self, token: Token<'a>, left: Expr, right: Expr) -> Parsed<'a> {
        let keep_array = left.keep_array || right.keep_array;
        let height = above([&left, &right]);
        let expr = Expr::new(Kind::Apply(Box::new([left, right])), token.start);
        self.operand(Expr { keep_array, height, ..expr }, token, Form::Other)
    }

    fn binary(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        let Some(op) = Op::of(&token.text) else { return Err(Box::new(Mistake::at("S0201", &token))) };
        let right = self.expression(binding(&token))?;
        let expr = self.binary_of(op, left.expr, right.expr, token.start);
        self.operand(expr, token, Form::Other)
    }
}
