//! What a function takes, in the reference implementation's notation: `<s-nn?:s>`.

use super::Val;
use crate::jsonata::budget::Budget;
use crate::jsonata::messages::{Fail, coded};
use crate::jsonata::value::{PLAIN, Seq};
use std::rc::Rc;
use std::sync::LazyLock;

/// What a function takes.
#[derive(Debug)]
pub(in crate::jsonata) struct Signature {
    params: Vec<Param>,
}

/// What a transform takes.
pub(in crate::jsonata) static TRANSFORM: LazyLock<Signature> =
    LazyLock::new(|| Signature::parse("<(oa):o>").unwrap_or(Signature { params: Vec::new() }));

/// One parameter.
#[derive(Debug)]
struct Param {
    /// The type letter; `(` for a choice.
    kind: char,
    /// The letters of arguments it takes.
    class: String,
    /// The type of an array's items.
    subtype: Option<String>,
    /// `-`: the context stands in for a missing argument, if it is one of `class`.
    context: bool,
    least: usize,
    most: usize,
}

/// The letter of a value.
fn letter(value: &Val) -> char {
    match value {
        Val::Undefined | Val::Unset => 'm',
        Val::Null => 'l',
        Val::Bool(_) => 'b',
        Val::Number(_) | Val::Exact(_) => 'n',
        Val::String(_) => 's',
        Val::Array(_) | Val::Seq(_) | Val::Tuples(_) => 'a',
        Val::Object(_) | Val::Record(_) => 'o',
        Val::Function(_) | Val::Thunk(_) => 'f',
    }
}

/// Where the bracket that opens at the start of `text` closes.
fn closing(text: &str, open: char, close: char) -> usize {
    let mut depth = 0;
    let closes = |c: char| {
        depth += i32::from(c == open) - i32::from(c == close);
        depth == 0
    };
    text.find(closes).unwrap_or(text.len())
}

impl Signature {
    /// Reads a signature.
    ///
    /// # Errors
    /// The code of the mistake, and where it is.
    pub(in crate::jsonata) fn parse(text: &str) -> Result<Signature, (&'static str, usize)> {
        let mut params: Vec<Param> = Vec::new();
        let mut at = 1;
        while let Some(kind) = text.get(at..).and_then(|rest| rest.chars().next()).filter(|kind| *kind != ':') {
            let rest = &text[at..];
            let mut length = kind.len_utf8();
            let mut class = match kind {
                's' | 'n' | 'b' | 'l' | 'o' => Some(format!("{kind}m")),
                'f' => Some("f".to_owned()),
                'j' => Some("asnblom".to_owned()),
                'a' | 'x' => Some("asnblfom".to_owned()),
                _ => None,
            };
            match (kind, params.last_mut()) {
                ('-', Some(last)) => (last.context, last.least) = (true, 0),
                ('?', Some(last)) => last.least = 0,
                ('+', Some(last)) => last.most = usize::MAX,
                ('<', Some(last)) if matches!(last.kind, 'a' | 'f') => {
                    let end = closing(rest, '<', '>');
                    last.subtype = rest.get(1..end).map(str::to_owned);
                    length = end + 1;
                }
                ('<', _) => return Err(("S0401", at)),
                ('(', _) => {
                    let end = closing(rest, '(', ')');
                    let choice = rest.get(1..end).unwrap_or_default();
                    if choice.contains('<') {
                        return Err(("S0402", at));
                    }
                    class = Some(format!("{choice}m"));
                    length = end + 1;
                }
                _ => {}
            }
            if let Some(class) = class {
                params.push(Param { kind, class, subtype: None, context: false, least: 1, most: 1 });
            }
            at += length;
        }
        Ok(Signature { params })
    }

    /// How many arguments it takes, at least and at most. Those that the context stands in for may be left out.
    pub(in crate::jsonata) fn counts(&self) -> (usize, usize) {
        let most = self.params.iter().fold(0usize, |most, param| most.saturating_add(param.most));
        (self.params.iter().map(|param| param.least).sum(), most)
    }

    /// The first argument that does not fit, by the letters of their types; `?` may be any.
    pub(in crate::jsonata) fn refuses(&self, letters: &[char]) -> Option<usize> {
        if shares(&self.params, letters, true).is_some() {
            return None;
        }
        let fitting = (1..=self.params.len()).map_while(|n| shares(&self.params[..n], letters, false));
        Some(fitting.last().map_or(0, |found| found.iter().sum()))
    }

    /// The arguments as the function takes them: contexts filled in, single values in arrays where arrays are wanted.
    ///
    /// # Errors
    /// T0410, T0411 or T0412 with the first argument that does not fit.
    pub(in crate::jsonata) fn validate(
        &self,
        args: Vec<Val>,
        context: &Val,
        budget: &Rc<Budget>,
    ) -> Result<Vec<Val>, Fail> {
        let fits = |(param, arg): (&Param, &Val)| param.most == 1 && param.takes(letter(arg));
        if args.len() == self.params.len() && self.params.iter().zip(&args).all(fits) {
            let pairs = self.params.iter().zip(args).enumerate();
            return pairs
                .map(|(at, (param, arg))| if param.kind == 'a' { array(param, arg, at, budget) } else { Ok(arg) })
                .collect();
        }
        self.fit(&args, context, budget)
    }

    fn fit(&self, args: &[Val], context: &Val, budget: &Rc<Budget>) -> Result<Vec<Val>, Fail> {
        let letters: Vec<char> = args.iter().map(letter).collect();
        let Some(shares) = shares(&self.params, &letters, true) else {
            let fitting = (1..=self.params.len()).map_while(|n| self::shares(&self.params[..n], &letters, false));
            let index = fitting.last().map_or(0, |found| found.iter().sum()) + 1;
            return coded("T0410").parts(&[("index", index.to_string())]).raise();
        };
        let mut valid = Vec::with_capacity(self.params.len());
        let mut at = 0;
        for (param, count) in self.params.iter().zip(shares) {
            if count == 0 && param.context {
                if !param.takes(letter(context)) {
                    return coded("T0411").parts(&[("index", (at + 1).to_string())]).raise();
                }
                valid.push(context.clone());
            } else if count == 0 {
                valid.push(args.get(at).cloned().unwrap_or_default());
                at += 1;
            }
            for _ in 0..count {
                let arg = args[at].clone();
                valid.push(if param.kind == 'a' { array(param, arg, at, budget)? } else { arg });
                at += 1;
            }
        }
        Ok(valid)
    }
}

impl Param {
    fn takes(&self, letter: char) -> bool {
        self.class.contains(letter) || letter == '?'
    }
}

/// How many arguments each parameter takes, greedily and with second thoughts, as a regular expression would. With `all`,
/// none may be left over.
fn shares(params: &[Param], letters: &[char], all: bool) -> Option<Vec<usize>> {
    let Some((param, others)) = params.split_first() else {
        return (!all || letters.is_empty()).then(Vec::new);
    };
    let most = letters.iter().take(param.most).take_while(|c| param.takes(**c)).count();
    (param.least..=most).rev().find_map(|count| {
        let mut found = shares(others, &letters[count..], all)?;
        found.insert(0, count);
        Some(found)
    })
}

fn array(param: &Param, arg: Val, at: usize, budget: &Rc<Budget>) -> Result<Val, Fail> {
    if let Some(subtype) = &param.subtype {
        let wanted = subtype.chars().next().unwrap_or('x');
        let fits = match arg.list() {
            Some(list) => {
                budget.spend(list.len())?;
                list.iter().all(|item| letter(&item) == wanted)
            }
            None => arg.is_undefined() || letter(&arg) == wanted,
        };
        if !fits {
            let kind = match wanted {
                'a' => "arrays",
                'b' => "booleans",
                'f' => "functions",
                'n' => "numbers",
                'o' => "objects",
                's' => "strings",
                _ => "values",
            };
            return coded("T0412").parts(&[("index", (at + 1).to_string()), ("type", kind.to_owned())]).raise();
        }
    }
    // A single value is an array of one.
    if arg.is_undefined() || arg.is_array() { Ok(arg) } else { Seq::one(budget, arg, PLAIN) }
}
