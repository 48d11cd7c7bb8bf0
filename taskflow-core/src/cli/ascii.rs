//! Terminals that show ASCII only: how they are recognised, and what replaces our own signs there.

use crate::render::palette;

/// Whether the terminal shows ASCII only: its locale is not one of UTF-8, or it is the Linux
/// console, whose fonts have no glyphs of states.
pub(super) fn is_needed(variable: impl Fn(&str) -> Option<String>) -> bool {
    if cfg!(windows) {
        // The standard library writes UTF-16 to a console.
        return false;
    }
    if variable("TERM").is_some_and(|term| term == "linux") {
        return true;
    }
    // The first that is not empty decides, as POSIX has it. Without any, the locale is `C`.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let charset = locale.unwrap_or_default().to_ascii_lowercase().replace('-', "");
    !charset.contains("utf8")
}

/// The text with ASCII in place of glyphs, rules and ellipses, cell by cell. Other characters stay.
pub(super) fn of(text: &str) -> String {
    text.chars().map(|sign| if sign.is_ascii() { sign } else { replaced(sign) }).collect()
}

fn replaced(sign: char) -> char {
    match sign {
        '─' => '-',
        '━' => '=',
        '│' => '|',
        '├' | '└' => '`',
        '…' => '~',
        '×' => 'x',
        '→' => '>',
        'µ' => 'u',
        _ => palette::ascii(sign).unwrap_or(sign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed_with(variables: &[(&str, &str)]) -> bool {
        is_needed(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[cfg(unix)]
    #[test]
    fn the_locale_decides() {
        assert!(!needed_with(&[("LANG", "ko_KR.UTF-8")]));
        assert!(!needed_with(&[("LANG", "C"), ("LC_CTYPE", "C.utf8")]));
        assert!(!needed_with(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]));
        assert!(needed_with(&[]));
        assert!(needed_with(&[("LC_ALL", "C"), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C.UTF-8")]));
        assert!(needed_with(&[("LANG", "ko_KR.EUC-KR")]));
        assert!(needed_with(&[("TERM", "linux"), ("LANG", "C.UTF-8")]));
    }

    #[test]
    fn signs_are_replaced_cell_by_cell() {
        assert_eq!(of("✓ success ── ━━ 12 µs, größe…"), "+ success -- == 12 us, größe~");
    }
}
