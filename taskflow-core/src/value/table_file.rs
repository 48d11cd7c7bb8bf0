//! Stored values that are Arrow IPC files and no MessagePack: what can be said of them with and without the feature `arrow`.

use serde_json::Value;

/// What an Arrow IPC file begins with. As MessagePack it would be a number with something behind it, which no stored value is.
const MAGIC: &[u8; 8] = b"ARROW1\0\0";

/// Whether a stored value is a table, by how it begins.
pub(crate) fn is_table(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Whether it is a whole one.
///
/// # Errors
///
/// Where it is damaged.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    #[cfg(feature = "arrow")]
    return super::frame::decode(bytes).map(drop);
    #[cfg(not(feature = "arrow"))]
    // It ends as it begins.
    return if bytes.ends_with(&MAGIC[..6]) { Ok(()) } else { Err("it is an Arrow file without its end".to_owned()) };
}

/// A table for people, in about `limit` characters.
pub(super) fn preview(bytes: &[u8], limit: usize) -> String {
    #[cfg(feature = "arrow")]
    return super::frame::preview(bytes, limit);
    #[cfg(not(feature = "arrow"))]
    return described(bytes).chars().take(limit).collect();
}

/// A table as JSON: its rows, or what it is where nobody can read it.
///
/// # Errors
///
/// When it is damaged.
pub(super) fn to_json(bytes: &[u8]) -> Result<Value, String> {
    #[cfg(feature = "arrow")]
    return super::frame::rows_as_json(bytes);
    #[cfg(not(feature = "arrow"))]
    return Ok(Value::String(described(bytes)));
}

#[cfg(not(feature = "arrow"))]
fn described(bytes: &[u8]) -> String {
    format!("<Arrow file, {} bytes; a program with the feature `arrow` shows it>", bytes.len())
}
