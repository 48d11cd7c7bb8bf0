//! What an examination can find.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::base::schema::Schema;
use crate::base::{Timestamp, units};
use crate::ops::served::ServingProcess;
use crate::schedule::{Backlog, Pause, Zone};

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[serde(tag = "finding", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The home holds no runs yet.
    NoHome,
    /// The store cannot be opened or read.
    StoreUnusable {
        /// Why.
        error: String,
    },
    /// The file of the store is damaged.
    StoreDamaged {
        /// What is wrong, at most ten sentences.
        damage: Vec<String>,
    },
    /// The store opens, and its file shows no damage.
    StoreSound,
    /// The space that is left in the file system of the home.
    DiskSpace {
        /// In bytes.
        free: u64,
    },
    /// A service is up.
    Service(ServingProcess),
    /// Runs wait for the service to start them.
    RunsQueued {
        /// How many they are.
        waiting: usize,
        /// How many runs the service runs at once.
        limit: usize,
    },
    /// No service is up.
    NoService {
        /// How many DAGs of the program have a schedule.
        schedules: usize,
        /// How many of the others consume events.
        consumers: usize,
        /// How many runs wait for a service.
        queued: usize,
    },
    /// The clock is behind the last entry of the store.
    ClockBehind {
        /// By how much.
        by: Duration,
    },
    /// The clock is far ahead of the last entry of the store: it is wrong, or the home was idle.
    ClockAhead {
        /// By how much.
        by: Duration,
    },
    /// The clock fits the last entry of the store.
    ClockRight,
    /// The graph of a DAG has mistakes.
    Broken {
        /// The DAG.
        dag: String,
        /// The mistakes.
        errors: Vec<String>,
    },
    /// The schedule of a DAG cannot be served.
    Unserved {
        /// The DAG.
        dag: String,
        /// Why.
        reason: String,
    },
    /// The schedule of a DAG may not be meant to say what it says.
    ScheduleNote {
        /// The DAG.
        dag: String,
        /// What it says.
        note: String,
    },
    /// A default of a parameter fails for the next slot.
    NoDefaults {
        /// The DAG.
        dag: String,
        /// The slot.
        slot: Timestamp,
        /// Why.
        reason: String,
    },
    /// A DAG is paused.
    Paused {
        /// The DAG.
        dag: String,
        /// Who paused it.
        pause: Pause,
    },
    /// A slot waits until runs of its DAG have ended.
    WaitsForRoom {
        /// The DAG.
        dag: String,
        /// How many runs are active.
        active: u32,
    },
    /// More than half of the last slots of a DAG were skipped or superseded.
    SkipsSlots {
        /// The DAG.
        dag: String,
        /// How many were skipped or superseded.
        skipped: u64,
        /// How many slots have passed since then, with and without a run.
        slots: u64,
        /// Since when: 24 hours, or less if there are too many slots.
        since: Timestamp,
    },
    /// So many slots of a DAG wait that its schedule falls behind.
    FallsBehind {
        /// The DAG.
        dag: String,
        /// The slots.
        #[serde(flatten)]
        backlog: Backlog,
    },
    /// A slot waits until the run before it has succeeded.
    WaitsForPrevious {
        /// The DAG.
        dag: String,
        /// The id of the run.
        run: String,
    },
    /// Events are pending for a DAG.
    PendingEvents {
        /// The DAG.
        dag: String,
        /// How many they are.
        pending: u64,
        /// When the first of them was emitted.
        since: Option<Timestamp>,
        /// What the next run waits for.
        waits_for: Option<String>,
    },
    /// What a DAG has consumed cannot be read: its events start no runs.
    ConsumerDamaged {
        /// The DAG.
        dag: String,
        /// Why.
        error: String,
    },
    /// The state of the schedule of a DAG cannot be read: its slots start no runs.
    ScheduleDamaged {
        /// The DAG.
        dag: String,
        /// Why.
        error: String,
    },
    /// What is stored of the deadlines of a DAG cannot be read: none is judged.
    DeadlinesDamaged {
        /// The DAG.
        dag: String,
        /// Why.
        error: String,
    },
    /// A slot has missed its deadline, and its run has not succeeded since.
    MissedDeadline {
        /// The DAG.
        dag: String,
        /// The slot; of several, the last.
        slot: Timestamp,
        /// The deadline.
        deadline: Timestamp,
        /// The number of the run, if the slot has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<i64>,
        /// Why.
        reason: String,
    },
    /// The callback of a DAG could not be notified that a slot has missed its deadline.
    DeadlineUntold {
        /// The DAG.
        dag: String,
        /// The slot.
        slot: Timestamp,
        /// Why not.
        error: String,
    },
    /// A run is interrupted, and no process continues it.
    Interrupted {
        /// The DAG.
        dag: String,
        /// The number of the run.
        run: i64,
        /// Whether the service that is up resumes it.
        is_resumed: bool,
        /// The tasks with which three processes have died, so that `resume` refuses the run.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        deadly: Vec<String>,
    },
}

/// Less space than this is a problem.
const LEAST_SPACE: u64 = 256 << 20;

impl FindingKind {
    /// Whether somebody has to act.
    pub fn severity(&self) -> Severity {
        match self {
            FindingKind::DiskSpace { free } if *free < LEAST_SPACE => Severity::Problem,
            FindingKind::StoreSound
            | FindingKind::DiskSpace { .. }
            | FindingKind::Service(_)
            | FindingKind::ClockRight
            | FindingKind::NoService { schedules: 0, consumers: 0, queued: 0 } => Severity::Ok,
            FindingKind::NoHome
            | FindingKind::ClockAhead { .. }
            | FindingKind::ScheduleNote { .. }
            | FindingKind::WaitsForRoom { .. }
            | FindingKind::SkipsSlots { .. }
            | FindingKind::RunsQueued { .. }
            | FindingKind::PendingEvents { .. }
            | FindingKind::Interrupted { is_resumed: true, .. } => Severity::Notice,
            // A person who pauses a DAG knows it. The others are reports of trouble.
            FindingKind::Paused { pause, .. } if !pause.is_report() => Severity::Notice,
            _ => Severity::Problem,
        }
    }

    /// What to do, if there is something.
    pub fn next_step(&self) -> Option<String> {
        Some(match self {
            FindingKind::StoreUnusable { .. } => "`db check` names the damage, if there is any".to_owned(),
            FindingKind::StoreDamaged { .. } | FindingKind::ConsumerDamaged { .. } => {
                "`db check` lists all damage; restore a backup".to_owned()
            }
            FindingKind::DeadlinesDamaged { dag, .. } => {
                format!("`reset-schedule {dag}` makes them anew; those that are due by then are not judged")
            }
            FindingKind::ScheduleDamaged { dag, .. } => {
                format!("`reset-schedule {dag}` makes the schedule anew from its runs")
            }
            FindingKind::DiskSpace { free } if *free < LEAST_SPACE => {
                "`db prune` deletes old runs, and `db vacuum` returns their space".to_owned()
            }
            FindingKind::NoService { schedules, consumers, queued } if schedules + consumers + queued > 0 => {
                "start `serve`, under a supervisor that starts it again".to_owned()
            }
            FindingKind::ClockBehind { .. } => {
                "set the clock; if it was wrong before, `reset-schedule --all`".to_owned()
            }
            FindingKind::ClockAhead { .. } => "look at the clock".to_owned(),
            FindingKind::Broken { dag, .. } => format!("mend the function `{dag}`; `show {dag}` draws its graph"),
            FindingKind::Unserved { dag, .. } => format!("mend the schedule of `{dag}`; `next {dag}` tries it"),
            FindingKind::ScheduleNote { dag, .. } => format!("`next {dag} -n 20` shows it"),
            FindingKind::NoDefaults { dag, .. } => format!("give the parameter of `{dag}` a default for every slot"),
            FindingKind::Paused { dag, .. } => format!("`unpause {dag}`"),
            FindingKind::RunsQueued { .. } => {
                "`runs --state queued` lists them, and `explain RUN` says what each waits for".to_owned()
            }
            FindingKind::WaitsForRoom { dag, .. } => format!("`runs --dag {dag} --state running` lists them"),
            FindingKind::SkipsSlots { dag, .. } => format!(
                "`slots {dag} --fate skipped,superseded` says why; make its runs shorter, its period longer, or set \
                 `overlap` or `max_active_runs`"
            ),
            FindingKind::FallsBehind { dag, .. } => format!(
                "`slots {dag}` lists them; make its runs shorter, its period longer, or set `overlap` or \
                 `max_active_runs`"
            ),
            FindingKind::PendingEvents { dag, .. } => format!("`consumers {dag}` shows them"),
            FindingKind::WaitsForPrevious { run, .. } => format!("`status {run}`; `clear` or `mark` its failed tasks"),
            FindingKind::MissedDeadline { run: Some(run), .. } => format!("`explain {run}`"),
            FindingKind::MissedDeadline { dag, .. } => format!("`slots {dag}`"),
            FindingKind::DeadlineUntold { dag, .. } => {
                format!("mend what `on_deadline_missed` of `{dag}` sends to; `serve` tries it again")
            }
            FindingKind::Interrupted { run, is_resumed: false, deadly, .. } if deadly.is_empty() => {
                format!("`resume {run}`, or `cancel {run}`")
            }
            FindingKind::Interrupted { run, is_resumed: false, deadly, .. } => {
                format!("`clear {run} {}` runs it again all the same; or `cancel {run}`", deadly.join(" "))
            }
            _ => return None,
        })
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingKind::NoHome => f.write_str("the home holds no runs yet"),
            FindingKind::StoreUnusable { error } => f.write_str(error),
            FindingKind::StoreDamaged { damage } => write!(f, "the store is damaged: {}", damage.join("; ")),
            FindingKind::StoreSound => f.write_str("the store opens, and its file shows no damage"),
            FindingKind::DiskSpace { free } => {
                write!(f, "{} are free in the file system of the home", units::bytes(*free))
            }
            FindingKind::Service(ServingProcess { worker, since: Some(since), .. }) => {
                write!(f, "{worker} serves the home since {}", shown(*since))
            }
            FindingKind::Service(ServingProcess { worker, since: None, .. }) => write!(f, "{worker} serves the home"),
            FindingKind::RunsQueued { waiting, limit } => {
                let runs = if *waiting == 1 { "1 run is".to_owned() } else { format!("{waiting} runs are") };
                write!(f, "{runs} queued; the service runs at most {limit} at once")
            }
            FindingKind::NoService { schedules: 0, consumers: 0, queued: 0 } => {
                f.write_str("no service is running, and none is needed")
            }
            FindingKind::NoService { schedules, consumers, queued } => {
                let count = |count: usize, one: &str, many: &str| match count {
                    0 => None,
                    1 => Some(format!("1 {one}")),
                    _ => Some(format!("{count} {many}")),
                };
                let waiting = [
                    count(*schedules, "DAG is scheduled", "DAGs are scheduled"),
                    count(*consumers, "DAG consumes events", "DAGs consume events"),
                    count(*queued, "run is queued", "runs are queued"),
                ];
                let waiting: Vec<String> = waiting.into_iter().flatten().collect();
                match &waiting[..] {
                    [] => Ok(()),
                    [only] => write!(f, "no service is running, and {only}"),
                    [first @ .., last] => write!(f, "no service is running, {}, and {last}", first.join(", ")),
                }
            }
            FindingKind::ClockBehind { by } => {
                write!(
                    f,
                    "the clock shows {} and is {} days behind the schedules",
                    shown(Timestamp::now()),
                    by.as_secs() / 86_400
                )
            }
            FindingKind::ClockAhead { by } => {
                write!(
                    f,
                    "the clock shows {}, and the last entry of the schedules is {} days old",
                    shown(Timestamp::now()),
                    by.as_secs() / 86_400
                )
            }
            FindingKind::ClockRight => f.write_str("the clock fits the store"),
            FindingKind::Broken { dag, errors } => {
                write!(f, "the graph of `{dag}` has mistakes: {}", errors.join("; "))
            }
            FindingKind::Unserved { dag, reason } => write!(f, "the schedule of `{dag}` cannot be served: {reason}"),
            FindingKind::ScheduleNote { dag, note } => write!(f, "the schedule of `{dag}`: {note}"),
            FindingKind::NoDefaults { dag, slot, reason } => {
                write!(f, "the next slot of `{dag}`, {}, will fail: {reason}", shown(*slot))
            }
            FindingKind::Paused { dag, pause } => {
                write!(f, "`{dag}` is paused by {} since {}", pause.by, shown(pause.since))?;
                pause.until.map_or(Ok(()), |until| write!(f, ", until {}", shown(until)))?;
                if pause.reason.is_empty() { Ok(()) } else { write!(f, ": {}", pause.reason) }
            }
            FindingKind::WaitsForRoom { dag, active: 1 } => write!(f, "a slot of `{dag}` waits for the end of its run"),
            FindingKind::WaitsForRoom { dag, active } => {
                write!(f, "a slot of `{dag}` waits for the end of one of its {active} runs")
            }
            FindingKind::SkipsSlots { dag, skipped, slots, since } => {
                let (s, were) = (if *slots == 1 { "" } else { "s" }, if *skipped == 1 { "was" } else { "were" });
                write!(
                    f,
                    "of {slots} slot{s} of `{dag}` since {}, {skipped} {were} skipped or superseded",
                    shown(*since)
                )
            }
            FindingKind::FallsBehind { dag, backlog: Backlog { slots, first } } => {
                write!(f, "`{dag}` falls behind its schedule: {slots} slots wait since {}", shown(*first))
            }
            FindingKind::WaitsForPrevious { dag, run } => {
                write!(f, "the schedule of `{dag}` waits, because the run {run} has not succeeded")
            }
            FindingKind::PendingEvents { dag, pending, since, waits_for } => {
                let events = if *pending == 1 { "1 event is".to_owned() } else { format!("{pending} events are") };
                write!(f, "{events} pending for `{dag}`")?;
                since.map_or(Ok(()), |since| write!(f, " since {}", shown(since)))?;
                waits_for.as_ref().map_or(Ok(()), |waits_for| write!(f, "; its next run waits for {waits_for}"))
            }
            FindingKind::ConsumerDamaged { dag, error } => write!(f, "the events of `{dag}` start no runs: {error}"),
            FindingKind::ScheduleDamaged { dag, error } => write!(f, "the slots of `{dag}` start no runs: {error}"),
            FindingKind::DeadlinesDamaged { dag, error } => {
                write!(f, "the deadlines of `{dag}` are not judged: {error}")
            }
            FindingKind::MissedDeadline { dag, slot, deadline, reason, .. } => {
                write!(f, "the slot {} of `{dag}` missed its deadline, {}: {reason}", shown(*slot), shown(*deadline))
            }
            FindingKind::DeadlineUntold { dag, slot, error } => {
                write!(f, "nobody was notified that the slot {} of `{dag}` missed its deadline: {error}", shown(*slot))
            }
            FindingKind::Interrupted { dag, run, is_resumed, deadly } => match (*is_resumed, &*named(deadly)) {
                (true, "") => write!(f, "run {run} of `{dag}` has lost its process; the service resumes it"),
                (true, tasks) => write!(
                    f,
                    "run {run} of `{dag}` has lost its process, the third one while {tasks} ran; the service fails it"
                ),
                (false, "") => write!(f, "run {run} of `{dag}` is interrupted, and no process continues it"),
                (false, tasks) => write!(
                    f,
                    "run {run} of `{dag}` is interrupted, and `resume` refuses it: three processes have died while \
                     {tasks} ran"
                ),
            },
        }
    }
}

/// `` `load` and `sum` ``
fn named(tasks: &[String]) -> String {
    tasks.iter().map(|task| format!("`{task}`")).collect::<Vec<_>>().join(" and ")
}

/// `2026-01-31 06:00Z`
fn shown(moment: Timestamp) -> String {
    Zone::UTC.format(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that is up fails such a run within a second, so the finding is made by hand.
    #[test]
    fn a_run_that_a_service_fails_is_not_said_to_be_resumed() {
        let found = |deadly: &[&str]| {
            let deadly = deadly.iter().map(|task| (*task).to_owned()).collect();
            FindingKind::Interrupted { dag: "days".to_owned(), run: 7, is_resumed: true, deadly }
        };
        assert_eq!(found(&[]).to_string(), "run 7 of `days` has lost its process; the service resumes it");
        let fails = found(&["labelled"]);
        let message = "run 7 of `days` has lost its process, the third one while `labelled` ran; the service fails it";
        assert_eq!((fails.to_string(), fails.severity()), (message.to_owned(), Severity::Notice));
    }
}
