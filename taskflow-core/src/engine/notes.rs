//! What attempts leave beside their values: links, named values for other tasks, and texts that tasks keep for themselves.
//!
//! 1. A task puts a note down under the lock of the notes, which is never held while another one is taken. What is large is
//!    written to its file by the thread of the task.
//! 2. When the attempt is reported, under the lock of the engine, its notes become entries before the one of its end, and its
//!    values can be pulled. Notes of an attempt that is not the running one are dropped.
//! 3. Links are taken earlier, as soon as they are there, because somebody may look at the task while it runs.
//! 4. When another attempt of the task starts, what the one before has left is forgotten; an attempt that goes on after a wait
//!    keeps it.
//! 5. A text that a task keeps is taken at once, too, and the task waits until it is stored: it is about to do something that
//!    must not be forgotten. It is never forgotten in the run, and no other task sees it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::run::Run;
use crate::base::{Timestamp, drop_quietly};
use crate::run::{Entry, RestoredNote, Stored, ValueRef};
use crate::task::Pushed;

/// The notes of a run.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether there has been any: most runs have none, and pay for this look alone.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those of attempts under way.
    new: Vec<Note>,
    /// What can be pulled, by the ids of tasks.
    xcoms: HashMap<String, BTreeMap<String, Pushed>>,
    /// What tasks have kept for themselves, by their ids and keys.
    own: HashMap<(String, String), String>,
}

/// Something that an attempt has left.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) task: u32,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Link { name: String, url: String },
    Value { key: String, value: Pushed, stored: Option<Stored> },
    TaskState { key: String, text: String },
}

impl Notes {
    pub(crate) fn add(&self, note: Note) {
        self.lock().new.push(note);
        self.any.store(true, Ordering::Release);
    }

    /// What an earlier part of the run has left.
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

    /// What the task with this id has pushed under a key.
    ///
    /// # Errors
    ///
    /// The keys that there are.
    pub(crate) fn get(&self, task: &str, key: &str) -> Result<Pushed, Vec<String>> {
        let state = self.lock();
        let Some(kept) = state.xcoms.get(task) else { return Err(Vec::new()) };
        kept.get(key).cloned().ok_or_else(|| kept.keys().cloned().collect())
    }

    /// What a task keeps for itself from now on.
    pub(crate) fn keep(&self, id: &str, note: Note) {
        if let What::TaskState { key, text } = &note.what {
            self.lock().own.insert((id.to_owned(), key.clone()), text.clone());
        }
        self.add(note);
    }

    /// What a task has kept for itself under a key.
    pub(crate) fn own(&self, id: &str, key: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        self.lock().own.get(&(id.to_owned(), key.to_owned())).cloned()
    }

    /// All that can be pulled from tasks of which `is_wanted` says so: task, key, value.
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
    /// Takes what an attempt has left that is about to be reported.
    pub(super) fn take_notes(&mut self, task: u32, attempt: u32) {
        if self.shared.notes.is_empty() {
            return;
        }
        let mut state = self.shared.notes.lock();
        let of_it = |note: &mut Note| note.task == task && note.attempt <= attempt;
        let mut notes: Vec<Note> = state.new.extract_if(.., of_it).collect();
        drop(state);
        notes.retain(|note| note.attempt == attempt);
        self.keep(notes);
    }

    /// Takes the links of attempts under way, and what they keep for themselves.
    pub(super) fn take_early(&mut self) {
        if self.shared.notes.is_empty() {
            return;
        }
        let is_early = |note: &mut Note| !matches!(note.what, What::Value { .. });
        let mut notes: Vec<Note> = self.shared.notes.lock().new.extract_if(.., is_early).collect();
        notes.retain(|note| self.machine.is_running(note.task, note.attempt));
        self.keep(notes);
    }

    fn keep(&mut self, notes: Vec<Note>) {
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
            };
            if let Some(recorder) = self.shared.recorder.as_ref().filter(|_| !self.held.given_up) {
                let urgent = matches!(entry, Entry::TaskStateSet { .. });
                self.held.recorded = recorder.record(&mut vec![(at, entry)], stored, urgent);
            }
        }
    }

    /// Takes what a task keeps for itself, and tells it when that is stored. If it never will be, the sender is dropped.
    pub(super) fn store_task_state(&mut self, stored: oneshot::Sender<()>) {
        self.take_early();
        if self.shared.recorder.is_none() {
            // Whoever asked may have gone meanwhile.
            let _ = stored.send(());
        } else if !self.held.given_up {
            self.held.task_states.push_back((self.held.recorded, stored));
        }
    }

    /// An attempt starts: what the one before has left is forgotten.
    pub(super) fn forget_notes(&self, task: u32) {
        if !self.shared.notes.is_empty() {
            self.shared.notes.lock().xcoms.remove(&*self.machine.layout().id(task));
        }
    }
}
