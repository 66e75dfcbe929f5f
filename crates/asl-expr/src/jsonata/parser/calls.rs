//! Calls and functions of the expression.

use super::{Fallible, Form, Operand, Parsed, Parser, above};
use crate::jsonata::ast::{Expr, Kind};
use crate::jsonata::functions::signature::Signature;
use crate::jsonata::lexer::{Kind as TokenKind, Mistake, Token};

impl<'a> Parser<'a> {
    pub(super) fn call(&mut self, token: Token<'a>, procedure: Box<Operand<'a>>) -> Parsed<'a> {
        let mut args: Vec<Option<Box<Operand<'a>>>> = Vec::new();
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
            && matches!(&*procedure.token.text, "function" | "\u{3bb}");
        if is_lambda { self.lambda(token, args) } else { self.called(token, *procedure, args) }
    }

    pub(super) fn called(
        &mut self,
        token: Token<'a>,
        procedure: Operand<'a>,
        args: Vec<Option<Box<Operand<'a>>>>,
    ) -> Parsed<'a> {
        let parts = args.iter().flatten().map(|arg| &arg.expr).chain([&procedure.expr]);
        let mut expr = Expr { height: above(parts), at: token.start, ..Expr::default() };
        for arg in args.iter().flatten() {
            self.ancestry.push(&mut expr, &arg.expr);
        }
        let args = args.into_iter().map(|arg| arg.map(|arg| arg.expr)).collect();
        expr.kind = Kind::Call { procedure: Box::new(procedure.expr), args };
        self.operand(expr, token, Form::Other)
    }

    pub(super) fn lambda(&mut self, token: Token<'a>, args: Vec<Option<Box<Operand<'a>>>>) -> Parsed<'a> {
        let params = params(&token, args)?;
        let signature = self.signature()?;
        self.expect("{", false)?;
        let body = self.expression(0)?;
        self.expect("}", false)?;
        self.lambda_of(token, params, signature, *body)
    }

    pub(super) fn lambda_of(
        &mut self,
        token: Token<'a>,
        params: Vec<String>,
        signature: Option<String>,
        body: Operand<'a>,
    ) -> Parsed<'a> {
        let body = Box::new(body.expr);
        let height = body.height + 1;
        let expr = Expr { height, ..Expr::new(Kind::Lambda { params, signature, body }, token.start) };
        self.operand(expr, token, Form::Other)
    }

    /// `<s-n:s>`
    pub(super) fn signature(&mut self) -> Fallible<Option<String>> {
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
        match Signature::parse(&text) {
            Ok(_) => Ok(Some(text)),
            Err((code, offset)) => Err(Box::new(Mistake::new(code, start + offset))),
        }
    }
}

/// The names of parameters: all arguments must be variables.
fn params<'a>(token: &Token<'a>, args: Vec<Option<Box<Operand<'a>>>>) -> Fallible<Vec<String>> {
    let mut params = Vec::with_capacity(args.len());
    for (index, arg) in args.into_iter().enumerate() {
        let arg = arg.map(|arg| (arg.form == Form::Variable, arg.token));
        match arg {
            Some((true, name)) if name.kind == TokenKind::Variable => params.push(name.text.into_owned()),
            other => {
                let question = || Token { kind: TokenKind::Operator, text: "?".into(), start: token.start };
                let found = other.map_or_else(question, |(_, token)| token);
                return Err(Box::new(Mistake { value: Some((index + 1).to_string()), ..Mistake::at("S0208", &found) }));
            }
        }
    }
    Ok(params)
}
