//! A notifier that runs a command.

use std::time::Duration;

use super::json_of;
use crate::base::BoxError;
use crate::process::Command;
use crate::task::{Notification, Notifier, TaskContext};

/// The time limit of a command.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that is run for each notification; see [`command`].
#[derive(Clone, Debug)]
pub struct CommandNotifier(Command);

/// Runs a command for each notification.
///
/// The command reads the notification as JSON from stdin. The most important parts are also in its
/// environment: `TASKFLOW_CALLBACK`, `TASKFLOW_DAG`, `TASKFLOW_RUN`, `TASKFLOW_TASK` (empty for a
/// run), `TASKFLOW_ATTEMPT`, `TASKFLOW_MESSAGE` and `TASKFLOW_KEY`. A nonzero exit code is a
/// failure. After a minute the delivery fails too, and the process group of the command is killed.
///
/// ```
/// use taskflow::notify;
/// use taskflow::prelude::*;
/// use taskflow::process::Command;
///
/// #[task(on_failure = notify::command(Command::script(r#"echo "$TASKFLOW_MESSAGE" | mail -s "$TASKFLOW_TASK" ada"#)))]
/// fn load(rows: u32) -> u32 {
///     rows
/// }
/// # #[dag] fn daily(rows: u32) -> u32 { load(rows) }
/// # assert!(daily::def().plan().is_ok());
/// ```
pub fn command(command: Command) -> CommandNotifier {
    CommandNotifier(command)
}

impl Notifier for CommandNotifier {
    fn notify(&self, notification: &Notification) -> Result<(), BoxError> {
        let mut message = notification.to_string();
        crate::log::Redactor::current().message(&mut message);
        let task = notification.task.as_ref();
        let command = (self.0.clone())
            .env("TASKFLOW_CALLBACK", notification.kind.name())
            .env("TASKFLOW_DAG", &notification.run.dag_id)
            .env("TASKFLOW_RUN", &notification.run.run_id)
            .env("TASKFLOW_TASK", task.map_or("", |task| &task.id))
            .env("TASKFLOW_ATTEMPT", task.map_or_else(String::new, |task| task.attempt.to_string()))
            .env("TASKFLOW_MESSAGE", message)
            .env("TASKFLOW_KEY", &notification.key)
            .stdin_text(json_of(notification)?);
        let context = TaskContext::detached("callback");
        let run = || -> Result<(), BoxError> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                match tokio::time::timeout(PATIENCE, command.run(&context)).await {
                    Ok(ended) => Ok(ended.map(drop)?),
                    Err(_) => Err(format!("it took longer than {PATIENCE:?} and was terminated").into()),
                }
            })
        };
        // On a thread of its own: the caller may be inside a runtime, which must not block on
        // another one.
        std::thread::scope(|scope| match scope.spawn(run).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    fn name(&self) -> String {
        "command".to_owned()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_receives_the_notification_and_can_fail() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("notification");
        let script = Command::script("cat > \"$FILE\"; echo \" $TASKFLOW_TASK $TASKFLOW_CALLBACK\" >> \"$FILE\"");
        command(script.env("FILE", file.display().to_string())).notify(&Notification::example()).unwrap();
        let written = std::fs::read_to_string(file).unwrap();
        let (json, rest) = written.split_at(written.rfind('}').unwrap() + 1);
        assert_eq!(rest.trim(), "load failure");
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!((&json["state"], &json["task"]["id"]), (&"failed".into(), &"load".into()));

        let error = command(Command::script("exit 3")).notify(&Notification::example()).unwrap_err().to_string();
        assert!(error.ends_with("failed with exit code 3"), "{error}");
        let error = command(Command::new("/nowhere/at/all")).notify(&Notification::example()).unwrap_err().to_string();
        assert!(error.starts_with("`/nowhere/at/all` cannot be started: "), "{error}");
    }
}
