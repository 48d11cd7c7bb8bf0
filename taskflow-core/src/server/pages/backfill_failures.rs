//! The slots of a backfill that failed, by what failed in them: a range of slots mostly fails for
//! one reason.

use std::collections::HashMap;

use super::address;
use super::failures::base_id;
use super::times::Clock;
use crate::journal::{Journal, Rollup};
use crate::ops::{BackfillSlot, BackfillStatus, OpsError};

/// Of how many slots the messages are read, and how many slots of a group are named.
const READ: usize = 200;
const NAMED: usize = 5;

/// What failed.
#[derive(Debug)]
pub(super) struct FailedSlots {
    /// The largest group first.
    pub(super) groups: Vec<FailedGroup>,
    /// How many slots are in none of the groups.
    pub(super) more: usize,
}

/// Slots in which the same task failed with the same message, but for numbers in it.
#[derive(Debug)]
pub(super) struct FailedGroup {
    /// That of the first slot: `load: connection reset by peer`.
    pub(super) message: String,
    pub(super) count: usize,
    /// The first slots, with the addresses of their runs.
    pub(super) slots: Vec<(String, String)>,
    pub(super) more: usize,
}

impl FailedSlots {
    pub(super) async fn of(
        journal: &Journal,
        backfill: &BackfillStatus,
        slots: &[BackfillSlot],
        clock: &Clock,
    ) -> Result<FailedSlots, OpsError> {
        let read = &backfill.failed[..backfill.failed.len().min(READ)];
        let runs: HashMap<_, _> =
            slots.iter().filter(|slot| slot.state != "success").filter_map(|slot| Some((slot.at, slot.run?))).collect();
        let numbers: Vec<i64> = read.iter().filter_map(|at| runs.get(at).copied()).collect();
        let rollups = journal.rollups(&numbers).await?;
        let mut groups: Vec<FailedGroup> = Vec::new();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        for at in read {
            let run = runs.get(at).copied();
            let What { task, normal, message } = what(run, run.and_then(|run| rollups.get(&run)).map(|found| &**found));
            let place = *known.entry((task, normal)).or_insert_with(|| {
                groups.push(FailedGroup { message, count: 0, slots: Vec::new(), more: 0 });
                groups.len() - 1
            });
            let group = &mut groups[place];
            group.count += 1;
            match group.slots.len() < NAMED {
                true => group.slots.push((clock.at(*at).text, run.map(address::run).unwrap_or_default())),
                false => group.more += 1,
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(FailedSlots { groups, more: backfill.failed.len() - read.len() })
    }
}

/// What failed in a slot.
struct What {
    task: String,
    /// The message without its numbers.
    normal: String,
    message: String,
}

fn what(run: Option<i64>, rollup: Option<&Rollup>) -> What {
    let of = |message: &str| What { task: String::new(), normal: message.to_owned(), message: message.to_owned() };
    match (run, rollup) {
        (None, _) => of("No run could be made."),
        (Some(_), None) => of("Its run is not known any more."),
        (Some(_), Some(rollup)) => match rollup.failures().first() {
            Some(failure) => {
                let first = failure.tasks.first().map_or(0, |&first| first as usize);
                let id = rollup.id_of(first);
                let message = format!("{id}: {}", failure.sample);
                What { task: base_id(&id), normal: failure.message.clone(), message }
            }
            None => of(rollup.halted()),
        },
    }
}
