//! Text from elsewhere, made harmless: what would steer a terminal, or turn the direction of writing, is shown instead.

use std::borrow::Cow;

/// True for what must not reach a reader's terminal as it is: C0 controls but line end and tab, DEL, C1 controls, and
/// the bidirectional controls of Unicode.
pub fn is_control(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// The text with each of these characters as `\u` and four digits. JSON stays JSON with the same meaning: such a
/// character can only stand in one of its texts, and that is how JSON writes it there.
pub fn visible(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_control) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match is_control(c) {
            // All of them are in the first plane: four digits are enough.
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_and_the_rest_is_as_it_was() {
        let harmless = "plain, äöü 日本 🦀\n\ttabbed …";
        assert!(matches!(visible(harmless), Cow::Borrowed(text) if text == harmless));
        assert_eq!(visible("a\u{1b}[31mb\u{9b}2J\u{7f}\r\u{0}"), "a\\u001b[31mb\\u009b2J\\u007f\\u000d\\u0000");
        assert_eq!(visible("\u{202e}x\u{2069}\u{61c}\u{200f}"), "\\u202ex\\u2069\\u061c\\u200f");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = asl_value::Value::from("a\u{7f}\u{9b}\u{202e}\u{1b}");
        let text = value.to_string();
        assert_ne!(visible(&text), text);
        assert_eq!(visible(&text).parse::<asl_value::Value>().unwrap(), value);
    }
}
