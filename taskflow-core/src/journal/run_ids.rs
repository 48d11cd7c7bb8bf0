//! Which ids runs can have.

use super::events::PAYLOADS;

/// Why a run cannot have this id, if it cannot: whoever names the run by it would get another one
/// (see [`Journal::find`](super::Journal::find)), or its files would be among those of events.
pub(crate) fn unusable_id(id: &str) -> Option<&'static str> {
    let is_number = || id.strip_prefix('#').unwrap_or(id).parse::<i64>().is_ok();
    match id {
        "last" => Some("`last` names the newest run"),
        // Some file systems ignore case.
        _ if id.eq_ignore_ascii_case(PAYLOADS) => Some("the store keeps the payloads of events under this name"),
        _ if id.trim().is_empty() => Some("it is empty"),
        _ if is_number() => Some("a number names the run with this number"),
        _ => None,
    }
}

/// The same as a sentence that names the id.
pub(super) fn refused(id: &str) -> Option<String> {
    unusable_id(id).map(|reason| format!("a run cannot have the id `{id}`: {reason}; choose another id"))
}
