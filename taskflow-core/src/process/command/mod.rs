//! Programs and scripts as tasks, and inside of tasks: Airflow's Bash operator.

#[cfg(not(unix))]
mod elsewhere;
mod error;
mod node;
mod output;
#[cfg(unix)]
mod run;
mod spec;
mod word;

use std::marker::PhantomData;
use std::path::PathBuf;

pub use error::CommandError;
pub use node::command;
pub use output::CommandOutput;
use spec::Spec;
#[cfg(feature = "spark")]
pub(crate) use spec::Text;
pub use word::{Drawn, Known, Word};

use crate::dag::Output;
use crate::task::TaskContext;

/// The exit code by which a command says that it has nothing to do, as in Airflow.
const SKIP: i32 = 99;
/// How much of stdout is captured where nothing else is said.
const CAPTURE: u64 = 1 << 20;

/// A program that is to run: with its arguments, its environment, its directory, and what its exit codes mean.
///
/// Inside an async task it is awaited, and its output goes to the log of the attempt:
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::process::Command;
///
/// #[task]
/// async fn pack(ctx: &TaskContext, folder: &str) -> Result<String> {
///     let output = Command::new("tar").arg("--create").arg("--file=-").arg(folder).run(ctx).await?;
///     Ok(output.last_line)
/// }
/// ```
///
/// In a DAG [`command`] makes a node of it, and outputs of tasks may stand where texts do:
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::process::{Command, command};
///
/// #[task]
/// fn day() -> String { "2026-01-31".to_owned() }
///
/// #[dag]
/// fn load() -> String {
///     let loaded = command("load", Command::script("echo loading; echo rows of $DAY").env("DAY", day()));
///     loaded.map(|output| output.last_line.clone())
/// }
/// # assert_eq!(load::run().wait().unwrap().result().unwrap(), "rows of 2026-01-31");
/// ```
///
/// - Exit code 0 is success; 99 skips the task ([`skip_on`](Command::skip_on)); any other is a failure that is retried as the task
///   says, unless [`no_retry_on`](Command::no_retry_on) names it.
/// - stdin is empty, unless [`stdin_text`](Command::stdin_text) gives a text.
/// - It leads a process group of its own, which does not outlive it: see [the module](crate::process).
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is run or drawn"]
pub struct Command<A = Known> {
    spec: Spec,
    outputs: Vec<Output<String>>,
    words: PhantomData<A>,
}

impl Command {
    /// A program, looked for in `PATH` unless it has a `/`.
    pub fn new(program: impl Into<String>) -> Self {
        Command { spec: Spec::of([program.into()]), outputs: Vec::new(), words: PhantomData }
    }

    /// A script for `bash`, which stops at the first command that fails, also in a pipe, and at a variable that is not set
    /// (`bash -euo pipefail -c`). Arguments are its `$1`, `$2` and so on.
    ///
    /// Give it data through [`env`](Command::env) or [`arg`](Command::arg): text that is put into the script is run.
    pub fn script(script: impl Into<String>) -> Self {
        let words = ["bash".to_owned(), "-euo".to_owned(), "pipefail".to_owned(), "-c".to_owned(), script.into()];
        let mut spec = Spec::of(words);
        // What the shell calls itself in messages.
        spec.words.push("script".to_owned().into());
        Command { spec, outputs: Vec::new(), words: PhantomData }
    }
}

impl<A> Command<A> {
    /// Adds an argument.
    pub fn arg<W: Word<A>>(mut self, word: W) -> Command<W::Then> {
        let part = word.part(&mut self.outputs);
        self.spec.words.push(part.0);
        self.then()
    }

    /// Adds arguments.
    pub fn args<W: Word<A, Then = A>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        for word in words {
            let part = word.part(&mut self.outputs);
            self.spec.words.push(part.0);
        }
        self
    }

    /// Sets a variable of its environment.
    pub fn env<W: Word<A>>(mut self, name: impl Into<String>, value: W) -> Command<W::Then> {
        let part = value.part(&mut self.outputs);
        self.spec.env.push((name.into(), part.0));
        self.then()
    }

    /// Keeps the environment of this program from it. Variables set with [`env`](Command::env) stay.
    pub fn env_clear(mut self) -> Self {
        self.spec.env_clear = true;
        self
    }

    /// The directory it works in. Default: that of this program.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spec.cwd = Some(directory.into());
        self
    }

    /// What it reads from stdin.
    pub fn stdin_text<W: Word<A>>(mut self, text: W) -> Command<W::Then> {
        let part = text.part(&mut self.outputs);
        self.spec.stdin = Some(part.0);
        self.then()
    }

    /// The exit code that skips the task, in place of 99. `None`: no code does.
    pub fn skip_on(mut self, code: impl Into<Option<i32>>) -> Self {
        self.spec.skip_on = code.into();
        self
    }

    /// An exit code after which no retry would help. May be said several times.
    pub fn no_retry_on(mut self, code: i32) -> Self {
        self.spec.no_retry_on.push(code);
        self
    }

    /// Keeps all of stdout for [`CommandOutput::stdout`], up to 1 MiB; more is a failure.
    pub fn capture(self) -> Self {
        self.capture_up_to(CAPTURE)
    }

    /// As [`capture`](Command::capture), up to so many bytes.
    pub fn capture_up_to(mut self, bytes: u64) -> Self {
        self.spec.capture = Some(bytes);
        self
    }

    fn then<B>(self) -> Command<B> {
        Command { spec: self.spec, outputs: self.outputs, words: PhantomData }
    }
}

impl Command {
    /// Runs it to its end. To be awaited inside a task, whose log gets what it writes.
    ///
    /// When the attempt is cancelled, its process group gets SIGTERM, and SIGKILL five seconds later. Dropping the future, as
    /// the end of a time limit does, has the same effect.
    ///
    /// # Errors
    ///
    /// When it cannot be started, ends with another exit code than 0 or by a signal, writes more than may be captured, or the
    /// attempt is cancelled. The exit code to skip on is an error, too: returned by the task, it skips it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one whose I/O is not enabled.
    pub async fn run(self, context: &TaskContext) -> Result<CommandOutput, CommandError> {
        self.spec.run(context).await
    }
}
