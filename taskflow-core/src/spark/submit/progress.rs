//! The progress of a running application, from the REST API of its driver.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::base::{Address, http};
use crate::task::TaskContext;

/// The delay before the first request, which makes the driver start its web UI: that costs seconds
/// of computing. A short job ends before.
const FIRST: Duration = Duration::from_secs(15);
/// The interval between two requests.
const PAUSE: Duration = Duration::from_secs(2);
/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Polls the progress until it is dropped.
#[derive(Debug)]
pub(super) struct Progress(JoinHandle<()>);

impl Progress {
    /// Polls the driver with the web UI at this address and reports the progress of the attempt.
    pub(super) fn of(ui: String, interval: Option<Duration>, context: TaskContext) -> Self {
        Progress(tokio::spawn(async move {
            let (mut application, mut pause) = (None, interval.unwrap_or(FIRST));
            loop {
                tokio::time::sleep(pause).await;
                pause = interval.unwrap_or(PAUSE);
                let (ui, known) = (ui.clone(), application.clone());
                let Ok(response) = tokio::task::spawn_blocking(move || request(&ui, known)).await else { return };
                if let Some((id, done, total)) = response {
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

/// Returns the application, the number of its completed tasks, and the number of its tasks.
fn request(ui: &str, application: Option<String>) -> Option<(String, u64, u64)> {
    let get = |path: &str| -> Option<Value> {
        let answer = http::get(&Address::new(&format!("{ui}/api/v1/{path}")).ok()?, TIMEOUT).ok()?;
        serde_json::from_str(&answer.body).ok()
    };
    let id = match application {
        Some(id) => id,
        None => get("applications")?[0]["id"].as_str()?.to_owned(),
    };
    let (done, total) = count(&get(&format!("applications/{id}/jobs"))?)?;
    Some((id, done, total))
}

/// The completed tasks and all tasks of the jobs so far. Skipped tasks, whose results exist
/// already, do not count.
pub(super) fn count(jobs: &Value) -> Option<(u64, u64)> {
    let mut tasks = (0_u64, 0_u64);
    for job in jobs.as_array()? {
        let number = |name: &str| job[name].as_u64().unwrap_or(0);
        // What answers need not be Spark.
        tasks.0 = tasks.0.saturating_add(number("numCompletedTasks"));
        tasks.1 = tasks.1.saturating_add(number("numTasks").saturating_sub(number("numSkippedTasks")));
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
        let many = serde_json::json!({"numTasks": u64::MAX, "numCompletedTasks": u64::MAX});
        assert_eq!(super::count(&serde_json::json!([many, many])), Some((u64::MAX, u64::MAX)));
    }
}
