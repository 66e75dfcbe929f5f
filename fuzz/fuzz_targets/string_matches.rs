//! `StringMatches`: a pattern (first line) and a text (the rest), against a matcher that tries everything.
#![no_main]

use asl_expr::string_matches;
use asl_fuzz::parts;
use libfuzzer_sys::fuzz_target;

#[derive(Clone, Copy)]
enum Token {
    Star,
    Is(char),
}

fuzz_target!(|text: &str| {
    let [pattern, text] = parts(text);
    let found = string_matches(pattern, text);
    match tokens(pattern) {
        None => assert!(found.is_err(), "a lone backslash is refused"),
        Some(tokens) if tokens.len() * text.len() < 100_000 => assert_eq!(found, Ok(matches(&tokens, text))),
        Some(_) => assert!(found.is_ok()),
    }
    let literal = text.replace('\\', "\\\\").replace('*', "\\*");
    assert_eq!(string_matches(&literal, text), Ok(true), "an escaped text matches itself");
});

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut chars = pattern.chars();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Star,
            '\\' => Token::Is(chars.next()?),
            c => Token::Is(c),
        });
    }
    Some(tokens)
}

/// Keeps for each prefix of the pattern whether it matches what was read of the text.
fn matches(tokens: &[Token], text: &str) -> bool {
    let mut here = vec![true];
    here.extend(tokens.iter().scan(true, |so_far, token| {
        *so_far &= matches!(token, Token::Star);
        Some(*so_far)
    }));
    for c in text.chars() {
        let mut next = vec![false; here.len()];
        for (i, token) in tokens.iter().enumerate() {
            next[i + 1] = match token {
                Token::Star => next[i] || here[i + 1] || here[i],
                Token::Is(wanted) => here[i] && *wanted == c,
            };
        }
        here = next;
    }
    here.last().copied().unwrap_or_default()
}
