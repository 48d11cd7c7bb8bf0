//! Reads parameters of the run by name inside a task: Airflow's `params`.

use super::TaskContext;
use super::host::{DetachedHost, PARAMS, Pushed, Unfit};
use crate::value::{AnyValue, TypeInfo, Value, into_owned};

/// Why a parameter of the run could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// The DAG has no such parameter.
    #[error(
        "the DAG `{dag}` has no parameter `{param}`; {}",
        if known.is_empty() { "it has none".to_owned() } else { format!("it has `{}`", known.join("`, `")) }
    )]
    NoParam {
        /// The parameter.
        param: String,
        /// The DAG.
        dag: String,
        /// The parameters of the DAG.
        known: Vec<String>,
    },
    /// It has another type.
    #[error("the parameter `{param}` of the DAG `{dag}` has the type `{declared}`, but was requested as `{asked}`")]
    Type {
        /// The parameter.
        param: String,
        /// The DAG.
        dag: String,
        /// Its declared type, without modules.
        declared: String,
        /// The requested type, without modules.
        asked: String,
    },
    /// The value that the process of the attempt received is damaged.
    #[error("the parameter `{param}` of the DAG `{dag}` cannot be read: {reason}")]
    Damaged {
        /// The parameter.
        param: String,
        /// The DAG.
        dag: String,
        /// The reason.
        reason: String,
    },
}

impl TaskContext {
    /// Returns a parameter of the run: `let day: Date = ctx.param("day")?;`
    ///
    /// Prefer an input of the task, whose type the compiler checks and which tests can pass. This
    /// is for helpers that serve many DAGs, and for a parameter that every other task would only
    /// pass through.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn greet(ctx: &TaskContext) -> Result<String> {
    ///     let name: String = ctx.param("name")?;
    ///     Ok(format!("hello {name}"))
    /// }
    ///
    /// #[dag]
    /// fn hello(#[param(default = "world")] name: String) -> String {
    ///     let _ = name;
    ///     greet()
    /// }
    /// # assert_eq!(hello::run("you".to_owned()).wait().unwrap().result().unwrap(), "hello you");
    /// ```
    ///
    /// # Errors
    ///
    /// If the DAG has no such parameter, or it has another type. A task that returns this error is
    /// not retried, because a retry would fail the same way.
    pub fn param<T: Value + Clone>(&self, name: &str) -> Result<T, ParamsError> {
        let asked = TypeInfo::of_value::<T>();
        let (param, dag) = (|| name.to_owned(), || self.dag_id().to_owned());
        let read = match self.host().param(name) {
            Err(known) => Err(ParamsError::NoParam { param: param(), dag: dag(), known }),
            Ok(value) => value.read(asked).map_err(|unfit| match unfit {
                Unfit::Type(declared) => {
                    ParamsError::Type { param: param(), dag: dag(), declared, asked: asked.short() }
                }
                Unfit::Damaged(reason) => ParamsError::Damaged { param: param(), dag: dag(), reason },
            }),
        };
        match read {
            Ok(value) => Ok(into_owned(value)),
            Err(error) => {
                // Register the error, so that it is recognised if the task returns it.
                let _ = self.fail(&error);
                Err(error)
            }
        }
    }

    /// A copy with a parameter of the run, for unit tests of tasks that [read](TaskContext::param)
    /// it.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn greet(ctx: &TaskContext) -> Result<String> {
    ///     Ok(format!("hello {}", ctx.param::<String>("name")?))
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let context = TaskContext::detached("greet").with_param("name", "you".to_owned());
    /// assert_eq!(greet::call(&context)?, "hello you");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the context belongs to a run, which has its own parameters.
    #[must_use]
    pub fn with_param<T: Value>(&self, name: &str, value: T) -> Self {
        let around: &dyn std::any::Any = &**self.host();
        let detached_host = around.downcast_ref::<DetachedHost>();
        let detached_host = detached_host.expect("`with_param` is for contexts made with `TaskContext::detached`");
        detached_host.put(PARAMS, name, Pushed::Live(TypeInfo::of_value::<T>(), AnyValue::new(value)));
        self.clone()
    }
}
