//! File names for arbitrary ids.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Every common file system allows 255 bytes in a name; the rest is reserved for suffixes.
const MAX_LEN: usize = 200;

/// The suffix of a shortened name: `%-` and the SHA-256 of the id.
const SUFFIX_LEN: usize = 2 + 64;

/// A file or directory name for `id`: safe on every file system, readable for ordinary ids, at most
/// 200 bytes, and unique per id.
///
/// Letters, digits and `_ + = @ - .` are kept. Every other byte becomes `%` and two hexadecimal
/// digits, and so does a leading dot (hidden files, `..`) or a trailing one (Windows drops it).
/// `manual__2026-01-31T06:00:00Z_1` becomes `manual__2026-01-31T06%3A00%3A00Z_1`, and the empty id
/// `%`. A name that would be too long is cut and followed by `%-` and the hash of the whole id. No
/// other id can produce these two forms, because elsewhere two digits follow a `%`.
///
/// On a file system that ignores case, ids that differ only in case share a name.
pub(crate) fn safe_name(id: &str) -> String {
    if id.is_empty() {
        return "%".to_owned();
    }
    let mut name = String::with_capacity(id.len());
    let last = id.len() - 1;
    // Where a shortened name is cut: never within an escape.
    let mut cut = 0;
    for (index, byte) in id.bytes().enumerate() {
        if name.len() <= MAX_LEN - SUFFIX_LEN {
            cut = name.len();
        }
        match byte {
            b'.' if index == 0 || index == last => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'+' | b'=' | b'@' | b'-' | b'.' => {
                name.push(char::from(byte));
            }
            // Writing to a `String` cannot fail.
            _ => drop(write!(name, "%{byte:02X}")),
        }
    }
    if name.len() > MAX_LEN {
        name.truncate(cut);
        name.push_str("%-");
        name.push_str(&hex(&Sha256::digest(id)));
    }
    name
}

/// The bytes that hexadecimal digits, two each, stand for. `None` if it is another text, or of
/// another length.
pub(crate) fn from_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_ids_stay_readable() {
        assert_eq!(safe_name("daily_report"), "daily_report");
        assert_eq!(safe_name("manual__2026-01-31T06:00:00Z_1"), "manual__2026-01-31T06%3A00%3A00Z_1");
        assert_eq!(safe_name("load.flights[3]"), "load.flights%5B3%5D");
    }

    #[test]
    fn characters_special_to_a_file_system_are_escaped() {
        assert_eq!(safe_name(""), "%");
        assert_eq!(safe_name("."), "%2E");
        assert_eq!(safe_name(".."), "%2E%2E");
        assert_eq!(safe_name("../etc/passwd"), "%2E.%2Fetc%2Fpasswd");
        assert_eq!(safe_name("a\0b\\c%"), "a%00b%5Cc%25");
        assert_eq!(safe_name("größe"), "gr%C3%B6%C3%9Fe");
    }

    #[test]
    fn long_ids_keep_their_beginning_and_get_a_hash() {
        let (first, second) = (safe_name(&"x".repeat(201)), safe_name(&"x".repeat(202)));
        assert_eq!(first.len(), 200);
        assert!(first.starts_with(&format!("{}%-", "x".repeat(134))), "{first}");
        assert_ne!(first, second);
        assert_eq!(safe_name(&"x".repeat(200)), "x".repeat(200));
        let escaped = safe_name(&"ö".repeat(100));
        assert_eq!(escaped.len(), 132 + SUFFIX_LEN);
    }

    proptest! {
        #[test]
        fn file_names_are_short_plain_and_unique(a in ".{0,120}", b in ".{0,120}") {
            let name = safe_name(&a);
            prop_assert!(!name.is_empty() && name.len() <= MAX_LEN);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=@-.%".contains(&byte)));
            prop_assert_eq!(a == b, name == safe_name(&b));
        }
    }
}
