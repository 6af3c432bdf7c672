//! Takes out of a text what a terminal would act upon.
//!
//! Names and messages come from a hive and, through it, from the Hub: neither may move the cursor, change a title or
//! turn the order of letters around.

use std::{borrow::Cow, fmt::Write};

/// The text with every control and direction character replaced by `�`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let replace = |character: char| {
        if is_harmful(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    Cow::Owned(text.chars().map(replace).collect())
}

/// JSON text in which every character that a terminal would act upon is escaped; it stays the same JSON.
pub(crate) fn escape_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_harmful(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// C0, DEL and C1 controls, line and paragraph separators, and the marks that change the direction of text
/// (Unicode Standard Annex #9).
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_script_stays() {
        for text in ["Qwen/Qwen3-8B-GGUF:Q4_K_M", "größer 模型 модель", ""] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn nothing_that_a_terminal_acts_upon_is_left() {
        let hostile = "a\u{1b}]0;title\u{7}b\r\nc\td\u{9b}31m\u{7f}\u{202e}e\u{2066}\u{feff}";
        let cleaned = clean(hostile);
        assert!(!cleaned.contains(is_harmful), "{cleaned:?}");
        assert!(cleaned.starts_with("a\u{fffd}]0;title\u{fffd}b"));
    }

    #[test]
    fn escaped_json_reads_as_the_same_value() {
        let value = serde_json::json!({"message": "a\u{9b}31m\u{7f}\u{202e}b\u{1b}[0m"});
        let json = value.to_string();
        let escaped = escape_json(&json);
        assert!(!escaped.contains(is_harmful));
        let again: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(again, value);
    }
}
