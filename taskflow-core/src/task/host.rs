//! An attempt's access to its run, implemented by whatever runs the attempt.
//!
//! It is a trait, because runs and journals belong to later layers. A context outside of any run
//! has a [`DetachedHost`].

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use tempfile::TempDir;

use super::BoxFuture;
use super::emit::EmitRequest;
use super::on_kill::OnKill;
use super::xcom::XComError;
use crate::base::Failure;
use crate::value::{AnyValue, TypeInfo};

/// The run of an attempt.
pub(crate) trait AttemptHost: Any + Send + Sync + fmt::Debug {
    /// Stores a link of the attempt.
    fn link(&self, name: &str, url: &str);

    /// Stores a named value of the attempt.
    ///
    /// # Errors
    ///
    /// If it cannot be stored.
    fn push(&self, key: &str, value: Pushed) -> Result<(), Failure>;

    /// Emits an event of an asset, if the attempt succeeds.
    ///
    /// # Errors
    ///
    /// If its payload cannot be stored.
    fn emit(&self, request: EmitRequest) -> Result<(), Failure>;

    /// Returns the value that a task has pushed under a key.
    ///
    /// # Errors
    ///
    /// If there is no such task upstream, or no such key.
    fn pull(&self, task: &str, key: &str) -> Result<Pushed, XComError>;

    /// Returns a parameter of the run.
    ///
    /// # Errors
    ///
    /// The names of the existing parameters, if there is none with this name.
    fn param(&self, name: &str) -> Result<Pushed, Vec<String>>;

    /// Stores a text for later calls and attempts of the same task instance, in this process or a
    /// later one. The future resolves when it is stored.
    ///
    /// # Errors
    ///
    /// If it cannot be stored.
    fn set_state(&self, key: &str, text: String) -> BoxFuture<Result<(), Failure>>;

    /// Returns the last text that the task has stored under a key.
    fn get_state(&self, key: &str) -> Option<String>;

    /// The directory for files of the run. A persistent one may not exist yet.
    ///
    /// # Errors
    ///
    /// If a temporary one cannot be created.
    fn artifact_path(&self) -> io::Result<PathBuf>;

    /// The number of this attempt among those that count against the retries; 0 if unknown.
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only jobs on a cluster outlive an attempt"))]
    fn counted(&self) -> u32;

    /// Registers, or with `None` clears, what to kill if the run ends while the task is deferred.
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only jobs on a cluster outlive an attempt"))]
    fn at_early_end(&self, _key: &str, _end: Option<OnKill>) {}

    /// All values that can be pulled, and the parameters (as pushed by a task named [`PARAMS`]), in
    /// their stored form, for an attempt in another process.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no isolated tasks elsewhere"))]
    fn pullable_xcoms(&self) -> Vec<(String, String, String, Vec<u8>)> {
        Vec::new()
    }
}

/// The pseudo task of the parameters of the run. No task can have this id.
pub(crate) const PARAMS: &str = "(params)";

/// A named value of a task.
#[derive(Clone)]
pub(crate) enum Pushed {
    /// As pushed in this process.
    Live(TypeInfo, AnyValue),
    /// As stored: the short name of its type, and its bytes.
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

    /// Returns the value, if it has this type.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be read.
    pub(crate) fn read(self, wanted: TypeInfo) -> Result<AnyValue, Unfit> {
        match self {
            Pushed::Live(ty, value) if ty.path() == wanted.path() => Ok(value),
            Pushed::Stored(ty, bytes) if ty == wanted.short() => wanted.decode(&bytes).map_err(Unfit::Damaged),
            other => Err(Unfit::Type(other.ty())),
        }
    }

    /// Returns its stored form.
    ///
    /// # Errors
    ///
    /// If it cannot be stored.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        match self {
            Pushed::Live(ty, value) => ty.encode(value),
            Pushed::Stored(_, bytes) => Ok(bytes.to_vec()),
        }
    }
}

/// Why a value cannot be read as the requested type.
pub(crate) enum Unfit {
    /// It has this type instead.
    Type(String),
    /// Its bytes are damaged.
    Damaged(String),
}

impl fmt::Debug for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pushed({})", self.ty())
    }
}

/// A temporary directory, created on first use and removed on drop or by `clear`.
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

    /// Removes it once no task uses it. Files that cannot be removed stay.
    pub(crate) fn clear(&self) {
        let dir = self.lock().take();
        drop(dir);
    }

    fn lock(&self) -> MutexGuard<'_, Option<TempDir>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces the run in unit tests of tasks.
#[derive(Debug, Default)]
pub(crate) struct DetachedHost {
    values: Mutex<BTreeMap<(String, String), Pushed>>,
    task_state: Mutex<BTreeMap<String, String>>,
    emissions: Mutex<Vec<EmitRequest>>,
    scratch: Scratch,
    /// The task of the context.
    task: String,
}

impl DetachedHost {
    pub(crate) fn new(task: &str) -> Self {
        DetachedHost { task: task.to_owned(), ..DetachedHost::default() }
    }

    /// Sets a value as pushed by a task.
    pub(crate) fn put(&self, task: &str, key: &str, value: Pushed) {
        self.lock().insert((task.to_owned(), key.to_owned()), value);
    }

    /// What the task has emitted.
    pub(crate) fn emissions(&self) -> Vec<EmitRequest> {
        self.emissions.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    fn emit(&self, request: EmitRequest) -> Result<(), Failure> {
        self.emissions.lock().unwrap_or_else(PoisonError::into_inner).push(request);
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
