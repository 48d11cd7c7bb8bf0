//! Which ids runs can have.

use super::events::PAYLOADS;

/// Why a run cannot have this id, if it cannot: whoever names the run by it would get another one
/// (see [`Journal::find`](super::Journal::find)), or its files would be among those of events.
pub(crate) fn unusable_id(id: &str) -> Option<String> {
    let is_number = || id.strip_prefix('#').unwrap_or(id).parse::<i64>().is_ok();
    let reason = match id {
        "last" => "`last` names the newest run",
        // Some file systems ignore case.
        _ if id.eq_ignore_ascii_case(PAYLOADS) => "the store keeps the payloads of events under this name",
        _ if id.trim().is_empty() => "it is empty",
        _ if is_number() => "a number names the run with this number",
        _ => return None,
    };
    Some(format!("a run cannot have the id `{id}`: {reason}"))
}

/// The same with the next step.
pub(super) fn refused(id: &str) -> Option<String> {
    unusable_id(id).map(|reason| format!("{reason}; choose another id"))
}
