//! The deadlines of a home: those that are due next and whether they will be met, and those that
//! were missed and who was notified.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;

use super::deadlines::{due_slots, missed_deadlines, untold};
use super::error::OpsError;
use super::schedules::next_slots;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::DagDef;
use crate::journal::{Journal, RunSummary, word_of};
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{MissedSlots, SlotDeadline, SlotStanding, Zone};
use crate::store::RunFilter;
use crate::task::{Deadline, DeadlineReference, DeadlineTimes};

/// Of how many runs the expected duration is the median.
const RUNS: u32 = 20;
/// How far ahead deadlines of slots that are open are looked for.
const AHEAD: Duration = Duration::from_secs(7 * 86_400);
/// How many entries in the history of each schedule are read, and the most missed deadlines of the
/// list.
const NOTES: u32 = 200;
const MISSED: usize = 100;
/// For how long a missed deadline is news.
const NEWS: Duration = Duration::from_secs(86_400);

/// The deadlines of a home.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct DeadlineList {
    /// When the list was made.
    pub at: Timestamp,
    /// Those to come, the earliest first: those of open slots and of active runs, and that of the
    /// next slot of each DAG.
    pub due: Vec<DueDeadline>,
    /// Those that were missed, the latest first.
    pub missed: Vec<MissedSlotDeadline>,
}

/// A deadline to come.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct DueDeadline {
    /// The DAG.
    pub dag_id: String,
    /// The deadline as the DAG has it, such as `by 09:00`.
    pub rule: String,
    /// The slot, or the logical date of the run.
    pub slot: Timestamp,
    /// When it is due.
    pub deadline: Timestamp,
    /// The run, if there is one.
    pub run: Option<i64>,
    /// What has become of the slot so far, in words.
    pub standing: String,
    /// When the run is expected to have ended: that of the slot starts in time, and takes as long
    /// as the median of the last runs. `None` if no run has succeeded yet.
    pub expected: Option<Timestamp>,
    /// That median, from the creation of a run to its end, in seconds.
    pub usual_seconds: Option<f64>,
    /// Of how many runs it is the median.
    pub of_runs: usize,
    /// Whether it will be met, as far as can be expected.
    pub is_likely: Option<bool>,
}

/// A deadline that slots of a DAG have missed.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct MissedSlotDeadline {
    /// The DAG.
    pub dag_id: String,
    /// Which slots, when, and why.
    #[serde(flatten)]
    pub missed: MissedSlots,
    /// The callback that is notified; `None` if the DAG has none.
    pub callback: Option<String>,
    /// Whether the callback has been notified.
    pub is_told: bool,
}

impl DeadlineList {
    /// The DAGs of those that a person should look at, one for each: those that are likely to be
    /// missed, and those that were missed in the last day.
    pub fn urgent(&self) -> impl Iterator<Item = &str> {
        self.unlikely().map(|due| &*due.dag_id).chain(self.news().map(|missed| &*missed.dag_id))
    }

    /// Those that are likely to be missed.
    pub(crate) fn unlikely(&self) -> impl Iterator<Item = &DueDeadline> {
        self.due.iter().filter(|due| due.is_likely == Some(false))
    }

    /// Those that were missed in the last day.
    pub(crate) fn news(&self) -> impl Iterator<Item = &MissedSlotDeadline> {
        self.missed.iter().filter(|missed| self.at.since(missed.missed.noticed) < NEWS)
    }
}

/// The deadlines of these DAGs.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn deadlines(journal: &Journal, dags: &[&'static DagDef]) -> Result<DeadlineList, OpsError> {
    let at = journal.now();
    let (mut due, mut missed) = (Vec::new(), Vec::new());
    for dag in dags {
        let Some(deadline) = dag.options.deadline else { continue };
        let Ok(zone) = dag.options.timezone() else { continue };
        let usual = Usual::of(journal, dag.id).await?;
        match deadline.of_slot() {
            Some(of_slot) => {
                due.extend(slots(journal, dag, (deadline, of_slot), &zone, &usual, at).await?);
                missed.extend(missed_by(journal, dag).await?);
            }
            None => due.extend(active(journal, dag, deadline, &zone, &usual, at).await?),
        }
    }
    due.sort_by_key(|due| due.deadline);
    missed.sort_by_key(|missed| std::cmp::Reverse(missed.missed.noticed));
    missed.truncate(MISSED);
    Ok(DeadlineList { at, due, missed })
}

/// How long the last runs of a DAG took.
struct Usual {
    median: Option<Duration>,
    runs: usize,
}

impl Usual {
    async fn of(journal: &Journal, dag: &str) -> Result<Usual, OpsError> {
        let filter = RunFilter {
            dag: Some(dag.to_owned()),
            states: vec![RunState::Success],
            limit: Some(RUNS),
            ..RunFilter::default()
        };
        let took = |run: RunSummary| Some(run.ended?.since(run.created));
        let took: Vec<Duration> = journal.runs(&filter).await?.into_iter().filter_map(took).collect();
        Ok(Usual { runs: took.len(), median: median(took) })
    }

    /// A deadline, with when its run is expected to end if it begins at this time.
    fn due(&self, at: DueAt, begins: Timestamp, now: Timestamp) -> DueDeadline {
        // A run that takes longer than usual ends now at the earliest.
        let expected = self.median.map(|median| (begins + median).max(now));
        let DueAt { dag_id, rule, slot, deadline, run, standing } = at;
        DueDeadline {
            dag_id,
            rule,
            slot,
            deadline,
            run,
            standing,
            expected,
            usual_seconds: self.median.map(|median| median.as_secs_f64()),
            of_runs: self.runs,
            is_likely: expected.map(|expected| expected <= deadline),
        }
    }
}

/// A deadline without what is expected.
struct DueAt {
    dag_id: String,
    rule: String,
    slot: Timestamp,
    deadline: Timestamp,
    run: Option<i64>,
    standing: String,
}

/// The median; of an even number of durations, the mean of the two in the middle.
fn median(mut of: Vec<Duration>) -> Option<Duration> {
    of.sort_unstable();
    let middle = of.len() / 2;
    match of.len() {
        0 => None,
        len if len % 2 == 1 => Some(of[middle]),
        _ => Some((of[middle - 1] + of[middle]) / 2),
    }
}

/// The deadlines of the slots of a DAG.
async fn slots(
    journal: &Journal,
    dag: &'static DagDef,
    (rule, deadline): (Deadline, SlotDeadline),
    zone: &Zone,
    usual: &Usual,
    now: Timestamp,
) -> Result<Vec<DueDeadline>, OpsError> {
    let at = |slot: Timestamp, deadline: Timestamp, run, standing| DueAt {
        dag_id: dag.id.to_owned(),
        rule: rule.to_string(),
        slot,
        deadline,
        run,
        standing,
    };
    let mut all = Vec::new();
    // A DAG whose schedule is not valid is reported by its own page.
    let Ok(Some(schedule)) = dag.options.schedule(dag.id) else { return Ok(all) };
    let span = (now, now + AHEAD);
    let open = match due_slots(journal, dag, &schedule, (deadline, zone), span, now).await {
        Ok(open) => open.slots,
        Err(OpsError::Schedule(_)) => return Ok(all),
        Err(error) => return Err(error),
    };
    let created = created(journal, dag.id, &open).await?;
    for (slot, standing) in open {
        let SlotStanding::Open { run, reason } = standing else { continue };
        let Some(due) = deadline.due(slot, zone) else { continue };
        let created = run.and_then(|run| created.get(&run).copied());
        all.push(usual.due(at(slot, due, run, reason), created.unwrap_or(now), now));
    }
    // A deadline that reads the clock of a timetable of one's own can fail.
    if let Ok(next) = next_slots(Some(journal), dag, now, 1).await
        && next.pause.is_none()
    {
        for slot in next.slots {
            let Some(due) = slot.deadline.filter(|_| !all.iter().any(|known| known.slot == slot.at)) else { continue };
            all.push(usual.due(at(slot.at, due, None, "its slot is to come".to_owned()), slot.starts, now));
        }
    }
    Ok(all)
}

/// When the runs of open slots of a DAG were created, by the numbers of the runs: with one question
/// for all of them.
async fn created(
    journal: &Journal,
    dag: &str,
    slots: &BTreeMap<Timestamp, SlotStanding>,
) -> Result<HashMap<i64, Timestamp>, OpsError> {
    let has_run = |(slot, standing): (&Timestamp, &SlotStanding)| match standing {
        SlotStanding::Open { run: Some(_), .. } => Some(*slot),
        _ => None,
    };
    let with_runs: Vec<Timestamp> = slots.iter().filter_map(has_run).collect();
    let ([first, ..], [.., last]) = (&*with_runs, &*with_runs) else { return Ok(HashMap::new()) };
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        run_types: vec![RunType::Scheduled, RunType::Backfill],
        logical_since: Some(*first),
        logical_before: Some(Timestamp::from_nanos(last.as_nanos().saturating_add(1))),
        ..RunFilter::default()
    };
    Ok(journal.runs(&filter).await?.into_iter().map(|run| (run.number, run.created)).collect())
}

/// The deadlines of the active runs of a DAG: those that do not belong to slots.
async fn active(
    journal: &Journal,
    dag: &'static DagDef,
    deadline: Deadline,
    zone: &Zone,
    usual: &Usual,
    now: Timestamp,
) -> Result<Vec<DueDeadline>, OpsError> {
    let states = vec![RunState::Queued, RunState::Running, RunState::Interrupted];
    let filter = RunFilter { dag: Some(dag.id.to_owned()), states, ..RunFilter::default() };
    let mut all = Vec::new();
    for run in journal.runs(&filter).await? {
        let started = match (deadline.reference, run.state) {
            (DeadlineReference::Started, RunState::Queued) => continue,
            (DeadlineReference::Started, _) => journal.history(&word_of(run.number)).await?.started(),
            _ => None,
        };
        let info = &run.info;
        let times = DeadlineTimes {
            logical_date: (info.run_type != RunType::Backfill).then_some(info.logical_date),
            slot: (info.run_id == RunInfo::id_of_slot(dag.id, info.logical_date)).then_some(info.logical_date),
            queued: run.created,
            started: started.unwrap_or(run.created),
            zone,
        };
        let Some(due) = deadline.due(&times).filter(|due| *due > now) else { continue };
        let at = DueAt {
            dag_id: dag.id.to_owned(),
            rule: deadline.to_string(),
            slot: info.logical_date,
            deadline: due,
            run: Some(run.number),
            standing: format!("run {} is {}", run.number, run.state.name()),
        };
        all.push(usual.due(at, run.created, now));
    }
    Ok(all)
}

/// The deadlines that slots of a DAG have missed.
async fn missed_by(journal: &Journal, dag: &'static DagDef) -> Result<Vec<MissedSlotDeadline>, OpsError> {
    let untold = untold(journal, dag.id).await?;
    let callback = dag.options.callbacks.on_deadline_missed.map(|callback| callback.name());
    let document = |missed: MissedSlots| {
        let waiting = untold.iter().find(|other| other.last == missed.last);
        MissedSlotDeadline {
            dag_id: dag.id.to_owned(),
            is_told: callback.is_some() && waiting.is_none(),
            callback: callback.clone(),
            // The state has how often the callback was notified in vain.
            missed: waiting.cloned().unwrap_or(missed),
        }
    };
    Ok(missed_deadlines(journal, dag.id, NOTES).await?.into_iter().map(document).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let of = |seconds: &[u64]| median(seconds.iter().map(|&seconds| Duration::from_secs(seconds)).collect());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[9, 1, 5]), Some(Duration::from_secs(5)));
        assert_eq!(of(&[8, 2, 4, 100]), Some(Duration::from_secs(6)));
    }
}
