//! DAGs whose timetables were edited, and that somebody pauses before a service has the new build.

use taskflow::prelude::*;
use taskflow::schedule::{Catchup, Note, Unpause};
use taskflow::testing::{ServiceTest, Test};

taskflow::asset! {
    RECEIPTS: Asset<u64> = "edited/receipts";
}

#[task]
fn close() {}

#[task]
fn sum(receipts: &Option<Events<u64>>) -> u64 {
    receipts.iter().flat_map(Events::values).sum()
}

#[dag(schedule = "0 0 1 1 *", start = "2020-01-01", end = "2025-06-01", catchup = "all")]
fn books() {
    close();
}

#[dag(schedule = "0 0 1 1 *", start = "2020-01-01", end = "2025-06-01", catchup = "all")]
fn till(#[event(RECEIPTS)] receipts: Option<Events<u64>>) -> u64 {
    sum(receipts)
}

/// What became of the slots of a DAG, with their number and the reason, the latest first.
fn recorded(service: &ServiceTest, dag: &str) -> Vec<(String, u64, String)> {
    let slots = service.slots(dag).into_iter().filter(|slot| slot.note.is_none());
    slots.map(|slot| (slot.fate, slot.count, slot.reason)).collect()
}

fn changes(service: &ServiceTest, dag: &str) -> usize {
    let is_change = |note: &Option<Note>| matches!(note, Some(Note::TimetableChanged { .. }));
    service.slots(dag).iter().filter(|slot| is_change(&slot.note)).count()
}

/// Yearly from 2020 to 2025, of which all slots wait, then monthly. The DAG is paused by the new
/// build, and no service has stepped it: the slots of the old timetable still waited, and whoever
/// ended the pause decided by which timetable it had been.
#[test]
fn a_pause_begins_with_the_timetable_of_the_build_that_pauses() {
    let mut service = Test::service().dag(books {}).dag(till {});
    for dag in ["books", "till"] {
        service.pause(dag, "").unpause_with(dag, Catchup::All, Unpause::All);
        let six = |fate: &str, reason: &str| vec![(fate.to_owned(), 6, reason.to_owned())];
        assert_eq!(recorded(&service, dag), six("waiting", "it starts when a service is running"), "{dag}");
        service.deploy(dag, |options| options.schedule = Some("0 0 1 * *".into())).pause(dag, "");
        assert_eq!(changes(&service, dag), 1, "{dag}");
        let superseded = six("superseded", "the timetable has changed");
        assert_eq!(recorded(&service, dag), superseded, "{dag}");
        service.unpause_with(dag, Catchup::All, Unpause::All);
        assert_eq!((recorded(&service, dag), changes(&service, dag)), (superseded, 1), "{dag}");
    }
}
