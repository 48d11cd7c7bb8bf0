//! What changes runs, schedules and backfills.
//!
//! A verb that runs tasks in this process has no counterpart here: a service is asked to run them,
//! by a method of the [`Client`](super::Client).

mod assets;
mod backfills;
mod prune;
mod runs;
mod schedules;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(in crate::cli) use self::backfills::BackfillAsked;
pub(in crate::cli) use self::prune::WouldPrune;
pub(in crate::cli) use self::runs::{ClearAsked, TriggerAsked};
use crate::journal::Note;

/// The members of a body about who and why.
fn noted(note: &Note, mut members: Value) -> Value {
    members["by"] = json!(note.by);
    members["reason"] = json!(note.reason);
    members
}

/// Parameters as a body has them: a text, or a list of texts.
fn params(texts: &BTreeMap<String, Vec<String>>) -> Value {
    let value = |texts: &Vec<String>| match &**texts {
        [text] => json!(text),
        texts => json!(texts),
    };
    texts.iter().map(|(name, texts)| (name.clone(), value(texts))).collect::<serde_json::Map<_, _>>().into()
}
