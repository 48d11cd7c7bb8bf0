//! Invariants of a run whose processes die or cannot write, between processes and at its end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex};

use taskflow::engine::RunState;

use super::{Effect, Look, Place, is_of_taskflow};
use crate::common::locked;

/// A run that is interrupted, and what is known of it.
pub struct Story {
    pub place: Place,
    /// The outcome of an undisturbed run.
    expected: String,
    /// The history after the death of the last process.
    before: Option<Look>,
    /// How many effects there were then.
    effects: usize,
    pub crashes: usize,
}

impl Story {
    /// Nothing has happened yet.
    pub fn new(seed: u64, repeat: &str) -> Self {
        let place = Place::new(seed, repeat);
        Story { place, expected: expected(seed, repeat), before: None, effects: 0, crashes: 0 }
    }

    /// Checks the state left by a process that died or finished against the state before it.
    pub fn check(&mut self, has_died: bool) {
        let look = self.place.look();
        let effects = self.place.effects();
        let new = &effects[self.effects..];
        match (&self.before, &look) {
            (Some(_), None) => panic!("the run is gone"),
            (Some(before), Some(after)) => check_kept(before, after, new),
            (None, _) => {}
        }
        if let Some(after) = &look {
            check_effects(after, new, has_died, self.before.as_ref().map_or(0, |before| before.workers.len()));
        } else {
            assert!(new.iter().all(|effect| !effect.is_start), "a task ran in a run that is not stored");
        }
        if self.before.as_ref().map(|before| &before.run_id) != look.as_ref().map(|after| &after.run_id) {
            assert!(self.before.is_none(), "there is another run");
        }
        self.crashes += usize::from(has_died);
        (self.before, self.effects) = (look, effects.len());
    }

    /// Runs it to its end and compares that with the undisturbed run.
    pub fn finish(mut self) {
        let ended = self.place.run("");
        assert!(ended.has_not_panicked().status.success(), "{ended:?}");
        self.check(false);
        let look = self.before.as_ref().expect("the run is stored");
        assert_eq!(look.outcome(), self.expected);
        for (id, task) in &look.tasks {
            let lost = task.attempts.iter().filter(|attempt| attempt.end == "lost").count();
            assert!(lost <= self.crashes, "{id} lost {lost} attempts in {} crashes", self.crashes);
        }
        let told = ended.told();
        for (id, task) in &look.tasks {
            assert_eq!(told["history"]["tasks"][id]["state"], task.state.name());
            assert_eq!(told["history"]["tasks"][id]["value"], serde_json::json!(task.value));
        }
        // The report of the last process, if it had anything to do, matches the history.
        if !told["report"].is_null() {
            assert_eq!(told["report"]["state"], told["history"]["state"]);
            for (id, of_history) in told["history"]["tasks"].as_object().expect("tasks") {
                let of_report = &told["report"]["tasks"][id];
                assert_eq!(of_report["state"], of_history["state"], "{id}");
                assert_eq!(of_report["attempts"], of_history["attempts"], "{id}");
            }
        }
        let keys: BTreeMap<String, BTreeSet<String>> =
            self.place.effects().into_iter().filter_map(|effect| Some((effect.task, effect.key?))).fold(
                BTreeMap::new(),
                |mut keys, (task, key)| {
                    keys.entry(task).or_default().insert(key);
                    keys
                },
            );
        for (task, keys) in keys {
            assert_eq!(Vec::from_iter(keys), [format!("{}/{task}", look.run_id)]);
        }
    }
}

/// The outcome of an undisturbed run of this seed.
fn expected(seed: u64, repeat: &str) -> String {
    static KNOWN: LazyLock<Mutex<HashMap<u64, String>>> = LazyLock::new(Mutex::default);
    if let Some(known) = locked(&KNOWN).get(&seed) {
        return known.clone();
    }
    let place = Place::new(seed, repeat);
    let ended = place.run("");
    assert!(ended.has_not_panicked().status.success(), "{ended:?}");
    let look = place.look().expect("the run is stored");
    assert!(look.state == RunState::Success || look.state == RunState::Failed, "{look:?}");
    locked(&KNOWN).insert(seed, look.outcome());
    look.outcome()
}

/// What was stored before is there, what had ended has not run again, and what was running is lost.
fn check_kept(before: &Look, after: &Look, new: &[Effect]) {
    assert_eq!(before.workers, after.workers[..before.workers.len()]);
    let taken_up = after.workers.len() > before.workers.len();
    for (id, was) in &before.tasks {
        let is = &after.tasks[id];
        if was.state.is_terminal() {
            assert_eq!((was.state, was.value), (is.state, is.value), "{id} had ended");
            assert_eq!(was.attempts, is.attempts, "{id} had ended");
            assert_eq!(was.reason, is.reason, "{id} had ended");
            assert!(!new.iter().any(|effect| effect.task == *id), "{id} had ended, and ran again");
        }
        for (was, is) in was.attempts.iter().zip(&is.attempts) {
            if was.end == "running" && taken_up {
                assert_eq!(is.end, "lost", "{id}");
                assert_eq!(is.lost_by.as_ref(), before.workers.last(), "{id}");
                assert_eq!((was.number, was.session), (is.number, is.session), "{id}");
            } else if was.end == "deferred" || was.end == "up_for_reschedule" {
                assert_eq!(was.number, is.number, "{id} goes on with its attempt");
            } else {
                assert_eq!(was, is, "{id}");
            }
        }
        assert!(was.attempts.len() <= is.attempts.len(), "{id} has lost an attempt");
    }
}

/// What the tasks did fits to what is stored of it.
fn check_effects(after: &Look, new: &[Effect], has_died: bool, sessions: usize) {
    if new.iter().any(|effect| effect.is_start) {
        assert_eq!(after.workers.len(), sessions + 1, "a process ran tasks without having reported who it is");
    }
    // Tasks that wait, `w0` and so on, have no effects.
    for (id, task) in after.tasks.iter().filter(|(id, _)| !is_of_taskflow(id) && !id.starts_with('w')) {
        let of_task = || new.iter().filter(|effect| effect.task == *id);
        let starts = of_task().filter(|effect| effect.is_start).count();
        let ended = |end: &str| end != "lost" && end != "running";
        let stored: Vec<_> =
            task.attempts.iter().filter(|attempt| attempt.session == sessions && ended(&attempt.end)).collect();
        // The one in flight when the process died.
        let allowed = stored.len() + usize::from(has_died);
        assert!(starts <= allowed, "{id} was started {starts} times and ended {} times", stored.len());
        assert!(starts >= stored.len(), "{id} ended more often than it was started");
        for attempt in stored {
            let is_it = |effect: &Effect| effect.is_start && effect.attempt.is_none_or(|it| it == attempt.number);
            assert!(of_task().any(is_it), "attempt {} of {id} is stored and never began", attempt.number);
        }
        let numbers: Vec<u32> = task.attempts.iter().map(|attempt| attempt.number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "the attempts of {id} are {numbers:?}");
    }
    // What a task has seen was stored before.
    for effect in new {
        for (task, number) in &effect.inputs {
            assert_eq!(
                after.tasks[task].value,
                Some(*number),
                "{} has seen a value of {task} that is lost",
                effect.task
            );
        }
    }
}
