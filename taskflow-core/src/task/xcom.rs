//! Named values between tasks, beside those that they return: Airflow's XCom by key.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TaskContext;
use super::host::{DetachedHost, Pushed, Unfit};
use crate::base::Failure;
use crate::value::{TypeInfo, Value, into_owned};

/// Why a named value could not be pushed or pulled.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XComError {
    /// It cannot be stored.
    #[error("`{key}` cannot be pushed: {failure}")]
    Store {
        /// The key.
        key: String,
        /// Why.
        failure: Box<Failure>,
    },
    /// It cannot be kept.
    #[error("`{key}` cannot be kept: {reason}")]
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
        /// The task whose id is nearest.
        nearest: Option<String>,
    },
    /// The task need not have ended when this one runs.
    #[error("`{by}` pulls from `{task}`, which is not upstream of it: connect them, with `.after(..)` or `>>`")]
    NotUpstream {
        /// The task that was to be pulled from.
        task: String,
        /// The one that pulls.
        by: String,
    },
    /// The task is there once for each element of a list.
    #[error("`{task}` is there once for each element of a list: name one of them, as in `{task}[0]`")]
    Elements {
        /// The task.
        task: String,
    },
    /// The task has pushed nothing under this key.
    #[error(
        "`{task}` has pushed no `{key}`; {}",
        if known.is_empty() { "it has pushed nothing".to_owned() } else { format!("it has pushed {}", listed(known)) }
    )]
    NoKey {
        /// The task.
        task: String,
        /// The key.
        key: String,
        /// What it has pushed.
        known: Vec<String>,
    },
    /// The value is of another type.
    #[error("`{task}` has pushed `{key}` as `{pushed}`, and it is pulled as `{pulled}`")]
    Type {
        /// The task.
        task: String,
        /// The key.
        key: String,
        /// The type it has, without modules.
        pushed: String,
        /// The type that is asked for, without modules.
        pulled: String,
    },
    /// What is stored is damaged.
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

impl TaskContext {
    /// Keeps a value under a name, for tasks downstream that [`pull`](TaskContext::pull) it: Airflow's `xcom_push`.
    ///
    /// What a task returns is passed on by types, and is what to use for data; this is for what is said besides. A second
    /// value under the same name takes the place of the first. It is there for others when the attempt has ended, whatever
    /// its end is; another attempt forgets what the one before has pushed. It is stored with the run.
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
    /// fn tell(ctx: &TaskContext) -> Result<String> {
    ///     let rows: u64 = ctx.pull("load", "rows")?;
    ///     Ok(format!("{rows} rows"))
    /// }
    ///
    /// #[dag]
    /// fn daily() -> String {
    ///     tell().after(load())
    /// }
    /// # assert_eq!(daily::run().wait().unwrap().result().unwrap(), "17 rows");
    /// ```
    ///
    /// # Errors
    ///
    /// When the value cannot be stored.
    pub fn push<T: Value>(&self, key: &str, value: T) -> Result<(), XComError> {
        let value = Pushed::Live(TypeInfo::of_value::<T>(), std::sync::Arc::new(value));
        let failed = |failure| XComError::Store { key: key.to_owned(), failure: Box::new(failure) };
        self.host().push(key, value).map_err(failed)
    }

    /// The value that a task upstream has [pushed](TaskContext::push) under this name: Airflow's `xcom_pull`.
    ///
    /// Of a task inside the same `each` it is that of the same element; another element is named with its place, `load[3]`.
    ///
    /// # Errors
    ///
    /// When there is no such task upstream, it has pushed nothing under this name, or the value is of another type. A task
    /// that returns this error is not tried again: it would be the same.
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
                // By its words it is recognised, if the task returns it.
                let _ = self.fail(&error);
                Err(error)
            }
        }
    }

    /// The same with what a task upstream is to have pushed: for a unit test of a task that [pulls](TaskContext::pull).
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn tell(ctx: &TaskContext) -> Result<String> {
    ///     let rows: u64 = ctx.pull("load", "rows")?;
    ///     Ok(format!("{rows} rows"))
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let context = TaskContext::detached("tell").with_pushed("load", "rows", 17_u64);
    /// assert_eq!(tell::call(&context)?, "17 rows");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// With a context that is in a run, whose tasks push for themselves.
    #[must_use]
    pub fn with_pushed<T: Value>(&self, task: &str, key: &str, value: T) -> Self {
        let around: &dyn std::any::Any = &**self.host();
        let detached_host = around.downcast_ref::<DetachedHost>();
        let detached_host = detached_host.expect("`with_pushed` is for contexts made with `TaskContext::detached`");
        detached_host.put(task, key, Pushed::Live(TypeInfo::of_value::<T>(), std::sync::Arc::new(value)));
        self.clone()
    }

    /// Keeps a value for later calls of this task in this run: for its next attempts, also in a process that goes on after a crash.
    ///
    /// When it returns, the value is stored: so a task can say what it is about to do elsewhere before it does it, and find
    /// that again, or go on from where it was. A second value under the same key takes the place of the first. Other tasks do not see
    /// it, and it stays when the task is cleared; put [`idempotency_key`](TaskContext::idempotency_key) into the key where it is not to.
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
    /// Dropping the future before its end leaves it open whether the value was stored.
    ///
    /// # Errors
    ///
    /// When the value is no JSON or cannot be stored; in a task in a process of its own, which is not heard before its end.
    pub async fn set_state<T: Serialize>(&self, key: &str, value: T) -> Result<(), XComError> {
        let failed = |reason: String| XComError::Keep { key: key.to_owned(), reason };
        let text = serde_json::to_string(&value).map_err(|error| failed(error.to_string()))?;
        self.host().set_state(key, text).await.map_err(|failure| failed(failure.to_string()))
    }

    /// The last value that this task has [kept](TaskContext::keep) under a key in this run.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn get_state<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, XComError> {
        let Some(text) = self.host().get_state(key) else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| XComError::Damaged {
            task: self.task_id().to_owned(),
            key: key.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Shows a link beside the task, in `status`: to a table that it has written, to the job that it follows elsewhere. A second
    /// one with the same name takes the place of the first; another attempt begins without any.
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

    /// A directory for files of the run, the same for all its tasks and attempts: `artifacts` in the directory of the journal. It
    /// stays until the run is forgotten (`db prune`). A run without a journal, or with one in memory, has a temporary one,
    /// which is gone when the run has ended.
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
    /// When it cannot be made.
    pub fn artifact_dir(&self) -> std::io::Result<std::path::PathBuf> {
        let path = self.host().artifact_path()?;
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}
