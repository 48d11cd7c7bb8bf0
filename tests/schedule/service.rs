//! A service in virtual time, for tests of [`step`].

use std::time::Duration;

use taskflow::Timestamp;
use taskflow::schedule::{
    Backlog, Decision, FailedRun, Note, Schedule, ScheduleState, Situation, SlotFate, Waits, step,
};

use crate::support::utc;

/// Steps a schedule at its wake-ups and at the ends of its runs.
pub(crate) struct Service {
    pub(crate) schedule: Schedule,
    pub(crate) state: Option<ScheduleState>,
    pub(crate) now: Timestamp,
    /// How long a run takes.
    pub(crate) takes: Duration,
    /// When each active run ends.
    pub(crate) active: Vec<Timestamp>,
    /// The id of a run that failed, for `after_previous`.
    pub(crate) unsuccessful: Option<String>,
    /// The slots whose runs fail.
    pub(crate) fails: fn(Timestamp) -> bool,
    /// The slots that became runs, and when they started.
    pub(crate) runs: Vec<(Timestamp, Timestamp)>,
    /// How late each of them started, as the step says.
    pub(crate) late: Vec<Duration>,
    pub(crate) records: Vec<(SlotFate, u64, String)>,
    pub(crate) notes: Vec<Note>,
    pub(crate) waits: Option<Waits>,
    pub(crate) most_active: usize,
}

impl Service {
    pub(crate) fn new(schedule: Schedule, now: &str) -> Self {
        Service {
            schedule,
            state: None,
            now: utc(now),
            takes: Duration::from_millis(1),
            active: Vec::new(),
            unsuccessful: None,
            fails: |_| false,
            runs: Vec::new(),
            late: Vec::new(),
            records: Vec::new(),
            notes: Vec::new(),
            waits: None,
            most_active: 0,
        }
    }

    /// Runs the service until a time. The first step is now.
    pub(crate) fn until(&mut self, end: &str) -> &mut Self {
        let end = utc(end);
        loop {
            let wake = self.step();
            let ends = self.active.iter().copied().filter(|&at| at > self.now).min();
            match wake.into_iter().chain(ends).min().filter(|&next| next < end) {
                Some(next) => self.now = next,
                None => break,
            }
        }
        self.now = end;
        self
    }

    /// No service runs until a time.
    pub(crate) fn down_until(&mut self, end: &str) -> &mut Self {
        self.now = utc(end);
        self
    }

    fn step(&mut self) -> Option<Timestamp> {
        self.active.retain(|&end| end > self.now);
        let failed =
            |&&(slot, started): &&(Timestamp, Timestamp)| started + self.takes <= self.now && (self.fails)(slot);
        let ended = |&&(_, started): &&(Timestamp, Timestamp)| started + self.takes <= self.now;
        let failures = self.runs.iter().rev().filter(ended).take_while(failed);
        let failures =
            failures.map(|(slot, _)| FailedRun { slot: *slot, run_id: format!("scheduled__{slot}__etl") }).collect();
        let situation = Situation {
            now: self.now,
            active: self.active.len() as u32,
            unsuccessful: self.unsuccessful.clone(),
            failures,
        };
        let step = step(&self.schedule, self.state.as_ref(), &situation);
        if let Some(state) = &self.state {
            assert!(step.state.noticed >= state.noticed, "the cursor does not go back");
        }
        // A state that need not be stored is lost by a crash.
        if step.is_to_be_stored(self.state.as_ref()) {
            let stored = serde_json::to_string(&step.state).expect("a state is JSON");
            self.state = Some(serde_json::from_str(&stored).expect("a state is read again"));
        }
        for decision in step.decisions {
            match decision {
                Decision::Start { slot, late } => {
                    assert_eq!(late, self.now.since(slot.at + self.schedule.offset), "how late it is");
                    self.runs.push((slot.at, self.now));
                    self.late.push(late);
                    self.active.push(self.now + self.takes);
                }
                Decision::Record(record) => self.records.push((record.fate, record.count, record.reason)),
                Decision::CancelActive => {
                    self.active.clear();
                    return Some(self.now);
                }
                Decision::Note(note) => self.notes.push(note),
            }
        }
        self.most_active = self.most_active.max(self.active.len());
        self.waits = step.waits;
        step.wake
    }

    /// The slots that became runs.
    pub(crate) fn slots(&self) -> Vec<String> {
        self.runs.iter().map(|(slot, _)| slot.to_string()).collect()
    }

    /// The slots that wait, if it falls behind.
    pub(crate) fn backlog(&self) -> Option<Backlog> {
        self.state.as_ref().expect("it has begun").backlog(&self.schedule)
    }

    /// How many slots were recorded with this fate.
    pub(crate) fn count(&self, fate: SlotFate) -> u64 {
        self.records.iter().filter(|(found, ..)| *found == fate).map(|(_, count, _)| count).sum()
    }
}
