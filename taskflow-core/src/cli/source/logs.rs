//! The logs of a run at a service. A home has them as files, which the verb reads itself.

use super::reads::given;
use super::{Client, Events, segment};
use crate::cli::error::CliError;
use crate::log::LogLevel;

impl Client {
    /// The lines of the logs of a run of this level and above, by time.
    pub(in crate::cli) fn log(
        &self,
        run_id: &str,
        task: Option<&str>,
        attempt: Option<u32>,
        level: LogLevel,
    ) -> Result<String, CliError> {
        let query = given([
            ("task", task.map(str::to_owned)),
            ("attempt", attempt.map(|attempt| attempt.to_string())),
            ("level", Some(level.as_str().to_ascii_lowercase())),
        ]);
        self.text(&format!("/runs/{}/log", segment(run_id)), &query)
    }

    /// The same lines as events, several in each, and new ones until the run has ended.
    pub(in crate::cli) fn follow_log(
        &self,
        run_id: &str,
        task: Option<&str>,
        attempt: Option<u32>,
        level: LogLevel,
    ) -> Events<'_> {
        let query = given([
            ("follow", Some("true".to_owned())),
            ("task", task.map(str::to_owned)),
            ("attempt", attempt.map(|attempt| attempt.to_string())),
            ("level", Some(level.as_str().to_ascii_lowercase())),
        ]);
        self.events(format!("/runs/{}/log", segment(run_id)), query)
    }
}
