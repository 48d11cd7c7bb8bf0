//! The loop of a service in virtual time.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::ServiceTest;
use super::runs::{Reruns, Running};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::{Journal, RunSummary, at_once};
use crate::ops::{Counting, OpsError, PastSlots};
use crate::run::RunState;
use crate::schedule::{BackfillPhase, FairTurns, MissedSlots, Note};
use crate::service::{Backfills, Consumers, Deadlines, Schedules, ServiceEvent, waiting};
use crate::store::{RunFilter, RunOrder};

/// What a service has in memory.
pub(super) struct Up {
    pub(super) schedules: Schedules,
    pub(super) consumers: Consumers,
    backfills: Backfills,
    deadlines: Deadlines,
    turns: FairTurns,
    pub(super) running: Vec<Running>,
}

/// The process of the service has died.
pub(super) struct Died;

impl ServiceTest {
    /// Serves until this time of the test, inclusive.
    #[track_caller]
    pub(super) fn serve_until(&mut self, end: Timestamp) -> Result<(), Died> {
        self.start()?;
        loop {
            let next = self.turn()?;
            match next {
                Some(next) if next <= end => self.advance(next)?,
                _ => break,
            }
        }
        self.advance(end)
    }

    /// The outcome of an operation of the service, unless it has died.
    #[track_caller]
    pub(super) fn alive<T, E: fmt::Display>(&self, outcome: Result<T, E>) -> Result<T, Died> {
        match outcome {
            _ if self.journal.is_failing() => Err(Died),
            Ok(outcome) => Ok(outcome),
            Err(error) => panic!("{error}"),
        }
    }

    /// The runs in these states, oldest first.
    #[track_caller]
    fn in_states(&self, states: &[RunState]) -> Result<Vec<RunSummary>, Died> {
        let filter = RunFilter { states: states.to_vec(), order: RunOrder::Number, ..RunFilter::default() };
        let mut runs = self.alive(at_once(self.journal.journal().runs(&filter)))?;
        runs.reverse();
        Ok(runs)
    }

    /// Starts a service, which resumes interrupted runs first.
    #[track_caller]
    fn start(&mut self) -> Result<(), Died> {
        if self.up.is_some() {
            return Ok(());
        }
        let dags: Vec<&'static DagDef> = self.dags.iter().map(|served| served.dag).collect();
        let (schedules, mut events) = Schedules::of(&dags);
        let (consumers, unserved) = Consumers::of(&dags);
        events.extend(unserved);
        let backfills = Backfills::of(&dags);
        let deadlines = Deadlines::of(&dags);
        let turns = FairTurns::default();
        self.up = Some(Up { schedules, consumers, backfills, deadlines, turns, running: Vec::new() });
        self.note("a service starts");
        self.report(events);
        self.start_waiting(&[RunState::Interrupted])
    }

    /// Starts the runs in these states whose turn it is.
    #[track_caller]
    fn start_waiting(&mut self, states: &[RunState]) -> Result<(), Died> {
        loop {
            let runs = self.in_states(states)?;
            let Some(up) = &mut self.up else { return Ok(()) };
            let backfilled = up.backfills.runs();
            let mut active: HashMap<(&str, bool), u32> = HashMap::new();
            for run in &up.running {
                *active.entry((run.dag.id, backfilled.contains(&run.run_id))).or_default() += 1;
            }
            let (mut of_runs, mut waits, mut limits) = (Vec::new(), Vec::new(), HashMap::new());
            let is_running = |run: &RunSummary| up.running.iter().any(|running| running.run_id == run.info.run_id);
            for run in runs.iter().filter(|run| !is_running(run)) {
                let Some(served) = self.dags.iter().find(|served| served.dag.id == run.info.dag_id) else { continue };
                waits.push(waiting(run, served.dag, backfilled.contains(&run.info.run_id)));
                limits.insert(served.dag.id, served.dag.options.max_active_runs.unwrap_or(u32::MAX));
                of_runs.push(run);
            }
            let room = |dag: &'static str, is_backfill: bool| {
                limits.get(dag).map_or(0, |limit| limit - active.get(&(dag, is_backfill)).unwrap_or(&0).min(limit))
            };
            let places = self.max_active_runs.saturating_sub(up.running.len());
            let picked = up.turns.pick(&waits, places, room);
            if picked.is_empty() {
                return Ok(());
            }
            for at in picked {
                self.start_run(of_runs[at])?;
            }
        }
    }

    /// Does what is to be done now. Returns when there is something to do again.
    #[track_caller]
    fn turn(&mut self) -> Result<Option<Timestamp>, Died> {
        let clock = self.clock();
        let Some(up) = &mut self.up else { return Ok(None) };
        let (journal, mut events, mut notified) = (self.journal.journal(), Vec::new(), Vec::new());
        let mut reruns = Reruns::new(&self.journal, self.max_active_runs.saturating_sub(up.running.len()));
        let turned = at_once(async {
            // A live service knows them from the turn before.
            up.backfills.load(journal, &mut events).await?;
            // All interrupted runs are resumed.
            let counting = Counting { backfilled: up.backfills.runs(), is_resumed: &|_| true };
            let schedules = up.schedules.turn(journal, counting, clock, &mut events).await;
            let consumers = up.consumers.turn(journal, counting, &mut events).await;
            let backfills = up.backfills.turn(journal, &mut reruns, &mut events).await;
            let judged = judge(&mut up.deadlines, journal, clock, &mut events, &mut notified).await;
            schedules.and(consumers).and(backfills).and(judged)
        });
        let reruns = reruns.into_runs();
        let turned = self.alive(turned);
        if turned.is_ok() {
            self.report(events);
        }
        notified.iter().for_each(|line| self.note(line));
        turned?;
        for rerun in reruns {
            self.rerun(rerun)?;
        }
        self.cancel_runs()?;
        self.start_waiting(&[RunState::Interrupted, RunState::Queued])?;
        Ok(self.next())
    }

    /// When there is something to do again.
    fn next(&self) -> Option<Timestamp> {
        let up = self.up.as_ref()?;
        let soon = self.now + Duration::from_millis(1);
        let wakes = up.schedules.wake().into_iter().chain(up.consumers.wake()).chain(up.deadlines.wake());
        let due = wakes.map(|wake| self.by_test(wake).max(soon)).chain(up.backfills.is_due().then_some(soon));
        let stored = up.running.iter().filter_map(|run| run.later.front().map(|&(at, _)| at));
        let ends = up.running.iter().filter_map(|run| run.ends);
        due.chain(stored).chain(ends).min()
    }

    /// Advances the clock, and stores what the runs have stored until then.
    #[track_caller]
    pub(super) fn advance(&mut self, to: Timestamp) -> Result<(), Died> {
        self.set_now(self.now.max(to));
        let Some(up) = &mut self.up else { return Ok(()) };
        let (mut ended, mut died) = (Vec::new(), false);
        'runs: for run in &mut up.running {
            while let Some((_, part)) = run.later.pop_front_if(|(at, _)| *at <= to) {
                let stored = self.journal.put_late(part);
                died = self.journal.is_failing();
                match stored {
                    // It may die right after this is stored, which may be the end of the run.
                    Ok(()) if died && !run.later.is_empty() => break 'runs,
                    Ok(()) => {}
                    Err(_) if died => break 'runs,
                    Err(error) => panic!("run {}: {error}", run.run_id),
                }
            }
            if run.ends.is_some_and(|ends| ends <= to) {
                ended.push((run.run_id.clone(), run.dag.id, run.state));
            }
            if died {
                break;
            }
        }
        up.running.retain(|run| run.ends.is_none_or(|ends| ends > to));
        for (run_id, dag, state) in ended {
            self.run_ended(dag);
            self.note(&format!("{dag}: {run_id} ends: {state}"));
        }
        if died { Err(Died) } else { Ok(()) }
    }

    /// The DAG may have room.
    pub(super) fn run_ended(&mut self, dag: &str) {
        if let Some(up) = &mut self.up {
            up.schedules.run_ended(dag);
            up.consumers.run_ended(dag);
        }
    }

    fn report(&mut self, events: Vec<ServiceEvent>) {
        for event in events {
            match event {
                ServiceEvent::Recorded { dag, record } => self.note(&recorded(dag, &PastSlots::from(record))),
                ServiceEvent::Noted { dag, note: Note::DeadlineMissed(missed) } => {
                    let MissedSlots { last, count, deadline, reason, .. } = missed;
                    let slots = if count == 1 { "the slot".to_owned() } else { format!("{count} slots until") };
                    self.note(&format!("{dag}: {slots} {last} missed the deadline {deadline}: {reason}"));
                }
                ServiceEvent::Noted { dag, note } => self.note(&format!("{dag}: {note:?}")),
                ServiceEvent::Unserved { dag, reason } => self.note(&format!("{dag} is not served: {reason}")),
                ServiceEvent::Paused { dag, reason } => self.note(&format!("{dag} is paused: {reason}")),
                ServiceEvent::Backfill { number, dag, phase, .. } => {
                    let state = phase.name();
                    let reason = if let BackfillPhase::Paused { reason, .. } = phase { reason } else { String::new() };
                    let colon = if reason.is_empty() { "" } else { ": " };
                    self.note(&format!("{dag}: backfill {number} is {state}{colon}{reason}"));
                }
                // Its start is noted.
                ServiceEvent::Due { .. } => {}
                other => self.note(&format!("{other:?}")),
            }
        }
    }
}

/// Judges the deadlines of slots. Adds a line for each callback that the store has as notified.
async fn judge(
    deadlines: &mut Deadlines,
    journal: &Journal,
    now: Timestamp,
    events: &mut Vec<ServiceEvent>,
    notified: &mut Vec<String>,
) -> Result<(), OpsError> {
    deadlines.turn(journal, now, events).await?;
    for (dag, pending) in deadlines.pending(now) {
        let line = format!("{dag}: notified that {}", pending.notification);
        deadlines.returned(journal, dag, pending.as_delivered(now), now).await?;
        notified.push(line);
    }
    Ok(())
}

pub(super) fn recorded(dag: &str, slots: &PastSlots) -> String {
    let PastSlots { first, count, fate, reason, .. } = slots;
    let slots = if *count == 1 { "1 slot".to_owned() } else { format!("{count} slots") };
    format!("{dag}: {slots} from {first} {fate}: {reason}")
}
