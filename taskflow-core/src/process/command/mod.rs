//! Programs and scripts, as tasks or inside tasks: Airflow's `BashOperator`.

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

/// The exit code that skips the task, as in Airflow.
const SKIP: i32 = 99;
/// The default limit of captured stdout, in bytes.
const CAPTURE: u64 = 1 << 20;

/// A command: a program with its arguments, environment, directory and the meaning of its exit
/// codes.
///
/// Inside an async task, await it; its output goes to the log of the attempt:
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
/// In a DAG, [`command`] creates a node from it, and its texts may be outputs of tasks:
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
/// - Exit code 0 is success; 99 skips the task ([`skip_on`](Command::skip_on)); any other is a
///   failure, which is retried according to the task.
///   [`retry_only_on`](Command::retry_only_on) and [`no_retry_on`](Command::no_retry_on) restrict
///   that.
/// - stdin is empty unless [`stdin_text`](Command::stdin_text) is set.
/// - It leads a process group of its own, which does not outlive the attempt: see [the
///   module](crate::process).
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is run or added to a DAG"]
pub struct Command<A = Known> {
    spec: Spec,
    outputs: Vec<Output<String>>,
    words: PhantomData<A>,
}

impl Command {
    /// A program. It is searched in `PATH` unless it contains a `/`.
    pub fn new(program: impl Into<String>) -> Self {
        Command { spec: Spec::of([program.into()]), outputs: Vec::new(), words: PhantomData }
    }

    /// A `bash` script that stops at the first failing command, also in a pipe, and at unset
    /// variables (`bash -euo pipefail -c`). The arguments are `$1`, `$2` and so on.
    ///
    /// Pass data through [`env`](Command::env) or [`arg`](Command::arg): text interpolated into the
    /// script is executed.
    pub fn script(script: impl Into<String>) -> Self {
        let words = ["bash".to_owned(), "-euo".to_owned(), "pipefail".to_owned(), "-c".to_owned(), script.into()];
        let mut spec = Spec::of(words);
        // The name of the shell in its messages.
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

    /// Sets an environment variable.
    pub fn env<W: Word<A>>(mut self, name: impl Into<String>, value: W) -> Command<W::Then> {
        let part = value.part(&mut self.outputs);
        self.spec.env.push((name.into(), part.0));
        self.then()
    }

    /// Does not inherit the environment of this program. Variables set with [`env`](Command::env)
    /// stay.
    pub fn env_clear(mut self) -> Self {
        self.spec.env_clear = true;
        self
    }

    /// Also inherits the variables that configure secrets and connections, `TASKFLOW_SECRET_*` and
    /// `TASKFLOW_CONN_*`: for a program that reads taskflow's configuration itself. Without this
    /// the command does not see them. To pass a single secret, set it inside a task:
    /// `.env("PGPASSWORD", ctx.secret("db")?.expose())`.
    pub fn inherit_secrets(mut self) -> Self {
        self.spec.inherit_secrets = true;
        self
    }

    /// Sets the working directory. Default: that of this program.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spec.cwd = Some(directory.into());
        self
    }

    /// Sets the content of stdin.
    pub fn stdin_text<W: Word<A>>(mut self, text: W) -> Command<W::Then> {
        let part = text.part(&mut self.outputs);
        self.spec.stdin = Some(part.0);
        self.then()
    }

    /// Sets the exit code that skips the task, instead of 99. `None`: no exit code does.
    pub fn skip_on(mut self, code: impl Into<Option<i32>>) -> Self {
        self.spec.skip_on = code.into();
        self
    }

    /// Retries only these exit codes: every other failure of the command is final. Can be called
    /// several times. As in a shell, a command that a signal killed has the exit code 128 plus the
    /// number of the signal: 137 is SIGKILL, which also a lack of memory sends.
    ///
    /// ```
    /// # use taskflow::process::Command;
    /// # use std::time::Duration;
    /// # use taskflow::prelude::*;
    /// # #[dag] fn nightly() {
    /// // sysexits.h: 75 is a temporary failure.
    /// let sync = Command::script("rsync --archive in/ out/").retry_only_on([75, 137]);
    /// taskflow::process::command("sync", sync).retries(5).retry_delay(Duration::from_secs(60));
    /// # }
    /// # assert!(nightly::def().plan().is_ok());
    /// ```
    ///
    /// A command that cannot be started has no exit code and is not affected.
    pub fn retry_only_on(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.spec.retry_only_on.get_or_insert_default().extend(codes);
        self
    }

    /// Adds an exit code that is not retried, whatever [`retry_only_on`](Command::retry_only_on)
    /// lists. Can be called several times. Signals count as there.
    pub fn no_retry_on(mut self, code: i32) -> Self {
        self.spec.no_retry_on.push(code);
        self
    }

    /// Captures stdout in [`CommandOutput::stdout`], up to 1 MiB; more is a failure.
    pub fn capture(self) -> Self {
        self.capture_up_to(CAPTURE)
    }

    /// Like [`capture`](Command::capture), up to so many bytes.
    pub fn capture_up_to(mut self, bytes: u64) -> Self {
        self.spec.capture = Some(bytes);
        self
    }

    fn then<B>(self) -> Command<B> {
        Command { spec: self.spec, outputs: self.outputs, words: PhantomData }
    }
}

impl Command {
    /// Runs the command to completion. Await it inside a task: its output goes to the log of the
    /// task.
    ///
    /// When the attempt is cancelled, the process group receives SIGTERM, and SIGKILL five seconds
    /// later. Dropping the future, as a timeout does, has the same effect.
    ///
    /// # Errors
    ///
    /// If it cannot be started, exits with a nonzero code, is killed by a signal, writes more than
    /// the capture limit, or the attempt is cancelled. The exit code that skips is an error, too: a
    /// task that returns it is skipped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub async fn run(self, context: &TaskContext) -> Result<CommandOutput, CommandError> {
        self.spec.run(context).await
    }
}
