//! How far an application is, from the pages of its driver, for as long as it runs.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::base::{Address, http};
use crate::task::TaskContext;

/// Before the first question: it makes the driver build its pages, which costs seconds of
/// computing. A short job ends without that.
const FIRST: Duration = Duration::from_secs(15);
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// The application is being asked. Dropping it stops that.
#[derive(Debug)]
pub(super) struct Progress(JoinHandle<()>);

impl Progress {
    /// Asks the driver whose pages begin with this address, as often as is said.
    pub(super) fn of(pages: String, interval: Option<Duration>, context: TaskContext) -> Self {
        Progress(tokio::spawn(async move {
            let (mut application, mut pause) = (None, interval.unwrap_or(FIRST));
            loop {
                tokio::time::sleep(pause).await;
                pause = interval.unwrap_or(PAUSE);
                let (pages, known) = (pages.clone(), application.clone());
                let Ok(asked) = tokio::task::spawn_blocking(move || ask(&pages, known)).await else { return };
                if let Some((id, done, total)) = asked {
                    application = Some(id);
                    context.progress(done, total);
                }
            }
        }))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The application, and how many of its tasks are done.
fn ask(pages: &str, application: Option<String>) -> Option<(String, u64, u64)> {
    let get = |path: &str| -> Option<Value> {
        let answer = http::get(&Address::new(&format!("{pages}/api/v1/{path}")).ok()?, PATIENCE).ok()?;
        serde_json::from_str(&answer.body).ok()
    };
    let id = match application {
        Some(id) => id,
        None => get("applications")?[0]["id"].as_str()?.to_owned(),
    };
    let (done, total) = count(&get(&format!("applications/{id}/jobs"))?)?;
    Some((id, done, total))
}

/// The tasks of all jobs so far. Those that are not needed, because their results are there, do not
/// count.
fn count(jobs: &Value) -> Option<(u64, u64)> {
    let mut tasks = (0, 0);
    for job in jobs.as_array()? {
        let number = |name: &str| job[name].as_u64().unwrap_or(0);
        tasks.0 += number("numCompletedTasks");
        tasks.1 += number("numTasks").saturating_sub(number("numSkippedTasks"));
    }
    (tasks.1 > 0).then_some(tasks)
}

#[cfg(test)]
mod tests {
    #[test]
    fn tasks_are_counted_over_all_jobs() {
        let jobs = serde_json::json!([
            {"numTasks": 10, "numCompletedTasks": 4, "numSkippedTasks": 2},
            {"numTasks": 3, "numCompletedTasks": 3, "numSkippedTasks": 0},
        ]);
        assert_eq!(super::count(&jobs), Some((7, 11)));
        assert_eq!(super::count(&serde_json::json!([])), None);
    }
}
