//! Text inside XML.

use std::borrow::Cow;

/// A text for an element or an attribute in double quotes. Characters that XML does not have become
/// spaces.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let plain = |character: char| {
        !matches!(character, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}') && !character.is_control()
    };
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            character if plain(character) => out.push(character),
            _ => out.push(' '),
        }
    }
    Cow::Owned(out)
}

/// Twice a coordinate as the coordinate: half units are the only fractions there are.
pub(super) fn half(twice: i64) -> String {
    if twice % 2 == 0 {
        (twice / 2).to_string()
    } else {
        format!("{}{}.5", if twice < 0 { "-" } else { "" }, twice.abs() / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a <b> & \"c\" 'd'\u{1}]]>"), "a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; ]]&gt;");
    }

    #[test]
    fn halves_are_written_exactly() {
        assert_eq!([half(4), half(5), half(-1), half(-4)], ["2", "2.5", "-0.5", "-2"]);
    }
}
