//! Colours in log lines: the sequences of terminals become classes, everything else is dropped.

/// A piece of a line in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Classes of the style sheet; empty for plain text.
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

/// Splits a text at its colour sequences. Sequences that do anything else on a terminal have no
/// effect and are left out.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut all = Vec::new();
    let (mut class, mut rest) = ("", text);
    let mut current = String::new();
    while let Some(at) = rest.find('\u{1b}') {
        current.push_str(&rest[..at]);
        let sequence = &rest[at + 1..];
        let Some((length, parameters)) = sequence_of(sequence) else {
            // Not a sequence: the escaper of the page makes the character visible.
            current.push('\u{1b}');
            rest = sequence;
            continue;
        };
        rest = &sequence[length..];
        let Some(parameters) = parameters else { continue };
        let next = class_of(parameters, class);
        if next != class {
            if !current.is_empty() {
                all.push(Piece { class, text: std::mem::take(&mut current) });
            }
            class = next;
        }
    }
    current.push_str(rest);
    if !current.is_empty() || all.is_empty() {
        all.push(Piece { class, text: current });
    }
    all
}

/// The length of a sequence after its ESC, and the parameters if it sets colours.
fn sequence_of(text: &str) -> Option<(usize, Option<&str>)> {
    match text.as_bytes().first()? {
        b'[' => {
            let end = text.bytes().skip(1).position(|byte| (0x40..=0x7e).contains(&byte))? + 1;
            if !text.as_bytes()[1..end].iter().all(|byte| (0x20..=0x3f).contains(byte)) {
                return None;
            }
            Some((end + 1, (text.as_bytes()[end] == b'm').then(|| &text[1..end])))
        }
        b']' => {
            let end = text.find(['\u{7}', '\u{1b}'])?;
            let is_two = text[end..].starts_with("\u{1b}\\");
            Some((end + 1 + usize::from(is_two), None))
        }
        _ => None,
    }
}

fn class_of(parameters: &str, before: &'static str) -> &'static str {
    let mut class = before;
    let mut codes = parameters.split(';');
    while let Some(code) = codes.next() {
        class = match code {
            "" | "0" | "39" => "",
            "1" => "a-bold",
            "2" | "30" | "90" | "37" | "97" => "a-dim",
            "31" | "91" => "a-red",
            "32" | "92" => "a-green",
            "33" | "93" => "a-yellow",
            "34" | "94" => "a-blue",
            "35" | "95" => "a-magenta",
            "36" | "96" => "a-cyan",
            "38" | "48" => {
                // A colour of the larger tables, which have no place in the theme.
                let skipped = if codes.next() == Some("2") { 3 } else { 1 };
                codes.by_ref().take(skipped).for_each(drop);
                class
            }
            _ => class,
        };
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(&'static str, String)> {
        pieces(text).into_iter().map(|piece| (piece.class, piece.text)).collect()
    }

    #[test]
    fn colours_become_classes_and_other_sequences_vanish() {
        let red = of("a \u{1b}[1;31mred\u{1b}[0m b");
        assert_eq!(red, [("", "a ".into()), ("a-red", "red".into()), ("", " b".into())]);
        assert_eq!(of("\u{1b}[2J\u{1b}[3;4Hx"), [("", "x".into())]);
        assert_eq!(of("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{7}"), [("", "link".into())]);
        assert_eq!(of("\u{1b}[38;2;1;2;3mx\u{1b}[38;5;31my"), [("", "xy".into())]);
        assert_eq!(of(""), [("", String::new())]);
    }

    #[test]
    fn a_broken_sequence_stays_as_text() {
        assert_eq!(of("\u{1b}[12"), [("", "\u{1b}[12".into())]);
        assert_eq!(of("\u{1b}é\u{1b}"), [("", "\u{1b}é\u{1b}".into())]);
        assert_eq!(of("\u{1b}[é m"), [("", "\u{1b}[é m".into())]);
    }
}
