//! The parameters of the run, asked for by name inside a task: Airflow's `params`.

use super::TaskContext;
use super::host::{DetachedHost, PARAMS, Pushed, Unfit};
use crate::value::{TypeInfo, Value, into_owned};

/// Why a parameter of the run could not be read by its name.
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
        /// The parameters that it has.
        known: Vec<String>,
    },
    /// It is of another type.
    #[error("the parameter `{param}` of the DAG `{dag}` is of type `{declared}`, and it is asked for as `{asked}`")]
    Type {
        /// The parameter.
        param: String,
        /// The DAG.
        dag: String,
        /// The type it has, without modules.
        declared: String,
        /// The type that is asked for, without modules.
        asked: String,
    },
    /// What came to the process of the attempt is damaged.
    #[error("the parameter `{param}` of the DAG `{dag}` cannot be read: {reason}")]
    Damaged {
        /// The parameter.
        param: String,
        /// The DAG.
        dag: String,
        /// Why.
        reason: String,
    },
}

impl TaskContext {
    /// A parameter of the run by its name: `let day: Date = ctx.param("day")?;`
    ///
    /// What a task needs is better one of its inputs, where the compiler checks its type and tests can give it. This is for
    /// helpers that serve many DAGs, and for the parameter that every other task would only pass on.
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
    /// When the DAG has no such parameter, or it is of another type. A task that returns this error is not tried again: it would be
    /// the same.
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
                // By its words it is recognised, if the task returns it.
                let _ = self.fail(&error);
                Err(error)
            }
        }
    }

    /// The same with a parameter of the run: for a unit test of a task that [asks](TaskContext::param) for one.
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
    /// With a context that is in a run, which has its parameters.
    #[must_use]
    pub fn with_param<T: Value>(&self, name: &str, value: T) -> Self {
        let around: &dyn std::any::Any = &**self.host();
        let detached_host = around.downcast_ref::<DetachedHost>();
        let detached_host = detached_host.expect("`with_param` is for contexts made with `TaskContext::detached`");
        detached_host.put(PARAMS, name, Pushed::Live(TypeInfo::of_value::<T>(), std::sync::Arc::new(value)));
        self.clone()
    }
}
