//! The parser: operators by how tightly they bind (Pratt), and each part processed as soon as it is read, into the flat
//! paths the reference implementation's second pass makes. Its codes and places are those of the reference.

use super::ancestry::Ancestry;
use super::ast::{Expr, Kind, Op, Stage, Term};
use super::functions::signature;
use super::lexer::{Kind as TokenKind, Lexer, Mistake, Token};
use super::messages::quoted;

/// How deep a text may nest.
const DEEPEST: usize = 160;
/// How high its tree may be: a chain of operators is as high as it is long.
const HIGHEST: usize = 400;
/// How many `%` there may be.
const MOST_PARENTS: usize = 200;

/// A part of the text, parsed, with the token that the reference's own tree has for it.
struct Operand {
    expr: Expr,
    token: Token,
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
    let end = Token { kind: TokenKind::End, text: String::new(), start: 0 };
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
    token: Token,
    depth: usize,
    /// The first mistake of those that the reference finds after it has read all of the text.
    late: Option<Mistake>,
    ancestry: Ancestry,
}

/// Boxed, so that a level of nesting needs little of the stack; so do functions of their own for what nests.
type Fallible<T> = Result<T, Box<Mistake>>;
type Parsed = Fallible<Box<Operand>>;

/// How tightly a token binds to what is left of it.
fn binding(token: &Token) -> u8 {
    if token.kind != TokenKind::Operator {
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

/// The tallest of some parts, and one more.
fn above<'e>(parts: impl IntoIterator<Item = &'e Expr>) -> usize {
    parts.into_iter().map(|part| part.height).max().unwrap_or(0) + 1
}

/// What an expression is wrapped in to become the start of a path.
fn path(expr: Expr) -> Expr {
    if matches!(expr.kind, Kind::Path { .. }) {
        return expr;
    }
    let (at, height) = (expr.at, expr.height);
    Expr { height, ..Expr::new(Kind::Path { steps: vec![expr], keep_singleton: false }, at) }
}

fn last_step(expr: &mut Expr) -> &mut Expr {
    if !matches!(expr.kind, Kind::Path { .. }) {
        return expr;
    }
    match &mut expr.kind {
        Kind::Path { steps, .. } => steps.last_mut().expect("a path has a step"),
        _ => unreachable!("it is a path"),
    }
}

impl Parser<'_> {
    fn is(&self, operator: &str) -> bool {
        self.token.kind == TokenKind::Operator && self.token.text == operator
    }

    /// Goes on to the next token.
    fn step(&mut self, after_operand: bool) -> Fallible<Token> {
        let next = self.lexer.next(after_operand)?;
        if next.kind == TokenKind::Operator && matches!(next.text.as_str(), "!" | "~") {
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

    fn operand(&self, expr: Expr, token: Token, form: Form) -> Parsed {
        if expr.height > HIGHEST {
            return Err(Box::new(Mistake::at("S0299", &token)));
        }
        Ok(Box::new(Operand { expr, token, form }))
    }

    fn all(&mut self) -> Parsed {
        self.step(false)?;
        let operand = self.expression(0)?;
        if self.token.kind != TokenKind::End {
            return Err(Box::new(Mistake::at("S0201", &self.token)));
        }
        Ok(operand)
    }

    fn expression(&mut self, right: u8) -> Parsed {
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

    fn prefix(&mut self, token: Token) -> Parsed {
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
                let name = Expr::new(Kind::Name(token.text.clone()), at);
                return self.operand(path(name), token, form);
            }
            TokenKind::Variable => Kind::Variable(token.text.clone()),
            TokenKind::String => Kind::String(token.text.clone()),
            TokenKind::Number => Kind::Number(token.text.parse().unwrap_or(f64::NAN)),
            TokenKind::Value => match token.text.as_str() {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                _ => Kind::Null,
            },
            TokenKind::Regex { ref flags } => Kind::Regex { pattern: token.text.clone(), flags: flags.clone() },
        };
        self.operand(Expr::new(kind, at), token, form)
    }

    fn prefix_operator(&mut self, token: Token) -> Parsed {
        match token.text.as_str() {
            "-" => self.negated(token),
            "(" => self.block(token),
            "[" => self.array(token),
            "{" => self.object(token),
            "|" => self.transform(token),
            _ => self.word(token),
        }
    }

    /// An operator that stands for itself.
    fn word(&mut self, token: Token) -> Parsed {
        let at = token.start;
        let expr = match token.text.as_str() {
            "and" | "or" | "in" => path(Expr::new(Kind::Name(token.text.clone()), at)),
            "*" => Expr::new(Kind::Wildcard, at),
            "**" => Expr::new(Kind::Descendant, at),
            "%" if self.ancestry.len() >= MOST_PARENTS => return Err(Box::new(Mistake::at("S0299", &token))),
            "%" => Expr::new(Kind::Parent(self.ancestry.parent()), at),
            _ => return Err(Box::new(Mistake::at("S0211", &token))),
        };
        self.operand(expr, token, Form::Other)
    }

    fn negated(&mut self, token: Token) -> Parsed {
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

    fn object(&mut self, token: Token) -> Parsed {
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

    fn transform(&mut self, token: Token) -> Parsed {
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

    fn block(&mut self, token: Token) -> Parsed {
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

    fn array(&mut self, token: Token) -> Parsed {
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

    fn infix(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        match token.text.as_str() {
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

    fn dot(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        let right = self.expression(75)?;
        let expr = self.join(left.expr, right.expr);
        self.operand(expr, token, Form::Other)
    }

    fn bracket(&mut self, token: Token, mut left: Box<Operand>) -> Parsed {
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

    fn bind(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        if left.form != Form::Variable || left.token.kind != TokenKind::Variable {
            return Err(Box::new(Mistake::at("S0212", &left.token)));
        }
        let value = self.expression(9)?;
        self.bind_of(token, *left, *value)
    }

    fn bind_of(&mut self, token: Token, left: Operand, value: Operand) -> Parsed {
        let value = value.expr;
        let mut expr = Expr { height: value.height + 1, at: token.start, ..Expr::default() };
        self.ancestry.push(&mut expr, &value);
        expr.kind = Kind::Bind(left.token.text, Box::new(value));
        self.operand(expr, token, Form::Other)
    }

    /// `left@$name` and `left#$name`
    fn naming(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        let name = self.expression(80)?;
        if name.form != Form::Variable || name.token.kind != TokenKind::Variable {
            return Err(Box::new(Mistake { offset: name.token.start, ..Mistake::at("S0214", &token) }));
        }
        if token.text == "@" {
            let expr = self.focus(left.expr, name.token.text, token.start);
            self.operand(expr, token, Form::Focus)
        } else {
            self.operand(index(left.expr, name.token.text), token, Form::Other)
        }
    }

    fn condition(&mut self, token: Token, condition: Box<Operand>) -> Parsed {
        let then = self.expression(0)?;
        let mut otherwise = None;
        if self.is(":") {
            self.expect(":", false)?;
            otherwise = Some(self.expression(0)?);
        }
        self.condition_of(token, condition.expr, then.expr, otherwise.map(|part| part.expr))
    }

    fn condition_of(&mut self, token: Token, condition: Expr, then: Expr, otherwise: Option<Expr>) -> Parsed {
        let height = above([&condition, &then].into_iter().chain(&otherwise));
        let mut expr = Expr { height, at: token.start, ..Expr::default() };
        for part in [&condition, &then].into_iter().chain(&otherwise) {
            self.ancestry.push(&mut expr, part);
        }
        expr.kind = Kind::Condition(Box::new((condition, then, otherwise)));
        self.operand(expr, token, Form::Other)
    }

    fn apply(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        let right = self.expression(40)?;
        self.apply_of(token, left.expr, right.expr)
    }

    fn apply_of(&mut self, token: Token, left: Expr, right: Expr) -> Parsed {
        let keep_array = left.keep_array || right.keep_array;
        let height = above([&left, &right]);
        let expr = Expr::new(Kind::Apply(Box::new([left, right])), token.start);
        self.operand(Expr { keep_array, height, ..expr }, token, Form::Other)
    }

    fn binary(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        let Some(op) = Op::of(&token.text) else { return Err(Box::new(Mistake::at("S0201", &token))) };
        let right = self.expression(binding(&token))?;
        let expr = self.binary_of(op, left.expr, right.expr, token.start);
        self.operand(expr, token, Form::Other)
    }

    /// `left.right`
    fn join(&mut self, left: Expr, mut right: Expr) -> Expr {
        let slot = if let Kind::Parent(slot) = left.kind { Some(slot) } else { None };
        let wraps = !matches!(left.kind, Kind::Path { .. });
        let mut result = path(left);
        result.height = result.height.max(right.height + 1);
        if let (true, Some(slot)) = (wraps, slot) {
            result.seeking = vec![slot];
        }
        let Kind::Path { steps, keep_singleton } = &mut result.kind else { return result };
        let mut added = if wraps { 0 } else { steps.len() };
        match right.kind {
            Kind::Path { steps: more, .. } => steps.extend(more),
            _ => {
                right.stages = right.predicates.drain(..).map(Stage::Filter).chain(right.stages.drain(..)).collect();
                steps.push(right);
            }
        }
        // Other operators may have added steps in between; a path of very many steps is not looked at again and again.
        added = if steps.len() < 64 { 0 } else { added.saturating_sub(1) };
        for step in &mut steps[added..] {
            *keep_singleton |= step.keep_array;
            match &mut step.kind {
                Kind::Number(_) | Kind::Bool(_) | Kind::Null => {
                    if self.late.is_none() {
                        let value = match &step.kind {
                            Kind::Number(n) => super::functions::number::json(*n),
                            Kind::Bool(b) => b.to_string(),
                            _ => "null".to_owned(),
                        };
                        self.late = Some(Mistake { value: Some(value), ..Mistake::new("S0213", step.at) });
                    }
                }
                Kind::String(text) => step.kind = Kind::Name(std::mem::take(text)),
                _ => {}
            }
        }
        let last = steps.len() - 1;
        for step in [0, last] {
            if matches!(steps[step].kind, Kind::Array(_)) {
                steps[step].cons_array = true;
            }
        }
        if let Err(mistake) = self.ancestry.resolve(&mut result) {
            self.late(mistake);
        }
        result
    }

    /// `left[...]`
    fn predicate(&mut self, mut left: Expr, at: usize) -> Fallible<Expr> {
        let in_path = matches!(left.kind, Kind::Path { .. });
        if last_step(&mut left).group.is_some() {
            self.late(Mistake::new("S0209", at));
        }
        let predicate = self.inner(0)?;
        self.expect("]", true)?;
        left.height = left.height.max(predicate.height + 1);
        let step = last_step(&mut left);
        if !predicate.seeking.is_empty()
            && let Err(mistake) = self.ancestry.predicate(step, &predicate)
        {
            self.late(mistake);
        }
        if in_path {
            step.stages.push(Stage::Filter(predicate));
        } else {
            step.predicates.push(predicate);
        }
        Ok(left)
    }

    /// `left{...}`
    fn grouping(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        let (at, mut left) = (token.start, left.expr);
        if left.group.is_some() {
            self.late(Mistake::new("S0210", at));
        }
        let pairs = self.pairs()?;
        left.height = left.height.max(above(pairs.iter().flat_map(|(k, v)| [k, v])));
        left.group = Some(pairs);
        self.operand(left, token, Form::Other)
    }

    /// `left^(...)`
    fn order_by(&mut self, token: Token, left: Box<Operand>) -> Parsed {
        let at = token.start;
        self.expect("(", false)?;
        let mut terms = Vec::new();
        loop {
            let descending = self.is(">");
            if descending || self.is("<") {
                self.step(false)?;
            }
            terms.push(Term { descending, expr: self.inner(0)? });
            if !self.is(",") {
                break;
            }
            self.expect(",", false)?;
        }
        self.expect(")", false)?;
        let mut result = path(left.expr);
        let mut step = Expr { height: above(terms.iter().map(|term| &term.expr)), at, ..Expr::default() };
        for term in &terms {
            self.ancestry.push(&mut step, &term.expr);
        }
        step.kind = Kind::Sort(terms);
        result.height = result.height.max(step.height + 1);
        if let Kind::Path { steps, .. } = &mut result.kind {
            steps.push(step);
        }
        if let Err(mistake) = self.ancestry.resolve(&mut result) {
            self.late(mistake);
        }
        self.operand(result, token, Form::Other)
    }

    /// `left@$name`
    fn focus(&mut self, mut left: Expr, name: String, at: usize) -> Expr {
        let step = last_step(&mut left);
        let (staged, sorted) =
            (!step.stages.is_empty() || !step.predicates.is_empty(), matches!(step.kind, Kind::Sort(_)));
        step.focus = Some(name);
        step.tuple = true;
        if staged {
            self.late(Mistake::new("S0215", at));
        } else if sorted {
            self.late(Mistake::new("S0216", at));
        }
        left
    }

    fn call(&mut self, token: Token, procedure: Box<Operand>) -> Parsed {
        let mut args: Vec<Option<Box<Operand>>> = Vec::new();
        self.list(")", |parser| {
            if parser.is("?") {
                parser.step(false)?;
                args.push(None);
            } else {
                args.push(Some(parser.expression(0)?));
            }
            Ok(())
        })?;
        let is_lambda = procedure.form == Form::Name
            && procedure.token.kind == TokenKind::Name
            && matches!(procedure.token.text.as_str(), "function" | "\u{3bb}");
        if is_lambda { self.lambda(token, args) } else { self.called(token, *procedure, args) }
    }

    fn called(&mut self, token: Token, procedure: Operand, args: Vec<Option<Box<Operand>>>) -> Parsed {
        let parts = args.iter().flatten().map(|arg| &arg.expr).chain([&procedure.expr]);
        let mut expr = Expr { height: above(parts), at: token.start, ..Expr::default() };
        for arg in args.iter().flatten() {
            self.ancestry.push(&mut expr, &arg.expr);
        }
        let args = args.into_iter().map(|arg| arg.map(|arg| arg.expr)).collect();
        expr.kind = Kind::Call { procedure: Box::new(procedure.expr), args };
        self.operand(expr, token, Form::Other)
    }

    fn lambda(&mut self, token: Token, args: Vec<Option<Box<Operand>>>) -> Parsed {
        let params = params(&token, args)?;
        let signature = self.signature()?;
        self.expect("{", false)?;
        let body = self.expression(0)?;
        self.expect("}", false)?;
        self.lambda_of(token, params, signature, *body)
    }

    fn lambda_of(&mut self, token: Token, params: Vec<String>, signature: Option<String>, body: Operand) -> Parsed {
        let body = Box::new(body.expr);
        let height = body.height + 1;
        let expr = Expr { height, ..Expr::new(Kind::Lambda { params, signature, body }, token.start) };
        self.operand(expr, token, Form::Other)
    }

    /// `<s-n:s>`
    fn signature(&mut self) -> Fallible<Option<String>> {
        if !self.is("<") {
            return Ok(None);
        }
        let (start, mut text, mut depth) = (self.token.start, "<".to_owned(), 1);
        while depth > 0 && !self.is("{") && self.token.kind != TokenKind::End {
            self.step(false)?;
            depth += i32::from(self.is("<")) - i32::from(self.is(">"));
            text.push_str(&self.token.text);
        }
        self.expect(">", false)?;
        match signature::Signature::parse(&text) {
            Ok(_) => Ok(Some(text)),
            Err((code, offset)) => Err(Box::new(Mistake::new(code, start + offset))),
        }
    }
}

/// The names of parameters: all arguments must be variables.
fn params(token: &Token, args: Vec<Option<Box<Operand>>>) -> Fallible<Vec<String>> {
    let mut params = Vec::with_capacity(args.len());
    for (index, arg) in args.into_iter().enumerate() {
        let arg = arg.map(|arg| (arg.form == Form::Variable, arg.token));
        match arg {
            Some((true, name)) if name.kind == TokenKind::Variable => params.push(name.text),
            other => {
                let question = || Token { kind: TokenKind::Operator, text: "?".to_owned(), start: token.start };
                let found = other.map_or_else(question, |(_, token)| token);
                return Err(Box::new(Mistake { value: Some((index + 1).to_string()), ..Mistake::at("S0208", &found) }));
            }
        }
    }
    Ok(params)
}

/// `left[]`
fn keep_array(left: &mut Operand) {
    left.expr.keep_array = true;
    if let Kind::Path { steps, keep_singleton } = &mut left.expr.kind {
        match left.form {
            Form::Name => {
                *keep_singleton = true;
                steps.iter_mut().for_each(|step| step.keep_array = true);
            }
            Form::Focus => steps.iter_mut().next_back().into_iter().for_each(|step| step.keep_array = true),
            _ => {}
        }
    }
}

/// `left#$name`
fn index(left: Expr, name: String) -> Expr {
    let wraps = !matches!(left.kind, Kind::Path { .. });
    let mut result = path(left);
    let step = last_step(&mut result);
    if wraps {
        step.stages = step.predicates.drain(..).map(Stage::Filter).collect();
    }
    step.tuple = true;
    if step.stages.is_empty() {
        step.index = Some(name);
    } else {
        step.stages.push(Stage::Index(name));
    }
    result
}
