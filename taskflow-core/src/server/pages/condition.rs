//! What the next run of a DAG needs that events start: each branch of the condition, whether it is
//! there, and what is pending for it.

use super::address;
use super::marks::Mark;
use super::times::{Clock, Moment};
use crate::ops::{Condition, ConditionKind};

/// A condition as a page shows it.
#[derive(Debug)]
pub(super) struct Needs {
    /// How its branches go together: `All of these`. Empty for a single one.
    pub(super) how: &'static str,
    pub(super) rows: Vec<NeedRow>,
}

/// A branch.
#[derive(Debug)]
pub(super) struct NeedRow {
    pub(super) mark: Mark,
    /// `Events of`, or what else it is.
    pub(super) what: String,
    /// The asset, with its page and the parameter; empty for a slot.
    pub(super) asset: String,
    pub(super) href: String,
    pub(super) param: String,
    /// `3 pending`, or what is missing.
    pub(super) detail: String,
    pub(super) since: Option<Moment>,
}

/// Branches within a branch are shown behind each other: what is missing is missing there, too.
pub(super) fn needs(condition: &Condition, clock: &Clock) -> Needs {
    let how = match &condition.kind {
        ConditionKind::All(_) => "All of these.",
        ConditionKind::Any(_) => "One of these.",
        ConditionKind::Slot { .. } | ConditionKind::Event { .. } => "",
    };
    let mut rows = Vec::new();
    add(condition, clock, &mut rows);
    Needs { how, rows }
}

fn add(condition: &Condition, clock: &Clock, rows: &mut Vec<NeedRow>) {
    let mark = match condition.met {
        true => Mark { words: "there", ..Mark::of("success") },
        false => Mark { words: "not yet", ..Mark::of("none") },
    };
    let row = match &condition.kind {
        ConditionKind::All(of) | ConditionKind::Any(of) => return of.iter().for_each(|one| add(one, clock, rows)),
        ConditionKind::Slot { schedule, open } => NeedRow {
            mark,
            what: format!("A slot: {schedule}"),
            asset: String::new(),
            href: String::new(),
            param: String::new(),
            detail: open.map_or("the next one", |_| "waits for its events since").to_owned(),
            since: open.map(|open| clock.at(open)),
        },
        ConditionKind::Event { param, asset, pending, since, lacks } => {
            let count = match pending {
                0 => None,
                1 => Some("1 pending".to_owned()),
                pending => Some(format!("{pending} pending")),
            };
            let lacks = lacks.as_ref().map(|lacks| format!("needs {lacks}"));
            NeedRow {
                mark,
                what: "Events of".to_owned(),
                href: address::asset(asset),
                asset: asset.clone(),
                param: param.clone(),
                detail: [lacks, count].into_iter().flatten().collect::<Vec<_>>().join("; "),
                since: since.map(|since| clock.at(since)),
            }
        }
    };
    rows.push(row);
}
