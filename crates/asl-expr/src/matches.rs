//! `StringMatches`, the pattern of Choice states.

/// A pattern that ends in a `\` with nothing after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern ends in a lone backslash: write \\\\ for a backslash, or \\* for a star")]
pub struct PatternError;

/// Whether `text` as a whole matches `pattern`, where `*` stands for any characters, also none; `\*` is a star and `\\` a
/// backslash (ASL spec, "Choice Rule", StringMatches). Takes time linear in both texts.
///
/// ```
/// use asl_expr::string_matches;
/// assert_eq!(string_matches("log-*.txt", "log-2024.txt"), Ok(true));
/// assert_eq!(string_matches(r"2\*3=*", "2*3=6"), Ok(true));
/// assert!(string_matches("\\", "x").is_err());
/// ```
///
/// # Errors
/// When the pattern ends in a lone backslash.
pub fn string_matches(pattern: &str, text: &str) -> Result<bool, PatternError> {
    let mut pieces = pieces(pattern)?;
    // There is always a last piece: the one after the last star.
    let last = pieces.pop().unwrap_or_default();
    let Some((first, middle)) = pieces.split_first() else { return Ok(text == last) };
    let Some(rest) = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&*last)) else { return Ok(false) };
    // Taking each piece at its first place leaves the most for those after it.
    let end = middle.iter().try_fold(rest, |rest, piece| rest.split_once(&**piece).map(|(_, after)| after));
    Ok(end.is_some())
}

/// The literal texts between the stars.
fn pieces(pattern: &str) -> Result<Vec<String>, PatternError> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => pieces.push(std::mem::take(&mut piece)),
            '\\' => piece.push(chars.next().ok_or(PatternError)?),
            _ => piece.push(c),
        }
    }
    pieces.push(piece);
    Ok(pieces)
}
