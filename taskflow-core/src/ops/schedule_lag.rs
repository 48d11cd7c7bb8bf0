//! How far the service is behind the schedules, and which of their slots wait.

use std::collections::BTreeMap;

use super::error::OpsError;
use super::schedules::{asking, schedule_in, schedule_of};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::schedule::{Schedule, ScheduleState};

/// The most slots of a DAG that are counted: timetables are code of the user.
const COUNTED: u64 = 1_000;

/// Why a slot that is due has no run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SlotWait {
    /// The DAG is paused.
    Paused,
    /// With `after_previous`: the run of the slot before has not succeeded.
    Previous,
    /// The run before has not ended, and the DAG has one at a time.
    Overlap,
    /// As many runs as `max_active_runs` says have not ended.
    MaxActive,
    /// Its events are not there.
    Events,
}

impl SlotWait {
    /// The name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            SlotWait::Paused => "paused",
            SlotWait::Previous => "previous",
            SlotWait::Overlap => "overlap",
            SlotWait::MaxActive => "max_active",
            SlotWait::Events => "events",
        }
    }
}

/// The schedules of some DAGs with what is stored of them. One that nobody has served yet, that
/// cannot be read, or that cannot be asked, is left out.
#[derive(Debug)]
pub(crate) struct ScheduleStates {
    all: Vec<StateOfDag>,
    now: Timestamp,
}

#[derive(Debug)]
struct StateOfDag {
    dag: &'static str,
    schedule: Schedule,
    state: ScheduleState,
    /// How many of its slots wait for events.
    open: u64,
}

impl ScheduleStates {
    /// Reads the states of all DAGs at once: a program may have a thousand.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn read(journal: &Journal, dags: &[&'static DagDef]) -> Result<Self, OpsError> {
        let now = journal.now();
        let (mut schedules, mut consumers) = (journal.schedules().await?, journal.consumers().await?);
        let read = |dag: &&'static DagDef| {
            let (state, open) = match dag.consumer().ok()? {
                Some(_) => schedule_in(consumers.remove(dag.id)?.ok()?.state)?,
                None => (schedules.remove(dag.id)?.ok()?.state, Vec::new()),
            };
            Some(StateOfDag { dag: dag.id, schedule: schedule_of(dag).ok()?, state, open: open.len() as u64 })
        };
        let all = dags.iter().filter(|dag| dag.options.schedule.is_some()).filter_map(read).collect();
        Ok(ScheduleStates { all, now })
    }

    /// When the slot was due that has waited for the longest time for a decision of the service. A
    /// slot whose run waits for room is decided, and so are those of a DAG that is paused.
    pub(crate) fn oldest_undecided(&self) -> Option<Timestamp> {
        self.all.iter().filter_map(|of| of.first_undecided(self.now)).min()
    }

    /// How many slots of a DAG wait, and for what; 1,000 stands for more. A DAG without such slots
    /// is not there.
    pub(crate) fn waiting(&self) -> BTreeMap<(&'static str, SlotWait), u64> {
        let mut waiting = BTreeMap::new();
        for of in &self.all {
            // A timetable that panics names no slots.
            let pending = asking(|| of.state.count_pending(&of.schedule, COUNTED)).unwrap_or(0);
            let events = if of.state.is_paused(self.now) { SlotWait::Paused } else { SlotWait::Events };
            for (wait, slots) in [(of.wait_for_room(self.now), pending), (events, of.open)] {
                if slots > 0 {
                    *waiting.entry((of.dag, wait)).or_default() += slots;
                }
            }
        }
        waiting
    }
}

impl StateOfDag {
    /// When the first slot was due that the stored state does not know.
    fn first_undecided(&self, now: Timestamp) -> Option<Timestamp> {
        if self.state.is_paused(now) {
            return None;
        }
        let slot = asking(|| self.schedule.after(self.state.noticed, self.state.first_seen)).ok()??;
        Some(slot.at + self.schedule.offset).filter(|due| *due <= now)
    }

    /// Why its pending slots wait. A step makes runs of them while there is room, so that those
    /// that are left have none: the runs need not be read.
    fn wait_for_room(&self, now: Timestamp) -> SlotWait {
        if self.state.is_paused(now) {
            SlotWait::Paused
        } else if self.schedule.after_previous {
            SlotWait::Previous
        } else if self.schedule.max_active_runs == 1 {
            SlotWait::Overlap
        } else {
            SlotWait::MaxActive
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Every, Pause, Span, Zone};

    const HOUR: i64 = 3_600_000_000_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_nanos(hours * HOUR)
    }

    /// A DAG of which the slots after hour 10 up to hour 13 wait.
    fn behind(schedule: Schedule, open: u64) -> StateOfDag {
        let mut state = ScheduleState::first_seen(&schedule, at(10), false);
        state.pending = vec![Span::new(at(10), at(13))];
        state.noticed = at(13);
        StateOfDag { dag: "hourly", schedule, state, open }
    }

    fn hourly() -> Schedule {
        Schedule::of(Every::parse("1h", Zone::UTC).unwrap())
    }

    fn waiting(of: StateOfDag) -> Vec<(SlotWait, u64)> {
        let states = ScheduleStates { all: vec![of], now: at(13) };
        states.waiting().into_iter().map(|((_, wait), slots)| (wait, slots)).collect()
    }

    #[test]
    fn slots_wait_for_what_the_schedule_says() {
        assert_eq!(waiting(behind(hourly(), 0)), [(SlotWait::Overlap, 3)]);
        let several = Schedule { max_active_runs: 4, ..hourly() };
        assert_eq!(waiting(behind(several.clone(), 0)), [(SlotWait::MaxActive, 3)]);
        let chained = Schedule { after_previous: true, ..several };
        assert_eq!(waiting(behind(chained, 2)), [(SlotWait::Previous, 3), (SlotWait::Events, 2)]);
    }

    #[test]
    fn a_pause_holds_all_slots_until_it_is_over() {
        let paused = |until| {
            let mut of = behind(hourly(), 2);
            let (by, reason) = ("ann".to_owned(), String::new());
            of.state.pause = Some(Pause { by, reason, since: at(12), until });
            of
        };
        assert_eq!(waiting(paused(None)), [(SlotWait::Paused, 5)]);
        assert_eq!(waiting(paused(Some(at(13)))), [(SlotWait::Overlap, 3), (SlotWait::Events, 2)]);
    }

    #[test]
    fn slots_since_the_start_of_a_schedule_count_and_are_no_more_than_a_thousand() {
        let mut of = behind(hourly(), 0);
        of.state.pending = vec![Span { unbounded: true, ..Span::new(at(0), at(12)) }];
        assert_eq!(waiting(of), [(SlotWait::Overlap, 12)]);
        let mut of = behind(hourly(), 0);
        of.state.pending = vec![Span::new(at(0), at(5_000))];
        assert_eq!(waiting(of), [(SlotWait::Overlap, COUNTED)]);
        let mut of = behind(hourly(), 0);
        of.state.pending.clear();
        assert_eq!(waiting(of), []);
    }
}
