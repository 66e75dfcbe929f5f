//! Calls: functions of the language and of the expression, tail calls, partial application, chains.

use super::tuple::Thunk;
use super::{Answer, Env, Frame, Run};
use crate::jsonata::functions::{self, Builtin, Function};
use crate::jsonata::messages::{Fail, coded};
use crate::jsonata::program::{Call, Lambda, Node};
use crate::jsonata::value::Val;
use std::rc::Rc;
use std::sync::Arc;

/// A function of the expression, with what it was made in.
pub(in crate::jsonata) struct Closure {
    pub(in crate::jsonata) lambda: Arc<Lambda>,
    pub(in crate::jsonata) frame: Env,
    pub(in crate::jsonata) input: Val,
}

impl Run<'_> {
    pub(super) fn lambda(&self, lambda: &Arc<Lambda>, input: &Val, frame: &Env) -> Val {
        self.keep(frame);
        Function::Lambda(Closure { lambda: Arc::clone(lambda), frame: frame.clone(), input: input.clone() }).into()
    }

    pub(super) fn tail(&self, call: &Arc<Call>, input: &Val, frame: &Env) -> Answer {
        Ok(Val::Thunk(Rc::new(Thunk { call: Arc::clone(call), input: input.clone(), frame: frame.clone() })))
    }

    /// A call; `first` is what stands before `~>`.
    pub(super) fn call(&self, call: &Call, first: Option<Val>, input: &Val, frame: &Env) -> Answer {
        let builtin = match &call.procedure {
            Node::Variable(variable) => self.builtin(variable, frame),
            _ => None,
        };
        if builtin.is_some() {
            self.budget.deepen(1)?;
        }
        let procedure = if builtin.is_some() { Val::Undefined } else { self.eval(&call.procedure, input, frame)? };
        if builtin.is_none() {
            self.meant(call, &procedure, frame, "T1005")?;
        }
        let mut args = Vec::with_capacity(call.args.len() + usize::from(first.is_some()));
        args.extend(first);
        for arg in call.args.iter().flatten() {
            let value = self.eval(arg, input, frame)?;
            // A function that is handed over knows no context of its own.
            args.push(if let Val::Function(_) = value { Function::Wrapped(value).into() } else { value });
        }
        let found = match builtin {
            Some(builtin) => {
                self.called(builtin, call);
                self.native(builtin, args, input).and_then(|found| self.finish(found, input))
            }
            None => {
                if let Val::Function(function) = &procedure
                    && let Function::Builtin(builtin) = &**function
                {
                    self.called(builtin, call);
                }
                self.apply(&procedure, args, input)
            }
        };
        found.map_err(|fail| fail.named(call.name.as_deref()))
    }

    /// Raises `code` where a function of the language is called without its `$`.
    fn meant(&self, call: &Call, procedure: &Val, frame: &Env, code: &'static str) -> Result<(), Fail> {
        match &call.meant {
            Some((name, variable)) if procedure.is_undefined() => match self.variable(variable, frame) {
                Val::Undefined | Val::Null | Val::Bool(false) => Ok(()),
                _ => coded(code).token(name).raise().map(|_: Val| ()),
            },
            _ => Ok(()),
        }
    }

    /// Notes the name a function of the language is called by.
    fn called(&self, builtin: &'static Builtin, call: &Call) {
        let Some(name) = &call.name else { return };
        if **name != *builtin.name {
            self.rename(builtin, name);
        } else if !self.called.borrow().is_empty() {
            self.called.borrow_mut().retain(|(known, _)| *known != builtin.name);
        }
    }

    fn rename(&self, builtin: &'static Builtin, name: &str) {
        let mut called = self.called.borrow_mut();
        called.retain(|(known, _)| *known != builtin.name);
        called.push((builtin.name, name.into()));
    }

    fn renamed(&self, function: &Val, name: &str) {
        if let Val::Function(function) = function
            && let Function::Builtin(builtin) = &**function
        {
            self.rename(builtin, name);
        }
    }

    /// Calls a function.
    ///
    /// # Errors
    /// What it raises, and T1006 where it is none.
    pub(in crate::jsonata) fn apply(&self, procedure: &Val, args: Vec<Val>, context: &Val) -> Answer {
        let found = self.apply_once(procedure, args, context)?;
        self.finish(found, context)
    }

    /// Calls a function that a function of the language was given. One of the expression has the context it was made in.
    ///
    /// # Errors
    /// What it raises, and T1006 where it is none.
    pub(in crate::jsonata) fn call_back(&self, function: &Val, args: Vec<Val>) -> Answer {
        let made_in = match function {
            Val::Function(function) => match &**function {
                Function::Lambda(closure) => &closure.input,
                _ => &Val::Undefined,
            },
            _ => &Val::Undefined,
        };
        self.apply(function, args, made_in)
    }

    /// Makes the calls that are left to the caller.
    fn finish(&self, mut found: Val, context: &Val) -> Answer {
        while let Val::Thunk(thunk) = &found {
            let procedure = self.eval(&thunk.call.procedure, &thunk.input, &thunk.frame)?;
            let mut args = Vec::with_capacity(thunk.call.args.len());
            for arg in thunk.call.args.iter().flatten() {
                args.push(self.eval(arg, &thunk.input, &thunk.frame)?);
            }
            if let Val::Function(function) = &procedure
                && let Function::Builtin(builtin) = &**function
            {
                self.called(builtin, &thunk.call);
            }
            let name = thunk.call.name.clone();
            self.budget.calls()?;
            found = self.apply_once(&procedure, args, context).map_err(|fail| fail.named(name.as_deref()))?;
            self.budget.returns();
        }
        Ok(found)
    }

    fn apply_once(&self, procedure: &Val, args: Vec<Val>, context: &Val) -> Answer {
        self.spend(8)?;
        let Val::Function(function) = procedure else { return coded("T1006").raise() };
        match &**function {
            Function::Builtin(builtin) => self.native(builtin, args, context),
            Function::Lambda(closure) => self.run(closure, args, context),
            Function::Partial { of, args: given } => {
                self.budget.enter()?;
                let mut rest = args.into_iter();
                let filled =
                    given.iter().map(|arg| arg.clone().unwrap_or_else(|| rest.next().unwrap_or_default())).collect();
                let found = match of {
                    Val::Function(function) => match &**function {
                        // Its signature was for its own callers.
                        Function::Lambda(closure) => self.body(closure, filled),
                        _ => self.apply_once(of, filled, context),
                    },
                    _ => coded("T1006").raise(),
                }?;
                self.budget.leave();
                Ok(found)
            }
            Function::Chain(first, second) => {
                // The reference chains by way of a function of its own, whose parameters are named so.
                self.renamed(first, "f");
                self.renamed(second, "g");
                let given = args.into_iter().next().unwrap_or_default();
                self.budget.enter()?;
                let between = self.apply(first, vec![given], context)?;
                self.budget.leave();
                self.apply_once(second, vec![between], context)
            }
            Function::Wrapped(inner) => self.apply(inner, args, &Val::Null),
            Function::Regex(pattern) => functions::regex::matcher(self, pattern, &args),
            Function::Next(next) => functions::regex::next(self, next),
            Function::Transform(transformer) => self.transform(transformer, args, context),
        }
    }

    /// A function of the language, on the arguments of a call.
    fn native(&self, builtin: &'static Builtin, args: Vec<Val>, context: &Val) -> Answer {
        builtin.call(self, args, context).map_err(|fail| {
            let called = self.called.borrow();
            let name = called.iter().find(|(known, _)| *known == builtin.name);
            fail.named(Some(name.map_or(builtin.name, |(_, name)| name)))
        })
    }

    fn run(&self, closure: &Closure, args: Vec<Val>, context: &Val) -> Answer {
        let args = match &closure.lambda.signature {
            Some(signature) => signature.validate(args, context, &self.budget)?,
            None => args,
        };
        self.body(closure, args)
    }

    fn body(&self, closure: &Closure, args: Vec<Val>) -> Answer {
        let lambda = &closure.lambda;
        if lambda.slots == 0 {
            return self.eval(&lambda.body, &closure.input, &closure.frame);
        }
        // The arguments become the frame.
        let mut values = args;
        values.resize(lambda.params, Val::Undefined);
        let frame = Frame::new(self, &closure.frame, values, lambda.slots)?;
        self.eval(&lambda.body, &closure.input, &frame)
    }

    pub(super) fn partial(&self, call: &Call, input: &Val, frame: &Env) -> Answer {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(match arg {
                Some(arg) => Some(self.eval(arg, input, frame)?),
                None => None,
            });
        }
        let procedure = self.eval(&call.procedure, input, frame)?;
        self.meant(call, &procedure, frame, "T1007")?;
        if !matches!(procedure, Val::Function(_)) {
            return coded("T1008").raise();
        }
        Ok(Function::Partial { of: procedure, args }.into())
    }

    /// `left ~> right`, where the right side is no call.
    pub(super) fn chain(&self, left: &Node, right: &Node, input: &Val, frame: &Env) -> Answer {
        let left = self.eval(left, input, frame)?;
        let right = self.eval(right, input, frame)?;
        match (&left, &right) {
            (Val::Function(_), Val::Function(_)) => Ok(Function::Chain(left, right).into()),
            (_, Val::Function(_)) => self.apply(&right, vec![left], &Val::Null),
            _ => coded("T2006").value(&right).raise(),
        }
    }
}
