//! What an attempt can reach of the run it is in: made by whoever runs it.
//!
//! The context of an attempt has it behind a trait, because the rooms that know runs and journals come after this one. A
//! context outside of any run has a [`DetachedHost`] in its place.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use tempfile::TempDir;

use super::BoxFuture;
use super::on_kill::OnKill;
use super::xcom::XComError;
use crate::base::Failure;
use crate::value::{AnyValue, TypeInfo};

/// The run around an attempt.
pub(crate) trait AttemptHost: Any + Send + Sync + fmt::Debug {
    /// Keeps a link of the attempt.
    fn link(&self, name: &str, url: &str);

    /// Keeps a named value of the attempt.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    fn push(&self, key: &str, value: Pushed) -> Result<(), Failure>;

    /// The value that a task has pushed under a key.
    ///
    /// # Errors
    ///
    /// When there is no such task upstream, or no such key.
    fn pull(&self, task: &str, key: &str) -> Result<Pushed, XComError>;

    /// The value of a parameter of the run.
    ///
    /// # Errors
    ///
    /// The parameters that there are, if this is none.
    fn param(&self, name: &str) -> Result<Pushed, Vec<String>>;

    /// Keeps a text for later calls and attempts of the same task instance, also in a later process; the future ends when
    /// it is stored.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    fn set_state(&self, key: &str, text: String) -> BoxFuture<Result<(), Failure>>;

    /// The last text that the task has kept under a key.
    fn get_state(&self, key: &str) -> Option<String>;

    /// The directory for files of the run. One that is stored with it need not be there yet.
    ///
    /// # Errors
    ///
    /// When a temporary one cannot be made.
    fn artifact_path(&self) -> io::Result<PathBuf>;

    /// Which attempt it is among those that count against the retries; 0 where that is not known.
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only jobs on a cluster outlive an attempt"))]
    fn counted(&self) -> u32;

    /// Says what is to be done outside when the run ends early while the task waits; nothing any more without it.
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only jobs on a cluster outlive an attempt"))]
    fn at_early_end(&self, _key: &str, _end: Option<OnKill>) {}

    /// All that could be pulled, and the parameters (as if a task named [`PARAMS`] had pushed them), in their stored form: for an
    /// attempt in another process.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no isolated tasks elsewhere"))]
    fn pullable_xcoms(&self) -> Vec<(String, String, String, Vec<u8>)> {
        Vec::new()
    }
}

/// Who has the parameters of the run where only tasks have values. No task can have this id.
pub(crate) const PARAMS: &str = "(params)";

/// A named value of a task.
#[derive(Clone)]
pub(crate) enum Pushed {
    /// As it was pushed in this process.
    Live(TypeInfo, AnyValue),
    /// As it is stored: the short name of its type, and its bytes.
    Stored(String, Arc<[u8]>),
}

impl Pushed {
    /// The name of its type, without modules.
    pub(crate) fn ty(&self) -> String {
        match self {
            Pushed::Live(ty, _) => ty.short(),
            Pushed::Stored(ty, _) => ty.clone(),
        }
    }

    /// The value, if it is of this type.
    ///
    /// # Errors
    ///
    /// What it is instead.
    pub(crate) fn read(self, wanted: TypeInfo) -> Result<AnyValue, Unfit> {
        match self {
            Pushed::Live(ty, value) if ty.path() == wanted.path() => Ok(value),
            Pushed::Stored(ty, bytes) if ty == wanted.short() => wanted.decode(&bytes).map_err(Unfit::Damaged),
            other => Err(Unfit::Type(other.ty())),
        }
    }

    /// Its stored form.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        match self {
            Pushed::Live(ty, value) => ty.encode(value),
            Pushed::Stored(_, bytes) => Ok(bytes.to_vec()),
        }
    }
}

/// Why a value cannot be read as what is wanted.
pub(crate) enum Unfit {
    /// It is of this type.
    Type(String),
    /// Its bytes are not what they should be.
    Damaged(String),
}

impl fmt::Debug for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pushed({})", self.ty())
    }
}

/// A temporary directory, made when somebody asks for it, that goes away with this, or before.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Mutex<Option<TempDir>>);

impl Scratch {
    pub(crate) fn path(&self) -> io::Result<PathBuf> {
        let mut dir = self.lock();
        let dir = match &mut *dir {
            Some(dir) => dir,
            none => none.insert(tempfile::Builder::new().prefix("taskflow-").tempdir()?),
        };
        Ok(dir.path().to_path_buf())
    }

    /// Removes it: nobody asks any more. What cannot be removed stays.
    pub(crate) fn clear(&self) {
        let dir = self.lock().take();
        drop(dir);
    }

    fn lock(&self) -> MutexGuard<'_, Option<TempDir>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands in for a run where there is none: for unit tests of tasks.
#[derive(Debug, Default)]
pub(crate) struct DetachedHost {
    values: Mutex<BTreeMap<(String, String), Pushed>>,
    task_state: Mutex<BTreeMap<String, String>>,
    scratch: Scratch,
    /// Whose context it is.
    task: String,
}

impl DetachedHost {
    pub(crate) fn new(task: &str) -> Self {
        DetachedHost { task: task.to_owned(), ..DetachedHost::default() }
    }

    /// Says what a task has pushed.
    pub(crate) fn put(&self, task: &str, key: &str, value: Pushed) {
        self.lock().insert((task.to_owned(), key.to_owned()), value);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Pushed>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AttemptHost for DetachedHost {
    fn link(&self, _: &str, _: &str) {}

    fn push(&self, key: &str, value: Pushed) -> Result<(), Failure> {
        self.put(&self.task, key, value);
        Ok(())
    }

    fn pull(&self, task: &str, key: &str) -> Result<Pushed, XComError> {
        let values = self.lock();
        let found = values.get(&(task.to_owned(), key.to_owned()));
        let known = || values.keys().filter(|(of, _)| of == task).map(|(_, key)| key.clone()).collect();
        found.cloned().ok_or_else(|| XComError::NoKey { task: task.to_owned(), key: key.to_owned(), known: known() })
    }

    fn param(&self, name: &str) -> Result<Pushed, Vec<String>> {
        let values = self.lock();
        let found = values.get(&(PARAMS.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| values.keys().filter(|(of, _)| of == PARAMS).map(|(_, name)| name.clone()).collect())
    }

    fn set_state(&self, key: &str, text: String) -> BoxFuture<Result<(), Failure>> {
        self.task_state.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), text);
        Box::pin(std::future::ready(Ok(())))
    }

    fn get_state(&self, key: &str) -> Option<String> {
        self.task_state.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn artifact_path(&self) -> io::Result<PathBuf> {
        self.scratch.path()
    }

    fn counted(&self) -> u32 {
        1
    }
}
