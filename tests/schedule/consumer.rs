//! A consumer in virtual time, for tests of [`consume`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use taskflow::Timestamp;
use taskflow::schedule::{
    Catchup, Consumer, ConsumerDecision, ConsumerState, EventGroup, EventGroups, EventRun, EventSituation, EventWaits,
    FailedRun, Note, Pause, PendingEvent, SlotFate, Unpause, consume, unpause_consumer,
};

use crate::support::utc;

/// Steps a consumer when events are emitted, at its wake-ups and at the ends of its runs.
pub(crate) struct Consuming {
    pub(crate) consumer: Consumer,
    pub(crate) state: Option<ConsumerState>,
    pub(crate) now: Timestamp,
    /// How long a run takes.
    pub(crate) takes: Duration,
    /// When each active run ends.
    pub(crate) active: Vec<Timestamp>,
    /// All events by asset, in the order of their numbers.
    pub(crate) events: BTreeMap<String, Vec<PendingEvent>>,
    pub(crate) last_event: i64,
    pub(crate) groups: BTreeMap<String, EventGroups>,
    /// The last event of each active run, and when the run ends.
    pub(crate) running: Vec<(i64, Timestamp)>,
    /// The runs that have failed, the latest first.
    pub(crate) failures: Vec<FailedRun>,
    pub(crate) runs: Vec<(EventRun, Timestamp)>,
    pub(crate) records: Vec<(SlotFate, u64, String)>,
    pub(crate) notes: Vec<Note>,
    pub(crate) waits: Option<EventWaits>,
    pub(crate) most_active: usize,
}

impl Consuming {
    /// The consumer is seen at `now`.
    pub(crate) fn new(consumer: Consumer, now: &str) -> Self {
        assert_eq!(consumer.mistake(), None);
        let mut consuming = Consuming {
            consumer,
            state: None,
            now: utc(now),
            takes: Duration::from_millis(1),
            active: Vec::new(),
            events: BTreeMap::new(),
            last_event: 0,
            groups: BTreeMap::new(),
            running: Vec::new(),
            failures: Vec::new(),
            runs: Vec::new(),
            records: Vec::new(),
            notes: Vec::new(),
            waits: None,
            most_active: 0,
        };
        consuming.step();
        consuming
    }

    /// Emits an event of an asset now, and steps.
    pub(crate) fn emit(&mut self, asset: &str) -> &mut Self {
        self.store(asset);
        self.until(self.now)
    }

    /// Emits an event while no service looks.
    pub(crate) fn store(&mut self, asset: &str) -> &mut Self {
        self.last_event += 1;
        let event = PendingEvent { number: self.last_event, at: self.now };
        self.events.entry(asset.to_owned()).or_default().push(event);
        self
    }

    /// Emits an event of a key, or of a part of a period, now, and steps.
    pub(crate) fn emit_of(&mut self, asset: &str, key: &str, part: Option<&str>) -> &mut Self {
        self.store_of(asset, key, part);
        self.until(self.now)
    }

    pub(crate) fn store_of(&mut self, asset: &str, key: &str, part: Option<&str>) -> &mut Self {
        self.store(asset);
        let group = EventGroup { key: key.to_owned(), part: part.map(str::to_owned) };
        self.groups.entry(asset.to_owned()).or_default().events.insert(self.last_event, group);
        self
    }

    /// Runs the service until a time. The first step is now.
    pub(crate) fn until(&mut self, end: Timestamp) -> &mut Self {
        loop {
            let wake = self.step();
            let ends = self.active.iter().copied().filter(|&at| at > self.now).min();
            match wake.into_iter().chain(ends).min().filter(|&next| next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
        }
        self.now = self.now.max(end);
        self
    }

    pub(crate) fn until_utc(&mut self, end: &str) -> &mut Self {
        self.until(utc(end))
    }

    pub(crate) fn pass(&mut self, seconds: u64) -> &mut Self {
        self.until(self.now + Duration::from_secs(seconds))
    }

    pub(crate) fn pause(&mut self, until: Option<Timestamp>) -> &mut Self {
        let pause = Pause { by: "mina".to_owned(), reason: String::new(), since: self.now, until };
        self.state.as_mut().expect("a state").pause = Some(pause);
        self
    }

    pub(crate) fn unpause(&mut self, which: Unpause) -> &mut Self {
        let situation = EventSituation {
            now: self.now,
            active: 0,
            unsuccessful: None,
            last_event: self.last_event,
            pending: &self.events,
            groups: &self.groups,
            running: &BTreeSet::new(),
            slots_with_runs: &BTreeSet::new(),
            failures: Vec::new(),
        };
        let state = self.state.as_ref().expect("a state");
        let (state, records) = unpause_consumer(&self.consumer, state, &situation, which, Catchup::None);
        self.state = Some(state);
        self.records.extend(records.into_iter().map(|record| (record.fate, record.count, record.reason)));
        self
    }

    /// Returns when to step again, if not at once.
    fn step(&mut self) -> Option<Timestamp> {
        self.active.retain(|&end| end > self.now);
        self.running.retain(|&(_, end)| end > self.now);
        let running = self.running.iter().map(|&(last, _)| last).collect();
        let situation = EventSituation {
            now: self.now,
            active: self.active.len() as u32,
            unsuccessful: None,
            last_event: self.last_event,
            pending: &self.events,
            groups: &self.groups,
            running: &running,
            slots_with_runs: &BTreeSet::new(),
            failures: self.failures.clone(),
        };
        let step = consume(&self.consumer, self.state.as_ref(), &situation);
        if let Some(before) = &self.state {
            for (asset, cursor) in &before.cursors {
                assert!(step.state.cursor(asset).is_some_and(|after| after >= *cursor), "a cursor never goes back");
            }
        }
        // A state that need not be stored is lost by a crash.
        if step.is_to_be_stored(self.state.as_ref()) {
            let stored = serde_json::to_string(&step.state).expect("a state is JSON");
            self.state = Some(serde_json::from_str(&stored).expect("a state is read again"));
        }
        let decided = !step.decisions.is_empty();
        for decision in step.decisions {
            match decision {
                ConsumerDecision::Start(run) => {
                    self.running.extend(run.last_event().map(|last| (last, self.now + self.takes)));
                    self.runs.push((run, self.now));
                    self.active.push(self.now + self.takes);
                }
                ConsumerDecision::Record(record) => self.records.push((record.fate, record.count, record.reason)),
                ConsumerDecision::CancelActive => self.active.clear(),
                ConsumerDecision::Note(note) => self.notes.push(note),
                _ => unreachable!("a decision that the test does not know"),
            }
        }
        self.most_active = self.most_active.max(self.active.len());
        self.waits = step.waits;
        // A second step at the same time decides nothing more.
        let wake = step.wake.filter(|&wake| wake > self.now || decided);
        wake.map(|wake| wake.max(self.now + Duration::from_nanos(u64::from(wake <= self.now))))
    }

    /// What each run took, by input.
    pub(crate) fn taken(&self) -> Vec<Vec<Vec<i64>>> {
        self.runs.iter().map(|(run, _)| run.taken.clone()).collect()
    }

    /// What each run took from its only input.
    pub(crate) fn taken_of_one(&self) -> Vec<Vec<i64>> {
        self.runs.iter().map(|(run, _)| run.taken[0].clone()).collect()
    }

    /// How many events or slots were recorded with this fate.
    pub(crate) fn count(&self, fate: SlotFate) -> u64 {
        self.records.iter().filter(|(found, ..)| *found == fate).map(|(_, count, _)| count).sum()
    }
}
