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

/// The word that names the run with this number and no other, wherever a word names a run. Its id
/// need not: it can be a part of another one, and those of old runs can be `5` or `last`.
pub(crate) fn word_of(number: i64) -> String {
    format!("#{number}")
}

/// Why a run cannot have this id, with the next step.
pub(super) fn refused(id: &str) -> Option<String> {
    unusable_id(id).map(|reason| format!("{reason}; choose another id"))
}
