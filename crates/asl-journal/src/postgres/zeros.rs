//! U+0000, which PostgreSQL's text cannot hold. Records and items are JSON, where it is escaped; the body of a message is any text.

/// For headers, which people read: another sign stands for it. Records have the text as it is.
pub(crate) fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A text as it is stored: U+0000 is two U+0001, and U+0001 has U+0002 behind it. Almost all texts stay as they are.
pub(crate) fn escaped(text: String) -> String {
    match text.contains(['\0', '\u{1}']) {
        true => text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"),
        false => text,
    }
}

/// What [`escaped`] was given.
pub(crate) fn unescaped(text: String) -> String {
    if !text.contains('\u{1}') {
        return text;
    }
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(char) = chars.next() {
        match char {
            '\u{1}' if chars.next() == Some('\u{1}') => out.push('\0'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_comes_back_and_has_no_zero_meanwhile(text in "[\u{0}-\u{3}a\u{fffd}]{0,12}") {
            let stored = escaped(text.clone());
            prop_assert!(!stored.contains('\0'));
            prop_assert_eq!(unescaped(stored), text);
        }
    }
}
