//! Runs a command.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command as StdCommand, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::super::group::Lifeline;
use super::super::holders;
use super::super::lines::{Following, Stream, StreamTail, follow};
use super::super::spawner::{self, Pipes, Started};
use super::spec::{Spec, Text};
use super::{CommandError, CommandOutput};
use crate::base::{SignalName, units};
use crate::config::secret_variables;
use crate::task::TaskContext;

/// The time between SIGTERM and SIGKILL, and for the pipes to close after the end of the process.
const LEAVING: Duration = Duration::from_secs(5);

impl Spec {
    pub(super) async fn run(&self, context: &TaskContext) -> Result<CommandOutput, CommandError> {
        let over = || CommandError::new(format!("`{self}` is not started because the attempt is over"));
        let hold = context.hold().ok_or_else(over)?;
        let Started { mut group, child } =
            spawner::spawn(self.command(), Lifeline::Guard(None), Some(hold)).await.map_err(|error| {
                let place = self.cwd.as_ref().map(|cwd| format!(" in {}", cwd.display())).unwrap_or_default();
                let message = format!("`{self}` cannot be started{place}: {error}");
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) {
                    // A missing program would be missing in a retry, too.
                    let _ = context.fail(&message);
                }
                CommandError::new(message)
            })?;
        let lost = |error: io::Error| CommandError::new(format!("cannot wait for `{self}`: {error}"));
        let Pipes { stdin, stdout, stderr } = child;
        let wanted = self.capture.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let stdout = stdout.map(tokio::process::ChildStdout::from_std).transpose().map_err(lost)?;
        let stderr = stderr.map(tokio::process::ChildStderr::from_std).transpose().map_err(lost)?;
        let mut stdout = stdout.map(|pipe| follow(pipe, Stream::Stdout, wanted));
        let mut stderr = stderr.map(|pipe| follow(pipe, Stream::Stderr, 0));

        let stdin = stdin.map(tokio::process::ChildStdin::from_std).transpose().map_err(lost)?;
        let feed = async {
            if let (Some(mut stdin), Some(text)) = (stdin, &self.stdin) {
                // Not reading all of stdin is not a failure.
                let _ = stdin.write_all(text.known().as_bytes()).await;
            }
            // Only the other branches can end the command.
            std::future::pending::<()>().await;
        };
        let cancelled = tokio::select! {
            ended = group.ended() => {
                ended.map_err(lost)?;
                false
            }
            () = context.cancelled() => true,
            () = feed => false,
        };
        if cancelled {
            group.terminate();
            let _ = timeout(LEAVING, group.ended()).await;
        }
        let status = group.finish().map_err(lost)?;
        let (mut out, mut err) = tokio::join!(rest_of(&mut stdout), rest_of(&mut stderr));
        let open = [("stdout", out.held.take()), ("stderr", err.held.take())];
        let open = open.into_iter().filter_map(|(name, pipe)| Some((name, pipe?))).collect();
        holders::report(open, LEAVING).await;
        if cancelled {
            return Err(CommandError::new(format!("`{self}` was terminated because the attempt was cancelled")));
        }
        self.judge(status, out, err, context)
    }

    fn command(&self) -> StdCommand {
        let mut words = self.words.iter().map(Text::known);
        let mut command = StdCommand::new(words.next().unwrap_or_default());
        command.args(words).stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        if self.env_clear {
            command.env_clear();
        }
        if !self.inherit_secrets {
            for name in secret_variables() {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value.known())));
        if let Some(directory) = &self.cwd {
            command.current_dir(directory);
        }
        command
    }

    fn judge(
        &self,
        status: ExitStatus,
        out: StreamTail,
        err: StreamTail,
        context: &TaskContext,
    ) -> Result<CommandOutput, CommandError> {
        let code = match (status.code(), status.signal()) {
            (Some(code), _) => code,
            (None, signal) => {
                let signal = signal.unwrap_or_default();
                let message = format!("`{self}` was killed by {}", SignalName(signal));
                // The exit code that shells give it.
                if !self.retries(128 + signal) {
                    let _ = context.fail(&message);
                }
                return Err(CommandError::ended(message, None, err.last));
            }
        };
        if self.skip_on == Some(code) {
            let message = format!("`{self}` requested to skip the task (exit code {code})");
            let _ = context.skip(&message);
            return Err(CommandError::ended(message, Some(code), err.last));
        }
        if code != 0 {
            let message = format!("`{self}` failed with exit code {code}");
            if !self.retries(code) {
                let _ = context.fail(&message);
            }
            return Err(CommandError::ended(message, Some(code), err.last));
        }
        if let Some(limit) = self.capture
            && out.length > limit
        {
            let (wrote, limit) = (units::bytes(out.length), units::bytes(limit));
            return Err(CommandError::new(format!(
                "`{self}` wrote {wrote} to stdout, but at most {limit} are captured: write the output to a file, or raise the \
                 limit with `.capture_up_to(..)`"
            )));
        }
        let stdout = self.capture.map(|_| String::from_utf8_lossy(&out.all).into_owned());
        Ok(CommandOutput { last_line: out.last_line, stdout })
    }
}

async fn rest_of(following: &mut Option<Following>) -> StreamTail {
    match following {
        Some(following) => following.finish(LEAVING).await,
        None => StreamTail::default(),
    }
}
