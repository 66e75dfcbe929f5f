//! The tokens of an expression, as the reference implementation cuts them.

use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Operator,
    Name,
    Variable,
    String,
    Number,
    /// `true`, `false` or `null`.
    Value,
    Regex {
        flags: String,
    },
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Its bare text: the operator, the name, the string without quotes.
    pub(super) text: Cow<'a, str>,
    /// Where it starts, in bytes.
    pub(super) start: usize,
}

impl Token<'_> {
    fn into_static(self) -> Token<'static> {
        Token { kind: self.kind, text: Cow::Owned(self.text.into_owned()), start: self.start }
    }
}

/// A mistake: its code, the token or value that its message names, and where it is, in bytes.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) code: &'static str,
    pub(super) token: Option<Token<'static>>,
    /// What was expected, or the number of a parameter, as JSON text.
    pub(super) value: Option<String>,
    pub(super) offset: usize,
}

impl Mistake {
    pub(super) fn new(code: &'static str, offset: usize) -> Mistake {
        Mistake { code, token: None, value: None, offset }
    }

    pub(super) fn at(code: &'static str, token: &Token<'_>) -> Mistake {
        Mistake { token: Some(token.clone().into_static()), ..Mistake::new(code, token.start) }
    }
}

/// The characters that are operators, and end names.
const OPERATORS: &str = ".[]{}(),@#;:?+-*/%|=<>^&!~";
/// Operators of two characters; they come first.
const PAIRS: [&str; 7] = ["..", ":=", "!=", ">=", "<=", "**", "~>"];

fn is_operator(c: char) -> bool {
    c.is_ascii_punctuation() && OPERATORS.contains(c)
}

/// The operator at the start of a text.
fn operator(text: &str) -> Option<&str> {
    let first = text.chars().next().filter(|c| is_operator(*c))?;
    let pair = text.get(..2).filter(|pair| PAIRS.contains(pair));
    Some(pair.unwrap_or(&text[..first.len_utf8()]))
}

/// The digits after `\u`, and how many there are: JavaScript takes fewer than four where the text ends.
fn unicode(text: &str) -> Option<(u32, usize)> {
    let digits: String = text.chars().take(4).collect();
    let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| Some((u32::from_str_radix(&digits, 16).ok()?, digits.len()))).flatten()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}')
}

/// Cuts a text into tokens.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) -> Result<(), Mistake> {
        loop {
            self.at += self.rest().len() - self.rest().trim_start_matches(is_blank).len();
            let Some(comment) = self.rest().strip_prefix("/*") else { return Ok(()) };
            match comment.find("*/") {
                Some(length) => self.at += length + 4,
                None => return Err(Mistake::new("S0106", self.at)),
            }
        }
    }

    /// The next token. After an operand, `/` divides; elsewhere it begins a regular expression.
    pub(super) fn next(&mut self, after_operand: bool) -> Result<Token<'a>, Mistake> {
        self.blanks()?;
        let start = self.at;
        let token = |kind: Kind, text: &'a str| Ok(Token { kind, text: Cow::Borrowed(text), start });
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return token(Kind::End, "(end)") };
        if first == '/' && !after_operand {
            return self.regex();
        }
        if let Some(operator) = operator(rest) {
            self.at += operator.len();
            return token(Kind::Operator, operator);
        }
        match first {
            '"' | '\'' => return self.string(first),
            '0'..='9' => return self.number(),
            '`' => {
                return match rest[1..].find('`') {
                    Some(length) => {
                        self.at += length + 2;
                        token(Kind::Name, &rest[1..=length])
                    }
                    None => Err(Mistake::new("S0105", self.text.len())),
                };
            }
            _ => {}
        }
        let stops = |c: char| is_blank(c) || is_operator(c);
        let name = &rest[..rest.find(stops).unwrap_or(rest.len())];
        self.at += name.len();
        match (name.strip_prefix('$'), name) {
            (Some(variable), _) => token(Kind::Variable, variable),
            (None, "or" | "in" | "and") => token(Kind::Operator, name),
            (None, "true" | "false" | "null") => token(Kind::Value, name),
            _ => token(Kind::Name, name),
        }
    }

    fn regex(&mut self) -> Result<Token<'a>, Mistake> {
        let start = self.at;
        let body = &self.rest()[1..];
        let (mut depth, mut escapes, mut before) = (0i64, 0usize, '/');
        for (at, c) in body.char_indices() {
            if c == '/' && depth == 0 && escapes % 2 == 0 {
                if at == 0 {
                    return Err(Mistake::new("S0301", start + 1));
                }
                let flags = body[at + 1..].len() - body[at + 1..].trim_start_matches(['i', 'm']).len();
                self.at += at + 2 + flags;
                let flags = body[at + 1..at + 1 + flags].to_owned();
                return Ok(Token { kind: Kind::Regex { flags }, text: body[..at].into(), start });
            }
            match c {
                '(' | '[' | '{' if before != '\\' => depth += 1,
                ')' | ']' | '}' if before != '\\' => depth -= 1,
                _ => {}
            }
            escapes = if c == '\\' { escapes + 1 } else { 0 };
            before = c;
        }
        Err(Mistake::new("S0302", self.text.len()))
    }

    fn string(&mut self, quote: char) -> Result<Token<'a>, Mistake> {
        let start = self.at;
        let body = &self.rest()[1..];
        let ends = |c: char| c == quote || c == '\\';
        if let Some(at) = body.find(ends).filter(|at| body[*at..].starts_with(quote)) {
            self.at += at + 2;
            return Ok(Token { kind: Kind::String, text: body[..at].into(), start });
        }
        let mut text = String::new();
        let mut chars = body.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + 2;
                return Ok(Token { kind: Kind::String, text: text.into(), start });
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let offset = start + at + 2;
            let escaped = chars.next().map(|(_, escaped)| escaped);
            match escaped {
                Some('u') => {
                    let Some((unit, length)) = unicode(&body[at + 2..]) else {
                        return Err(Mistake::new("S0104", offset));
                    };
                    let mut taken = length;
                    let mut found = char::from_u32(unit);
                    // Two halves make one character.
                    if (0xD800..0xDC00).contains(&unit)
                        && let Some(second) = body[at + 2 + length..].strip_prefix("\\u")
                        && let Some((low @ 0xDC00..0xE000, more)) = unicode(second)
                    {
                        found = char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
                        taken += 2 + more;
                    }
                    text.push(found.unwrap_or('\u{FFFD}'));
                    (0..taken).for_each(|_| _ = chars.next());
                }
                Some(c @ ('"' | '\\' | '/')) => text.push(c),
                Some('b') => text.push('\u{8}'),
                Some('f') => text.push('\u{c}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                other => {
                    let text = other.map(String::from).unwrap_or_default().into();
                    return Err(Mistake::at("S0103", &Token { kind: Kind::Name, text, start: offset }));
                }
            }
        }
        Err(Mistake::new("S0101", self.text.len()))
    }

    /// `(0|([1-9][0-9]*))(\.[0-9]+)?([Ee][-+]?[0-9]+)?`
    fn number(&mut self) -> Result<Token<'a>, Mistake> {
        let start = self.at;
        let rest = self.rest();
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut end = if rest.starts_with('0') { 1 } else { digits(0) };
        if rest[end..].starts_with('.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['-', '+']));
            let count = digits(end + 1 + sign);
            end += if count > 0 { 1 + sign + count } else { 0 };
        }
        let token = Token { kind: Kind::Number, text: rest[..end].into(), start };
        if !rest[..end].parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(Mistake::at("S0102", &Token { kind: Kind::Name, ..token }));
        }
        self.at += end;
        Ok(token)
    }
}
