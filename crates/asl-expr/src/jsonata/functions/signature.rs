//! What a function takes, in the reference implementation's notation: `<s-nn?:s>`.

use jsonata_core::value::JValue;

/// One parameter.
struct Param<'a> {
    /// The type letter; `(` for a choice.
    kind: char,
    /// The letters of arguments it takes.
    class: &'a str,
    /// The type of an array's items.
    subtype: Option<&'a str>,
    /// `-`: the context stands in for a missing argument, if it is one of `class`.
    context: bool,
    least: usize,
    most: usize,
}

/// How arguments do not fit.
#[derive(Debug, PartialEq)]
pub(super) enum Mismatch {
    /// T0410.
    Argument(usize),
    /// T0411.
    Context(usize),
    /// T0412, with the type of the items.
    Items(usize, &'static str),
}

/// The letter of a value.
fn letter(value: &JValue) -> char {
    match value {
        JValue::Undefined => 'm',
        JValue::Null => 'l',
        JValue::Bool(_) => 'b',
        JValue::Number(_) => 'n',
        JValue::String(_) => 's',
        JValue::Array(_) => 'a',
        JValue::Object(_) => 'o',
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => 'f',
    }
}

fn params(signature: &str) -> Vec<Param<'_>> {
    let mut params: Vec<Param> = Vec::new();
    let mut rest = signature.trim_start_matches('<');
    while let Some(kind) = rest.chars().next().filter(|kind| *kind != ':') {
        rest = &rest[1..];
        let mut class = match kind {
            's' => "sm",
            'n' => "nm",
            'b' => "bm",
            'o' => "om",
            'f' => "f",
            'j' => "asnblom",
            _ => "asnblfom",
        };
        match (kind, params.last_mut()) {
            ('-', Some(last)) => (last.context, last.least) = (true, 0),
            ('>', _) => {}
            ('?', Some(last)) => last.least = 0,
            ('+', Some(last)) => last.most = usize::MAX,
            ('<', Some(last)) => {
                let (subtype, after) = rest.split_once('>').unwrap_or((rest, ""));
                (last.subtype, rest) = (Some(subtype), after);
            }
            _ => {
                if kind == '(' {
                    (class, rest) = rest.split_once(')').unwrap_or((rest, ""));
                }
                params.push(Param { kind, class, subtype: None, context: false, least: 1, most: 1 });
            }
        }
    }
    params
}

/// How many arguments each parameter takes, greedily and with second thoughts, as a regular expression would. With `all`,
/// none may be left over.
fn shares(params: &[Param], letters: &[char], all: bool) -> Option<Vec<usize>> {
    let Some((param, others)) = params.split_first() else {
        return (!all || letters.is_empty()).then(Vec::new);
    };
    let takes = |c: &char| param.class.contains(*c) || (param.kind == '(' && *c == 'm');
    let most = letters.iter().take(param.most).take_while(|c| takes(c)).count();
    (param.least..=most).rev().find_map(|count| {
        let mut found = shares(others, &letters[count..], all)?;
        found.insert(0, count);
        Some(found)
    })
}

/// The arguments as the function takes them: contexts filled in, single values in arrays where arrays are wanted.
///
/// # Errors
/// The first argument that does not fit.
pub(super) fn validate(signature: &str, args: &[JValue], context: &JValue) -> Result<Vec<JValue>, Mismatch> {
    let params = params(signature);
    let letters: Vec<char> = args.iter().map(letter).collect();
    let Some(shares) = shares(&params, &letters, true) else {
        let fitting = (1..=params.len()).map_while(|n| self::shares(&params[..n], &letters, false));
        return Err(Mismatch::Argument(fitting.last().map_or(0, |found| found.iter().sum()) + 1));
    };
    let mut valid = Vec::with_capacity(params.len());
    let mut at = 0;
    for (param, count) in params.iter().zip(shares) {
        if count == 0 && param.context {
            let context_letter = letter(context);
            if !(param.class.contains(context_letter) || (param.kind == '(' && context_letter == 'm')) {
                return Err(Mismatch::Context(at + 1));
            }
            valid.push(context.clone());
        } else if count == 0 {
            valid.push(args.get(at).cloned().unwrap_or(JValue::Undefined));
            at += 1;
        }
        for _ in 0..count {
            let arg = &args[at];
            valid.push(if param.kind == 'a' { array(param, arg, at)? } else { arg.clone() });
            at += 1;
        }
    }
    Ok(valid)
}

fn array(param: &Param, arg: &JValue, at: usize) -> Result<JValue, Mismatch> {
    if let Some(subtype) = param.subtype {
        let wanted = subtype.chars().next().unwrap_or('x');
        let fits = match arg {
            JValue::Array(items) => items.iter().all(|item| letter(item) == wanted),
            JValue::Undefined => true,
            one => letter(one) == wanted,
        };
        if !fits {
            let kind = match wanted {
                'n' => "numbers",
                's' => "strings",
                'o' => "objects",
                _ => "values",
            };
            return Err(Mismatch::Items(at + 1, kind));
        }
    }
    Ok(match arg {
        JValue::Undefined | JValue::Array(_) => arg.clone(),
        one => JValue::array(vec![one.clone()]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(signature: &str, args: &[JValue], context: &JValue) -> Result<usize, Mismatch> {
        validate(signature, args, context).map(|valid| valid.len())
    }

    #[test]
    fn arguments_fit_as_in_the_reference() {
        let (n, s) = (JValue::Number(1.0), JValue::string("x"));
        assert_eq!(outcome("<s-nn?:s>", &[s.clone(), n.clone()], &JValue::Null), Ok(3));
        assert_eq!(outcome("<s-nn?:s>", std::slice::from_ref(&n), &s), Ok(3));
        assert_eq!(outcome("<s-nn?:s>", std::slice::from_ref(&n), &n), Err(Mismatch::Context(1)));
        assert_eq!(outcome("<s-nn?:s>", &[n.clone(), s.clone()], &s), Err(Mismatch::Argument(2)));
        assert_eq!(
            outcome("<a<n>:n>", &[JValue::array(vec![n.clone(), s.clone()])], &s),
            Err(Mismatch::Items(1, "numbers"))
        );
        assert_eq!(outcome("<a<n>:n>", std::slice::from_ref(&n), &s), Ok(1));
        assert_eq!(outcome("<a+>", &[n.clone(), n.clone(), n], &s), Ok(3));
        assert_eq!(outcome("<af>", &[], &s), Err(Mismatch::Argument(1)));
        assert_eq!(outcome("<(nsb)-:n>", &[], &JValue::Null), Err(Mismatch::Context(1)));
        assert_eq!(outcome("<(nsb)-:n>", &[JValue::Undefined], &s), Ok(1));
    }
}
