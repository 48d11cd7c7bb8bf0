//! Notes: what attempts leave besides their values, that is links, XComs, task state and events.
//!
//! 1. A task adds a note under the lock of the notes. No other lock is taken while it is held. The
//!    thread of the task writes large values to their files.
//! 2. When the attempt is reported, under the lock of the engine, its notes become entries before
//!    the entry of its end, and its XComs can be pulled. Notes of an attempt that is not the
//!    running one are dropped. Events are [recorded](super::emissions) with the success.
//! 3. Links are recorded at once, because they are useful while the task runs.
//! 4. When the next attempt of the task starts, the XComs of the previous one are removed. An
//!    attempt that continues after a wait keeps them.
//! 5. Task state is recorded at once as well, and the task waits until it is stored: it is about to
//!    act on it. Task state is never removed in the run, and other tasks do not see it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::run::Run;
use crate::base::{Timestamp, drop_quietly};
use crate::run::{Emission, Entry, RestoredNote, Stored, TaskIndex, ValueRef};
use crate::task::Pushed;

/// The notes of a run.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether there has been any: a run without notes checks only this.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Notes of running attempts.
    new: Vec<Note>,
    /// XComs that can be pulled, by task id.
    xcoms: HashMap<String, BTreeMap<String, Pushed>>,
    /// Task state, by task id and key.
    own: HashMap<(String, String), String>,
}

/// A note of an attempt.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) task: TaskIndex,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Link { name: String, url: String },
    Value { key: String, value: Pushed, stored: Option<Stored> },
    TaskState { key: String, text: String },
    Event(Box<Emission>),
}

impl Notes {
    pub(crate) fn add(&self, note: Note) {
        self.lock().new.push(note);
        self.any.store(true, Ordering::Release);
    }

    /// Restores the notes of earlier processes of the run.
    pub(crate) fn restore(&self, notes: Vec<RestoredNote>, task_state: Vec<(String, String, String)>) {
        if notes.is_empty() && task_state.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.own.extend(task_state.into_iter().map(|(task, key, text)| ((task, key), text)));
        for RestoredNote { task, key, ty, bytes } in notes {
            state.xcoms.entry(task).or_default().insert(key, Pushed::Stored(ty, bytes));
        }
        self.any.store(true, Ordering::Release);
    }

    /// The XCom of a task under a key.
    ///
    /// # Errors
    ///
    /// The keys that exist.
    pub(crate) fn get(&self, task: &str, key: &str) -> Result<Pushed, Vec<String>> {
        let state = self.lock();
        let Some(kept) = state.xcoms.get(task) else { return Err(Vec::new()) };
        kept.get(key).cloned().ok_or_else(|| kept.keys().cloned().collect())
    }

    /// Sets task state.
    pub(crate) fn keep(&self, id: &str, note: Note) {
        if let What::TaskState { key, text } = &note.what {
            self.lock().own.insert((id.to_owned(), key.clone()), text.clone());
        }
        self.add(note);
    }

    /// Task state under a key.
    pub(crate) fn own(&self, id: &str, key: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        self.lock().own.get(&(id.to_owned(), key.to_owned())).cloned()
    }

    /// All XComs of the tasks that `is_wanted` selects: task, key, value.
    pub(crate) fn all(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String, Pushed)> {
        let state = self.lock();
        let wanted = state.xcoms.iter().filter(|(task, _)| is_wanted(task));
        let values = wanted.flat_map(|(task, kept)| kept.iter().map(move |(key, value)| (task, key, value)));
        values.map(|(task, key, value)| (task.clone(), key.clone(), value.clone())).collect()
    }

    /// The run is over. Not under the lock of the engine, because values are dropped.
    pub(super) fn clear(&self) {
        if !self.is_empty() {
            let all = std::mem::take(&mut *self.lock());
            drop_quietly(all);
        }
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Records the notes of an attempt that is about to be reported. Returns its events, which are
    /// recorded with its success.
    pub(super) fn take_notes(&mut self, task: TaskIndex, attempt: u32) -> Vec<Emission> {
        if self.shared.notes.is_empty() {
            return Vec::new();
        }
        let mut state = self.shared.notes.lock();
        let of_it = |note: &mut Note| note.task == task && note.attempt <= attempt;
        let mut notes: Vec<Note> = state.new.extract_if(.., of_it).collect();
        drop(state);
        notes.retain(|note| note.attempt == attempt);
        self.keep(notes)
    }

    /// Records the links and the task state of running attempts.
    pub(super) fn take_early(&mut self) {
        if self.shared.notes.is_empty() {
            return;
        }
        let is_early = |note: &mut Note| !matches!(note.what, What::Value { .. } | What::Event(_));
        let mut notes: Vec<Note> = self.shared.notes.lock().new.extract_if(.., is_early).collect();
        notes.retain(|note| self.machine.is_running(note.task, note.attempt));
        // There are no events among them.
        drop(self.keep(notes));
    }

    /// Records notes, except for events, which it returns.
    fn keep(&mut self, notes: Vec<Note>) -> Vec<Emission> {
        let mut emissions = Vec::new();
        for Note { task, attempt, at, what } in notes {
            let (entry, stored) = match what {
                What::Link { name, url } => (Entry::Linked { task, attempt, name, url }, None),
                What::TaskState { key, text } => (Entry::TaskStateSet { task, key, text }, None),
                What::Value { key, value, stored } => {
                    let ty = value.ty();
                    let id = self.machine.layout().id(task).into_owned();
                    self.shared.notes.lock().xcoms.entry(id).or_default().insert(key.clone(), value);
                    (Entry::Pushed { task, attempt, key, ty, value: ValueRef::Nowhere }, stored)
                }
                What::Event(emission) => {
                    emissions.push(*emission);
                    continue;
                }
            };
            if let Some(recorder) = self.shared.recorder.as_ref().filter(|_| !self.held.given_up) {
                let urgent = matches!(entry, Entry::TaskStateSet { .. });
                self.held.recorded = recorder.record(&mut vec![(at, entry)], stored.into(), urgent);
                if urgent {
                    recorder.hurry();
                }
            }
        }
        emissions
    }

    /// Records task state and notifies the task when it is stored. If it cannot be stored, the
    /// sender is dropped.
    pub(super) fn store_task_state(&mut self, stored: oneshot::Sender<()>) {
        self.take_early();
        if self.held.given_up {
            return;
        }
        // Another task may have recorded the state with its own notes, and it is stored already: no
        // later entry might come.
        if self.shared.recorder.is_none() || self.held.recorded <= self.held.stored {
            // The attempt may be over.
            let _ = stored.send(());
        } else {
            self.held.task_states.push_back((self.held.recorded, stored));
        }
    }

    /// An attempt starts: removes the XComs of the previous one.
    pub(super) fn forget_notes(&self, task: TaskIndex) {
        if !self.shared.notes.is_empty() {
            self.shared.notes.lock().xcoms.remove(&*self.machine.layout().id(task));
        }
    }
}
