//! Named values between tasks, in addition to return values: Airflow's XCom by key.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::host::{DetachedHost, Pushed, Unfit};
use super::{Respondents, TaskContext};
use crate::base::text::bounded;
use crate::base::{Failure, private};
use crate::run::{QUESTION, Question};
use crate::value::{AnyValue, TypeInfo, Value, into_owned};

/// Why a named value could not be pushed or pulled.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XComError {
    /// It cannot be stored.
    #[error("`{key}` cannot be pushed: {failure}")]
    Store {
        /// The key.
        key: String,
        /// The reason.
        failure: Box<Failure>,
    },
    /// It cannot be stored in the task state.
    #[error("the state `{key}` cannot be stored: {reason}")]
    Keep {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The DAG has no such task.
    #[error(
        "nothing can be pulled from `{task}`: the DAG `{dag}` has no such task{}",
        nearest.as_ref().map(|id| format!("; did you mean `{id}`?")).unwrap_or_default()
    )]
    NoTask {
        /// The task.
        task: String,
        /// The DAG.
        dag: String,
        /// The task with the most similar id.
        nearest: Option<String>,
    },
    /// The task is not upstream, so it may not have ended.
    #[error("`{by}` pulls from `{task}`, which is not upstream of it: connect them, with `.after(..)` or `>>`")]
    NotUpstream {
        /// The task to pull from.
        task: String,
        /// The task that pulls.
        by: String,
    },
    /// The task is mapped over a list.
    #[error("`{task}` runs once for each element of a list: name one instance, as in `{task}[0]`")]
    Elements {
        /// The task.
        task: String,
    },
    /// The task has not pushed this key.
    #[error(
        "`{task}` has not pushed `{key}`; {}",
        if known.is_empty() { "it has pushed nothing".to_owned() } else { format!("it has pushed {}", listed(known)) }
    )]
    NoKey {
        /// The task.
        task: String,
        /// The key.
        key: String,
        /// The keys it has pushed.
        known: Vec<String>,
    },
    /// The value has another type.
    #[error("`{task}` has pushed `{key}` as `{pushed}`, but it is pulled as `{pulled}`")]
    Type {
        /// The task.
        task: String,
        /// The key.
        key: String,
        /// The type of the pushed value, without modules.
        pushed: String,
        /// The requested type, without modules.
        pulled: String,
    },
    /// The stored value is damaged.
    #[error("`{key}` of `{task}` cannot be read: {reason}")]
    Damaged {
        /// The task.
        task: String,
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
}

fn listed(keys: &[String]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

/// The most bytes of a key, as in Airflow, and how many of a longer one are shown.
const KEY: usize = 512;
const SHOWN: usize = 64;

/// Why a key cannot be used, if it is too long.
fn too_long(key: &str) -> Option<String> {
    (key.len() > KEY).then(|| {
        format!("a key has at most {KEY} bytes, but this one has {}", crate::base::units::bytes(key.len() as u64))
    })
}

impl TaskContext {
    /// Stores a named value for downstream tasks to [`pull`](TaskContext::pull): Airflow's
    /// `xcom_push`.
    ///
    /// Use return values, which are typed, for data, and this for additional information. A second
    /// value under the same key replaces the first. Others can pull it once the attempt has ended,
    /// in whatever state; the next attempt discards it. It is stored with the run.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn load(ctx: &TaskContext) -> Result<()> {
    ///     ctx.push("rows", 17_u64)?;
    ///     Ok(())
    /// }
    ///
    /// #[task]
    /// fn report(ctx: &TaskContext) -> Result<String> {
    ///     let rows: u64 = ctx.pull("load", "rows")?;
    ///     Ok(format!("{rows} rows"))
    /// }
    ///
    /// #[dag]
    /// fn daily() -> String {
    ///     report().after(load())
    /// }
    /// # assert_eq!(daily::run().wait().unwrap().result().unwrap(), "17 rows");
    /// ```
    ///
    /// # Errors
    ///
    /// If the value cannot be stored, or the key is longer than 512 bytes.
    pub fn push<T: Value>(&self, key: &str, value: T) -> Result<(), XComError> {
        let failed = |failure| XComError::Store { key: bounded(key, SHOWN).into_owned(), failure: Box::new(failure) };
        if let Some(reason) = too_long(key) {
            return Err(failed(Failure::Error { chain: vec![reason], retryable: false }));
        }
        let value = Pushed::Live(TypeInfo::of_value::<T>(), AnyValue::new(value));
        self.host().push(key, value).map_err(failed)
    }

    /// Returns the value that an upstream task has [pushed](TaskContext::push) under this key:
    /// Airflow's `xcom_pull`.
    ///
    /// For a task inside the same `each`, it is the value of the same element; select another
    /// element by its index, `load[3]`.
    ///
    /// # Errors
    ///
    /// If there is no such task upstream, it has not pushed this key, or the value has another
    /// type. A task that returns this error is not retried, because a retry would fail the same
    /// way.
    pub fn pull<T: Value + Clone>(&self, task: &str, key: &str) -> Result<T, XComError> {
        let wanted = TypeInfo::of_value::<T>();
        let (of, named) = (|| task.to_owned(), || key.to_owned());
        let pulled = self.host().pull(task, key).and_then(|pushed| {
            pushed.read(wanted).map_err(|unfit| match unfit {
                Unfit::Type(pushed) => XComError::Type { task: of(), key: named(), pushed, pulled: wanted.short() },
                Unfit::Damaged(reason) => XComError::Damaged { task: of(), key: named(), reason },
            })
        });
        match pulled {
            Ok(value) => Ok(into_owned(value)),
            Err(error) => {
                // Register the error, so that it is recognised if the task returns it.
                let _ = self.fail(&error);
                Err(error)
            }
        }
    }

    /// A copy with a value pushed by an upstream task, for unit tests of tasks that
    /// [pull](TaskContext::pull) it.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn report(ctx: &TaskContext) -> Result<String> {
    ///     let rows: u64 = ctx.pull("load", "rows")?;
    ///     Ok(format!("{rows} rows"))
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let context = TaskContext::detached("report").with_pushed("load", "rows", 17_u64);
    /// assert_eq!(report::call(&context)?, "17 rows");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the context belongs to a run, whose tasks push their own values.
    #[must_use]
    pub fn with_pushed<T: Value>(&self, task: &str, key: &str, value: T) -> Self {
        let around: &dyn std::any::Any = &**self.host();
        let detached_host = around.downcast_ref::<DetachedHost>();
        let detached_host = detached_host.expect("`with_pushed` is for contexts made with `TaskContext::detached`");
        detached_host.put(task, key, Pushed::Live(TypeInfo::of_value::<T>(), AnyValue::new(value)));
        self.clone()
    }

    /// Stores a value in the task state, for later attempts of this task in this run, also in a
    /// process that resumes the run after a crash.
    ///
    /// The value is stored when this returns, so a task can record external work before it starts
    /// it and find it again later, or continue where it stopped. A second value under the same key
    /// replaces the first. Other tasks cannot read it. It survives clearing the task; to avoid
    /// that, include [`idempotency_key`](TaskContext::idempotency_key) in the key.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task(retries = 3)]
    /// async fn copy(ctx: &TaskContext, pages: u32) -> Result<u32> {
    ///     let first = ctx.get_state::<u32>("next page")?.unwrap_or(0);
    ///     for page in first..pages {
    ///         // .. copy the page ..
    ///         ctx.set_state("next page", page + 1).await?;
    ///     }
    ///     Ok(pages - first)
    /// }
    ///
    /// #[dag]
    /// fn mirror() -> u32 {
    ///     copy(4_u32)
    /// }
    /// # assert_eq!(mirror::run().wait().unwrap().result(), Some(&4));
    /// ```
    ///
    /// If the future is dropped before it completes, the value may or may not be stored.
    ///
    /// # Errors
    ///
    /// If the value cannot be represented as JSON or stored, and in a task with a process of its
    /// own, whose state cannot be stored while it runs.
    pub async fn set_state<T: Serialize>(&self, key: &str, value: T) -> Result<(), XComError> {
        let failed = |reason: String| XComError::Keep { key: bounded(key, SHOWN).into_owned(), reason };
        if let Some(reason) = too_long(key) {
            return Err(failed(reason));
        }
        let text = serde_json::to_string(&value).map_err(|error| failed(error.to_string()))?;
        self.host().set_state(key, text).await.map_err(|failure| failed(failure.to_string()))
    }

    /// Notes what the task is going to ask people. It is stored with the beginning of the wait.
    pub(crate) fn note_question(&self, question: &str, answer: String, respondents: Option<Respondents>) {
        let respondents = respondents.unwrap_or_default().stored();
        let asked = Question { question: question.to_owned(), answer, respondents };
        if let Ok(text) = serde_json::to_string(&asked) {
            // The note is taken at once; only the confirmation is not waited for. A question that
            // cannot be kept is in the log.
            drop(self.host().set_state(QUESTION, text));
        }
    }

    /// Returns the last value that this task has [stored](TaskContext::set_state) under a key in
    /// this run.
    ///
    /// # Errors
    ///
    /// If it has another type.
    pub fn get_state<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, XComError> {
        let Some(text) = self.host().get_state(key) else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| XComError::Damaged {
            task: self.task_id().to_owned(),
            key: key.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Adds a link to the task in `status`, for example to a table it has written or an external
    /// job. A second link with the same name replaces the first; the next attempt starts without
    /// links. An attempt can have 100 links; further ones are not stored, and a warning in its log
    /// says so.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// #[task]
    /// fn submit(ctx: &TaskContext) {
    ///     ctx.link("job", "https://spark.example.com/jobs/17");
    /// }
    /// ```
    pub fn link(&self, name: &str, url: &str) {
        tracing::info!(target: "taskflow", "link {name}: {url}");
        self.host().link(name, url);
    }

    /// Returns a directory for files of the run, shared by all its tasks and attempts: `artifacts`
    /// in the directory of the journal. It exists until the run is deleted (`db prune`). A run
    /// without a journal, or with one in memory, has a temporary directory, which is removed when
    /// the run ends. Only the user of this process can read it.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// #[task(blocking)]
    /// fn plot(ctx: &TaskContext, points: &[f64]) -> Result<String> {
    ///     let file = ctx.artifact_dir()?.join("plot.svg");
    ///     std::fs::write(&file, format!("<svg><!-- {} points --></svg>", points.len()))?;
    ///     Ok(file.display().to_string())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub fn artifact_dir(&self) -> std::io::Result<std::path::PathBuf> {
        let path = self.host().artifact_path()?;
        private::refuse_links(&path, 1)?;
        private::create_dir_all(&path)?;
        Ok(path)
    }
}
