//! The parser: operators by how tightly they bind (Pratt), and each part processed as soon as it is read, into the flat
//! paths the reference implementation's second pass makes. Its codes and places are those of the reference.

use super::ancestry::Ancestry;
use super::ast::{Expr, Kind, Op, Stage, Term};
use super::functions::signature;
use super::lexer::{Kind as TokenKind, Lexer, Mistake, Token};
use super::messages::quoted;

/// How deep a text may nest, and how long a chain of operators may be.
const DEEPEST: usize = 400;

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
    let operand = parser.all()?;
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

type Parsed = Result<Operand, Mistake>;

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
    fn step(&mut self, after_operand: bool) -> Result<Token, Mistake> {
        let next = self.lexer.next(after_operand)?;
        if next.kind == TokenKind::Operator && matches!(next.text.as_str(), "!" | "~") {
            return Err(Mistake::at("S0204", &next));
        }
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Goes past the operator that must be here.
    fn expect(&mut self, operator: &str, after_operand: bool) -> Result<(), Mistake> {
        if self.is(operator) {
            return self.step(after_operand).map(|_| ());
        }
        let code = if self.token.kind == TokenKind::End { "S0203" } else { "S0202" };
        let mut mistake = Mistake::at(code, &self.token);
        mistake.value = Some(quoted(operator));
        Err(mistake)
    }

    /// Notes a mistake that the reference finds after it has read all of the text.
    fn late(&mut self, mistake: Mistake) {
        self.late.get_or_insert(mistake);
    }

    fn operand(&self, expr: Expr, token: Token, form: Form) -> Parsed {
        if expr.height > DEEPEST {
            return Err(Mistake::at("S0299", &token));
        }
        Ok(Operand { expr, token, form })
    }

    fn all(&mut self) -> Parsed {
        self.step(false)?;
        let operand = self.expression(0)?;
        if self.token.kind != TokenKind::End {
            return Err(Mistake::at("S0201", &self.token));
        }
        Ok(operand)
    }

    fn expression(&mut self, right: u8) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Mistake::at("S0299", &self.token));
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

    fn inner(&mut self, right: u8) -> Result<Expr, Mistake> {
        Ok(self.expression(right)?.expr)
    }

    /// `one` as long as a comma follows, up to `end`.
    fn list(&mut self, end: &str, mut one: impl FnMut(&mut Self) -> Result<(), Mistake>) -> Result<(), Mistake> {
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

    fn pairs(&mut self) -> Result<Vec<(Expr, Expr)>, Mistake> {
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
        let at = token.start;
        let mut expr = match token.text.as_str() {
            "and" | "or" | "in" => path(Expr::new(Kind::Name(token.text.clone()), at)),
            "*" => Expr::new(Kind::Wildcard, at),
            "**" => Expr::new(Kind::Descendant, at),
            "%" => Expr::new(Kind::Parent(self.ancestry.parent()), at),
            "-" => {
                let mut operand = self.inner(70)?;
                if let Kind::Number(n) = &mut operand.kind {
                    *n = -*n;
                    operand
                } else {
                    let mut expr = Expr { height: operand.height + 1, ..Expr::default() };
                    self.ancestry.push(&mut expr, &operand);
                    Expr { kind: Kind::Negate(Box::new(operand)), at, ..expr }
                }
            }
            "(" => self.block()?,
            "[" => self.array()?,
            "{" => {
                let pairs = self.pairs()?;
                let mut expr = Expr { height: above(pairs.iter().flat_map(|(k, v)| [k, v])), ..Expr::default() };
                for (key, value) in &pairs {
                    self.ancestry.push(&mut expr, key);
                    self.ancestry.push(&mut expr, value);
                }
                Expr { kind: Kind::Object(pairs), ..expr }
            }
            "|" => {
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
                Expr { kind: Kind::Transform(Box::new((pattern, update, delete))), height, ..Expr::default() }
            }
            _ => return Err(Mistake::at("S0211", &token)),
        };
        expr.at = at;
        self.operand(expr, token, Form::Other)
    }

    fn block(&mut self) -> Result<Expr, Mistake> {
        let mut parts = Vec::new();
        while !self.is(")") {
            parts.push(self.inner(0)?);
            if !self.is(";") {
                break;
            }
            self.expect(";", false)?;
        }
        self.expect(")", true)?;
        let mut expr = Expr { height: above(&parts), ..Expr::default() };
        for part in &parts {
            self.ancestry.push(&mut expr, part);
            let first = if let Kind::Path { steps, .. } = &part.kind { steps.first() } else { None };
            expr.cons_array |= part.cons_array || first.is_some_and(|step| step.cons_array);
        }
        Ok(Expr { kind: Kind::Block(parts), ..expr })
    }

    fn array(&mut self) -> Result<Expr, Mistake> {
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
        let mut expr = Expr { height: above(&items), ..Expr::default() };
        for item in &items {
            self.ancestry.push(&mut expr, item);
        }
        Ok(Expr { kind: Kind::Array(items), ..expr })
    }

    fn binary_of(&mut self, op: Op, left: Expr, right: Expr, at: usize) -> Expr {
        let mut expr = Expr { height: above([&left, &right]), at, ..Expr::default() };
        self.ancestry.push(&mut expr, &left);
        self.ancestry.push(&mut expr, &right);
        Expr { kind: Kind::Binary(op, Box::new([left, right])), ..expr }
    }

    fn infix(&mut self, token: Token, mut left: Operand) -> Parsed {
        let at = token.start;
        let mut form = Form::Other;
        let expr = match token.text.as_str() {
            "(" => return self.call(token, left),
            "." => {
                let right = self.inner(75)?;
                self.join(left.expr, right)
            }
            "[" if self.is("]") => {
                self.expect("]", false)?;
                keep_array(&mut left);
                return Ok(left);
            }
            "[" => {
                form = left.form;
                // What is written stays a name or `@` for a `[]` that follows.
                left.expr = self.predicate(left.expr, at)?;
                return self.operand(left.expr, token, form);
            }
            "{" => self.grouping(left.expr, at)?,
            "^" => self.order_by(left.expr, at)?,
            ":=" => {
                if left.form != Form::Variable || left.token.kind != TokenKind::Variable {
                    return Err(Mistake::at("S0212", &left.token));
                }
                let value = self.inner(9)?;
                let mut expr = Expr { height: value.height + 1, at, ..Expr::default() };
                self.ancestry.push(&mut expr, &value);
                Expr { kind: Kind::Bind(left.token.text, Box::new(value)), ..expr }
            }
            "@" | "#" => {
                let name = self.expression(80)?;
                if name.form != Form::Variable || name.token.kind != TokenKind::Variable {
                    return Err(Mistake { offset: name.token.start, ..Mistake::at("S0214", &token) });
                }
                if token.text == "@" {
                    form = Form::Focus;
                    self.focus(left.expr, name.token.text, at)
                } else {
                    index(left.expr, name.token.text)
                }
            }
            "?" => {
                let then = self.inner(0)?;
                let mut otherwise = None;
                if self.is(":") {
                    self.expect(":", false)?;
                    otherwise = Some(self.inner(0)?);
                }
                let height = above([&left.expr, &then].into_iter().chain(&otherwise));
                let mut expr = Expr { height, at, ..Expr::default() };
                for part in [&left.expr, &then].into_iter().chain(&otherwise) {
                    self.ancestry.push(&mut expr, part);
                }
                Expr { kind: Kind::Condition(Box::new((left.expr, then, otherwise))), ..expr }
            }
            "~>" => {
                let right = self.inner(40)?;
                let keep_array = left.expr.keep_array || right.keep_array;
                let height = above([&left.expr, &right]);
                Expr { keep_array, height, ..Expr::new(Kind::Apply(Box::new([left.expr, right])), at) }
            }
            text => {
                let Some(op) = Op::of(text) else { return Err(Mistake::at("S0201", &token)) };
                let right = self.inner(binding(&token))?;
                self.binary_of(op, left.expr, right, at)
            }
        };
        self.operand(expr, token, form)
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
    fn predicate(&mut self, mut left: Expr, at: usize) -> Result<Expr, Mistake> {
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
    fn grouping(&mut self, mut left: Expr, at: usize) -> Result<Expr, Mistake> {
        if left.group.is_some() {
            self.late(Mistake::new("S0210", at));
        }
        let pairs = self.pairs()?;
        left.height = left.height.max(above(pairs.iter().flat_map(|(k, v)| [k, v])));
        left.group = Some(pairs);
        Ok(left)
    }

    /// `left^(...)`
    fn order_by(&mut self, left: Expr, at: usize) -> Result<Expr, Mistake> {
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
        let mut result = path(left);
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
        Ok(result)
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

    fn call(&mut self, token: Token, procedure: Operand) -> Parsed {
        let mut args: Vec<Option<Operand>> = Vec::new();
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
        if is_lambda {
            return self.lambda(token, args);
        }
        let parts = args.iter().flatten().map(|arg| &arg.expr).chain([&procedure.expr]);
        let mut expr = Expr { height: above(parts), at: token.start, ..Expr::default() };
        for arg in args.iter().flatten() {
            self.ancestry.push(&mut expr, &arg.expr);
        }
        let args = args.into_iter().map(|arg| arg.map(|arg| arg.expr)).collect();
        expr.kind = Kind::Call { procedure: Box::new(procedure.expr), args };
        self.operand(expr, token, Form::Other)
    }

    fn lambda(&mut self, token: Token, args: Vec<Option<Operand>>) -> Parsed {
        let is_variable = |arg: &Operand| arg.form == Form::Variable && arg.token.kind == TokenKind::Variable;
        let wrong = args.iter().position(|arg| !arg.as_ref().is_some_and(is_variable));
        if let Some(index) = wrong {
            let question = Token { kind: TokenKind::Operator, text: "?".to_owned(), start: token.start };
            let found = args[index].as_ref().map_or(&question, |arg| &arg.token);
            return Err(Mistake { value: Some((index + 1).to_string()), ..Mistake::at("S0208", found) });
        }
        let params = args.into_iter().flatten().map(|arg| arg.token.text).collect();
        let mut signature = None;
        if self.is("<") {
            let (start, mut text, mut depth) = (self.token.start, "<".to_owned(), 1);
            while depth > 0 && !self.is("{") && self.token.kind != TokenKind::End {
                self.step(false)?;
                depth += i32::from(self.is("<")) - i32::from(self.is(">"));
                text.push_str(&self.token.text);
            }
            self.expect(">", false)?;
            if let Err((code, offset)) = signature::Signature::parse(&text) {
                return Err(Mistake::new(code, start + offset));
            }
            signature = Some(text);
        }
        self.expect("{", false)?;
        let body = self.inner(0)?;
        self.expect("}", false)?;
        let height = body.height + 1;
        let expr = Expr {
            height,
            ..Expr::new(Kind::Lambda { params, signature, body: Box::new(body) }, token.start)
        };
        self.operand(expr, token, Form::Other)
    }
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
