//! DAGs whose timetables were edited, and that somebody changes before a service has the new build.

use taskflow::Journal;
use taskflow::graph::DagDef;
use taskflow::journal::Note;
use taskflow::ops;
use taskflow::prelude::*;
use taskflow::schedule::{Catchup, Note as ScheduleNote, Unpause};

taskflow::asset! {
    RECEIPTS: Asset<u64> = "edited/receipts";
}

#[task]
fn close() {}

#[task]
fn sum(receipts: &Option<Events<u64>>) -> u64 {
    receipts.iter().flat_map(Events::values).sum()
}

/// The build that has stored the states.
mod before {
    use taskflow::prelude::*;

    use super::{RECEIPTS, close, sum};

    #[dag(schedule = "0 0 1 1 *", start = "2020-01-01", end = "2025-06-01", catchup = "all")]
    pub(super) fn books() {
        close();
    }

    #[dag(schedule = "0 0 1 1 *", start = "2020-01-01", end = "2025-06-01", catchup = "all")]
    pub(super) fn till(#[event(RECEIPTS)] receipts: Option<Events<u64>>) -> u64 {
        sum(receipts)
    }
}

/// The same DAGs with another timetable.
mod after {
    use taskflow::prelude::*;

    use super::{RECEIPTS, close, sum};

    #[dag(schedule = "0 0 1 * *", start = "2020-01-01", end = "2025-06-01", catchup = "all")]
    pub(super) fn books() {
        close();
    }

    #[dag(schedule = "0 0 1 * *", start = "2020-01-01", end = "2025-06-01", catchup = "all")]
    pub(super) fn till(#[event(RECEIPTS)] receipts: Option<Events<u64>>) -> u64 {
        sum(receipts)
    }
}

/// What became of the slots of a DAG, with their number and the reason, the latest first.
async fn recorded(journal: &Journal, dag: &DagDef) -> Vec<(String, u64, String)> {
    let slots = ops::past_slots(journal, dag, 100).await.expect("the store can be read").into_iter();
    slots.filter(|slot| slot.note.is_none()).map(|slot| (slot.fate, slot.count, slot.reason)).collect()
}

async fn changes(journal: &Journal, dag: &DagDef) -> usize {
    let slots = ops::past_slots(journal, dag, 100).await.expect("the store can be read");
    slots.iter().filter(|slot| matches!(slot.note, Some(ScheduleNote::TimetableChanged { .. }))).count()
}

/// Yearly from 2020 to 2025, of which all slots wait, then monthly. The DAG is paused by the new
/// build, and no service has stepped it: the slots of the old timetable still waited, and whoever
/// ended the pause decided by which timetable it had been.
#[tokio::test]
async fn a_pause_begins_with_the_timetable_of_the_build_that_pauses() {
    for [old, new] in [[before::books::def(), after::books::def()], [before::till::def(), after::till::def()]] {
        let journal = Journal::in_memory().expect("it opens");
        let note = Note { by: "mina".to_owned(), reason: String::new() };
        ops::pause(&journal, old, &note, None).await.expect("it is not paused");
        ops::unpause(&journal, old, &note, Catchup::All, Unpause::All).await.expect("it is paused");
        let of = |fate: &str, reason: &str| vec![(fate.to_owned(), 6, reason.to_owned())];
        let why = "it starts when a service is running";
        assert_eq!(recorded(&journal, old).await, of("waiting", why), "{}", old.id);
        ops::pause(&journal, new, &note, None).await.expect("it is not paused");
        assert_eq!(changes(&journal, new).await, 1, "{}", new.id);
        assert_eq!(recorded(&journal, new).await, of("superseded", "the timetable has changed"), "{}", new.id);
        let unpaused = ops::unpause(&journal, new, &note, Catchup::All, Unpause::All).await.expect("it is paused");
        assert_eq!(unpaused, [], "{}", new.id);
        assert_eq!(changes(&journal, new).await, 1, "{}", new.id);
    }
}
