//! Names of files and directories for ids.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The longest name, in bytes: file systems end at 255, and what is written beside it needs a suffix.
const LONGEST: usize = 200;

/// The name under which what belongs to an id is stored: readable for ordinary ids, safe for every file system, and never
/// the same for two ids.
///
/// Everything outside `A-Za-z0-9._=+@-` is percent-escaped, and so is a dot in front. A name that would be too long is
/// cut and ends with `~` and a part of the hash of the id.
pub(crate) fn safe_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"_=+@-".contains(&byte) || (byte == b'.' && at > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            push_hex(&mut name, "%", byte);
        }
    }
    if name.is_empty() {
        // No id gives a bare percent sign.
        return "%".to_owned();
    }
    if name.len() > LONGEST {
        // Only ASCII has been pushed, so every place is a boundary.
        name.truncate(LONGEST - 17);
        name.push('~');
        for byte in Sha256::digest(id.as_bytes()).iter().take(8) {
            push_hex(&mut name, "", *byte);
        }
    }
    name
}

fn push_hex(name: &mut String, sign: &str, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(name, "{sign}{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::safe_name;

    #[test]
    fn ordinary_ids_are_their_own_names() {
        assert_eq!(safe_name("manual__2026-01-31T06=00_1.a"), "manual__2026-01-31T06=00_1.a");
    }

    #[test]
    fn what_a_file_system_could_trip_over_is_escaped() {
        assert_eq!(safe_name("a/b:c"), "a%2fb%3ac");
        assert_eq!(safe_name(".."), "%2e.");
        assert_eq!(safe_name(""), "%");
        assert_eq!(safe_name("é"), "%c3%a9");
    }

    #[test]
    fn long_ids_are_cut_and_stay_different() {
        let (one, other) = (safe_name(&"x".repeat(300)), safe_name(&"x".repeat(301)));
        assert_eq!(one.len(), 200);
        assert_ne!(one, other);
    }
}
