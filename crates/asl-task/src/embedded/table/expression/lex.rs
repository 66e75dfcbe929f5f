//! Tokens of an expression.

/// What a token is. The text lies in [`Token::start`]..[`Token::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare name, which may be a keyword or a function.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    /// A list index.
    Number,
    /// Punctuation or an operator.
    Symbol,
    /// Something that no expression contains.
    Unknown,
    /// The end of the expression.
    End,
}

/// A token and its place, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of `text`; the last one is always [`Kind::End`].
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if matches!(first, ' ' | '\t' | '\r' | '\n') {
            at += 1;
            continue;
        }
        let (kind, length) = token(&text[at..], first);
        tokens.push(Token { kind, start: at, end: at + length });
        at += length;
    }
    tokens.push(Token { kind: Kind::End, start: at, end: at });
    tokens
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    let word = |text: &str| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    match first {
        'a'..='z' | 'A'..='Z' => (Kind::Word, word(rest)),
        '0'..='9' => (Kind::Number, rest.bytes().take_while(u8::is_ascii_digit).count()),
        '#' | ':' => match word(&rest[1..]) {
            0 => (Kind::Unknown, 1),
            length => (if first == '#' { Kind::Name } else { Kind::Value }, 1 + length),
        },
        '<' if rest.starts_with("<=") || rest.starts_with("<>") => (Kind::Symbol, 2),
        '>' if rest.starts_with(">=") => (Kind::Symbol, 2),
        '<' | '>' | '=' | '(' | ')' | '[' | ']' | ',' | '.' | '+' | '-' => (Kind::Symbol, 1),
        other => (Kind::Unknown, other.len_utf8()),
    }
}
