//! The deadlines of slots: judges those that are due, and notifies the callbacks.
//!
//! # Protocol
//!
//! 1. After the schedules and the consumers are stepped, the deadlines that are due are
//!    [judged](crate::schedule::DeadlineState::judge) by what the store has of their slots: runs,
//!    records, slots that wait.
//! 2. The new state, and a note in the history of the schedule for what was missed, are one
//!    transaction. If another process has stored a state of the same DAG meanwhile, nothing is
//!    stored, and the deadlines are judged again.
//! 3. `on_deadline_missed` of the DAG is called on a thread of its own, so that it holds up
//!    nothing. The key of the notification derives from the id that the run of the slot has or
//!    would have.
//! 4. When the callback returns, the entry is removed from the state. A failure is stored with the
//!    time of the next attempt, as for other callbacks. While another process has locked the store,
//!    the outcome is kept, and the callback is not called again. A process that dies in between
//!    leaves the entry, and the next service notifies the callback again, with the same key.

#[cfg(all(test, feature = "sqlite"))]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::serving::ServiceEvent;
use super::wake::Wake;
use crate::base::{ErrorKind, Timestamp, catch};
use crate::callback::{DeliveryAttempt, PendingCallback};
use crate::dag::DagDef;
use crate::journal::{DamagedSchedule, Journal, StoredDeadlines};
use crate::ops::{DueSlots, OpsError, due_slots};
use crate::run::RunInfo;
use crate::schedule::{DeadlineState, MissedSlots, Note, Recurrence, SETTLING, Schedule, Slot, SlotDeadline, Zone};
use crate::task::{Callback, CallbackKind, Notification};

/// How often the deadlines of `@continuous` are looked at: its slots depend on its runs.
const CONTINUOUS: Duration = Duration::from_secs(10);

/// How often it is looked whether somebody has mended what is damaged.
const AGAIN: Duration = Duration::from_secs(60);

/// The deadlines of the DAGs that a service serves.
#[derive(Debug)]
pub(crate) struct Deadlines {
    dags: Vec<Timed>,
    /// Whether the states were read.
    is_read: bool,
    /// When they are read again, because one of them is damaged.
    read_again: Option<Timestamp>,
    /// The keys of the notifications that a callback is called with now, or whose outcome is not
    /// stored yet.
    calling: HashSet<String>,
    /// The outcomes that are to be stored, the first first.
    unstored: VecDeque<Called>,
    sender: UnboundedSender<Called>,
    called: UnboundedReceiver<Called>,
}

#[derive(Debug)]
struct Timed {
    dag: &'static DagDef,
    schedule: Schedule,
    deadline: SlotDeadline,
    zone: Zone,
    callback: Option<Callback>,
    /// What the store has of it.
    stored: Option<StoredDeadlines>,
    /// Why that cannot be read: then nothing is judged.
    damage: Option<String>,
    /// When to judge again.
    wake: Wake,
}

/// The outcome of a call of a callback.
type Called = (&'static str, DeliveryAttempt);

impl Deadlines {
    /// The deadlines of the slots of these DAGs. A DAG whose schedule is not valid has none.
    pub(crate) fn of(dags: &[&'static DagDef]) -> Self {
        let timed = dags.iter().filter_map(|&dag| {
            let deadline = dag.options.deadline?.of_slot()?;
            let schedule = dag.options.schedule(dag.id).ok()??;
            let zone = dag.options.timezone().ok()?;
            let callback = dag.options.callbacks.on_deadline_missed;
            Some(Timed { dag, schedule, deadline, zone, callback, stored: None, damage: None, wake: Wake::Now })
        });
        let (sender, called) = unbounded_channel();
        let (calling, unstored) = (HashSet::new(), VecDeque::new());
        Deadlines { dags: timed.collect(), is_read: false, read_again: None, calling, unstored, sender, called }
    }

    /// When the next one is due.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        let sound = self.dags.iter().filter(|timed| timed.damage.is_none());
        sound.filter_map(|timed| timed.wake.at()).chain(self.read_again).min()
    }

    /// Judges the deadlines that are due, and notes which callbacks have returned.
    pub(crate) async fn turn(
        &mut self,
        journal: &Journal,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        if self.dags.is_empty() {
            return Ok(());
        }
        if !self.is_read || self.read_again.is_some_and(|at| at <= now) {
            self.read(journal, now, events).await?;
        }
        while let Ok(called) = self.called.try_recv() {
            self.unstored.push_back(called);
        }
        while let Some((dag, attempt)) = self.unstored.front().cloned() {
            let key = attempt.key.clone();
            match self.returned(journal, dag, attempt, now).await {
                // The next turn stores it. Until then the callback is not called again.
                Err(error) if error.locked_store().is_some() => return Err(error),
                stored => {
                    self.unstored.pop_front();
                    self.calling.remove(&key);
                    stored?;
                }
            }
        }
        let is_due = |timed: &Timed| timed.damage.is_none() && timed.wake.is_due(now);
        let due: Vec<usize> = (0..self.dags.len()).filter(|&at| is_due(&self.dags[at])).collect();
        for at in due {
            match self.judge(journal, at, now, events).await {
                // Without its schedule it is not known which slots are due. The damage is reported
                // with the schedules and consumers, and holds up no other DAG.
                Err(error) if error.kind() == ErrorKind::Damaged => self.dags[at].wake = Wake::At(now + AGAIN),
                judged => judged?,
            }
        }
        Ok(())
    }

    /// Reads the states. Those that are damaged are reported, and hold up no others.
    async fn read(
        &mut self,
        journal: &Journal,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let mut stored = journal.slot_deadlines().await?;
        for timed in &mut self.dags {
            let dag = timed.dag.id;
            let (stored, damage) = match stored.remove(dag).transpose() {
                Ok(stored) => (stored, None),
                Err(DamagedSchedule { error, .. }) => {
                    (None, Some(OpsError::unreadable_schedule(dag, &error).to_string()))
                }
            };
            if damage != timed.damage {
                events.extend(damage.clone().map(|reason| ServiceEvent::Unserved { dag, reason }));
            }
            (timed.stored, timed.damage, timed.wake) = (stored, damage, Wake::Now);
        }
        self.is_read = true;
        self.read_again = self.dags.iter().any(|timed| timed.damage.is_some()).then(|| now + AGAIN);
        Ok(())
    }

    /// Calls the callbacks that are due, each on a thread of its own.
    pub(super) fn call(&mut self, now: Timestamp) {
        for (dag, mut pending) in self.pending(now) {
            self.calling.insert(pending.notification.key.clone());
            let (key, sender) = (pending.notification.key.clone(), self.sender.clone());
            let thread = std::thread::Builder::new().name("taskflow-notifications".to_owned());
            // The service is gone: the next one calls it again.
            let call = move || drop(sender.send((dag, pending.attempt())));
            if thread.spawn(call).is_err() {
                self.calling.remove(&key);
            }
        }
    }

    /// The notifications that are due and not under way.
    pub(crate) fn pending(&self, now: Timestamp) -> Vec<(&'static str, PendingCallback)> {
        let mut pending = Vec::new();
        for timed in &self.dags {
            let Some((callback, stored)) = timed.callback.zip(timed.stored.as_ref()) else { continue };
            for missed in &stored.state.untold {
                let notification = timed.notification(missed);
                if missed.retry_at.is_none_or(|at| at <= now) && !self.calling.contains(&notification.key) {
                    let call = PendingCallback::new(notification, callback).after(missed.attempts, missed.retry_at);
                    pending.push((timed.dag.id, call));
                }
            }
        }
        pending
    }

    /// Stores that a callback was called.
    pub(crate) async fn returned(
        &mut self,
        journal: &Journal,
        dag: &str,
        attempt: DeliveryAttempt,
        now: Timestamp,
    ) -> Result<(), OpsError> {
        let Some(timed) = self.dags.iter_mut().find(|timed| timed.dag.id == dag) else { return Ok(()) };
        let Some(StoredDeadlines { state, version }) = &timed.stored else { return Ok(()) };
        let mut state = state.clone();
        let is_it = |missed: &MissedSlots| timed.key(missed) == attempt.key;
        match attempt.next {
            Some(next) => state.untold.iter_mut().filter(|missed| is_it(missed)).for_each(|missed| {
                let error = attempt.error.clone();
                (missed.attempts, missed.error, missed.retry_at) = (attempt.attempts, error, Some(next));
            }),
            // It was notified, or is not tried again.
            None => state.untold.retain(|missed| !is_it(missed)),
        }
        if journal.store_slot_deadlines(dag, *version, &state, &[], now).await? {
            timed.stored = Some(StoredDeadlines { state, version: version + 1 });
        } else {
            // Its entry is still there: it is notified again, with the same key.
            self.is_read = false;
        }
        Ok(())
    }

    async fn judge(
        &mut self,
        journal: &Journal,
        at: usize,
        now: Timestamp,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let timed = &mut self.dags[at];
        let dag = timed.dag;
        let (version, before) = match &timed.stored {
            Some(stored) => (stored.version, stored.state.clone()),
            None => (0, DeadlineState::first_seen(now)),
        };
        // As for slots: what is older is of no use to anybody.
        let after = before.judged.max(now - timed.schedule.catchup_window);
        let until = now - SETTLING;
        let (state, missed) = if after < until {
            let due = due_slots(journal, dag, &timed.schedule, (timed.deadline, &timed.zone), (after, until), now);
            let DueSlots { slots, until } = due.await?;
            let state = DeadlineState { judged: after, ..before.clone() };
            state.judge(timed.deadline, &timed.zone, slots, (until, now), timed.callback.is_some())
        } else {
            (before.clone(), Vec::new())
        };
        let wake = timed.next(&state, now);
        // A state without news is stored when there is some: judging it again has the same outcome
        // only until a run is cleared.
        if version == 0 || state != before {
            let notes: Vec<Note> = missed.iter().cloned().map(Note::DeadlineMissed).collect();
            if !journal.store_slot_deadlines(dag.id, version, &state, &notes, now).await? {
                self.is_read = false;
                return Ok(());
            }
            timed.stored = Some(StoredDeadlines { state, version: version + 1 });
            let noted = notes.into_iter().map(|note| ServiceEvent::Noted { dag: dag.id, note });
            events.extend(noted);
        }
        timed.wake = wake;
        Ok(())
    }
}

impl Timed {
    /// When the next deadline can be judged.
    fn next(&self, state: &DeadlineState, now: Timestamp) -> Wake {
        if matches!(self.schedule.recurrence, Recurrence::Continuous) {
            return Wake::At(now + CONTINUOUS);
        }
        let (from, _) = self.deadline.slots_due(state.judged, state.judged);
        // A timetable is code of the user; its panic pauses the DAG.
        let due = catch(AssertUnwindSafe(|| {
            let first = self.schedule.after(from, state.judged);
            let slots = std::iter::successors(first, |slot: &Slot| self.schedule.after(slot.at, state.judged));
            slots.filter_map(|slot| self.deadline.due(slot.at, &self.zone)).find(|due| *due > state.judged)
        }));
        match due {
            // A slot that the schedule has not decided yet is waited for.
            Ok(Some(due)) => Wake::At((due + SETTLING).max(now + SETTLING)),
            Ok(None) | Err(_) => Wake::At(now + AGAIN),
        }
    }

    /// The key of the notification: that of the run that the slot has, or would have.
    fn key(&self, missed: &MissedSlots) -> String {
        format!("{}/deadline_missed", RunInfo::id_of_slot(self.dag.id, missed.last))
    }

    fn notification(&self, missed: &MissedSlots) -> Notification {
        let slot = missed.last;
        let interval = catch(AssertUnwindSafe(|| self.schedule.before(slot, slot)));
        let interval = interval.ok().flatten().filter(|found| found.at == slot).and_then(|found| found.interval);
        let run = RunInfo::scheduled(self.dag.id, slot, interval).in_timezone(self.dag.options.timezone);
        let why = match missed.count {
            1 => missed.reason.clone(),
            count => format!("{count} slots, {} to {slot}, missed their deadlines: {}", missed.first, missed.reason),
        };
        Notification {
            kind: CallbackKind::DeadlineMissed,
            run: Arc::new(run),
            task: None,
            at: missed.noticed,
            started: slot,
            failure: None,
            retry_at: None,
            deadline: Some(missed.deadline),
            why: Some(why),
            key: self.key(missed),
        }
    }
}
