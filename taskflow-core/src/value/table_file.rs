//! Stored values that are Arrow IPC files instead of MessagePack, with and without the feature
//! `arrow`.

use serde_json::Value;

/// The first bytes of an Arrow IPC file. As MessagePack this would be a number followed by more
/// bytes, which is never a stored value.
const MAGIC: &[u8; 8] = b"ARROW1\0\0";

/// Whether a stored value is a table, according to its first bytes.
pub(crate) fn is_table(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Checks that it is complete.
///
/// # Errors
///
/// Where it is damaged.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    #[cfg(feature = "arrow")]
    return super::frame::decode(bytes).map(drop);
    #[cfg(not(feature = "arrow"))]
    // The end of the file repeats the beginning.
    return if bytes.ends_with(&MAGIC[..6]) { Ok(()) } else { Err("it is an Arrow file without its end".to_owned()) };
}

/// Displays a table in about `limit` characters.
pub(super) fn preview(bytes: &[u8], limit: usize) -> String {
    #[cfg(feature = "arrow")]
    return super::frame::preview(bytes, limit);
    #[cfg(not(feature = "arrow"))]
    return described(bytes).chars().take(limit).collect();
}

/// A table as JSON: its rows, or a placeholder without the feature `arrow`.
///
/// # Errors
///
/// If it is damaged.
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
