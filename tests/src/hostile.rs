//! Text that would mislead a terminal or its reader.

/// What the fixture `hostile` has in all of its texts.
pub const HOSTILE: &str = "Evil\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\\x1b[31mFORGED\x1b[0m\
    \rFORGED\nFORGED\x08\x7f\u{9b}31m\u{9d}0;t\u{9c}\u{202e}\u{2066}\u{61c}\u{200b}\u{feff}\u{2028}FORGED\u{e0041}\
    \x0b\x0cEnd";

/// Whether a terminal or its reader could be misled by the character.
pub fn is_unsafe(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
