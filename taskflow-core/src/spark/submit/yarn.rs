//! YARN: submits with `spark-submit` and follows jobs with the REST API of the resource manager.
//!
//! - The tag is a YARN application tag, by which the resource manager finds applications; no log
//!   has to be parsed.
//! - Of several resource managers, the active one answers.

use std::time::Duration;

use serde_json::Value;

use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job, JobState, Logs};
use super::place::{Place, Program};
use super::submission::submit;
use crate::base::{Address, Timestamp, Verb, http};

/// The time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A YARN cluster.
#[derive(Debug)]
pub(super) struct Yarn {
    place: Place,
    program: Program,
}

impl Yarn {
    /// # Errors
    ///
    /// If no resource manager is configured, or there is no `spark-submit`.
    pub(super) fn new(app: &str, place: &Place) -> Result<Self, SparkError> {
        if place.managers.is_empty() {
            let why = "cluster mode on YARN needs the address of the resource manager, to follow the job; set \
                       `.resource_manager(\"http://host:8088\")` or the extra `yarn_resourcemanager_webapp_address` of the connection";
            return Err(SparkError::Config { app: app.to_owned(), why: why.to_owned() });
        }
        Ok(Yarn { place: place.clone(), program: place.program("spark-submit")? })
    }

    fn ask(&self, verb: Verb, path: &str, body: &str) -> Result<(u16, Value), BackendError> {
        let mut errors = Vec::new();
        for base in &self.place.managers {
            let user = self.place.login.as_ref().map(|login| {
                let separator = if path.contains('?') { '&' } else { '?' };
                format!("{separator}user.name={login}")
            });
            let url = format!("{base}/ws/v1/cluster/{path}{}", user.unwrap_or_default());
            let address = Address::new(&url).map_err(|error| BackendError::Transient(error.to_string()))?;
            let headers = [("Accept", "application/json"), ("Content-Type", "application/json")];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            match http::request(verb, &address, &headers, body, None, TIMEOUT) {
                Err(error) => errors.push(error.to_string()),
                Ok(answer) if matches!(answer.status, 401 | 403) => {
                    let error = SparkError::AuthFailed { endpoint: base.clone(), status: answer.status };
                    return Err(BackendError::Permanent(error));
                }
                Ok(answer) => match serde_json::from_str(&answer.body) {
                    Ok(json) if answer.status < 500 => return Ok((answer.status, json)),
                    _ if answer.body.contains("standby RM") => errors.push(format!("{base} is on standby")),
                    _ => errors.push(format!("{base} answered with status {}{}", answer.status, answer.excerpt())),
                },
            }
        }
        Err(BackendError::Transient(errors.join("; ")))
    }

    fn application(&self, id: &str) -> Result<Option<Value>, BackendError> {
        let (status, json) = self.ask(Verb::Get, &format!("apps/{id}"), "")?;
        match status {
            404 => Ok(None),
            _ if json["app"].is_object() => Ok(Some(json["app"].clone())),
            _ => Err(BackendError::Transient(format!(
                "unexpected response of the resource manager, with status {status}"
            ))),
        }
    }
}

impl Backend for Yarn {
    fn reach(&self, _: &Job) -> Result<(), SparkError> {
        self.ask(Verb::Get, "info", "").map(drop).map_err(|error| error.of(&self.place.master))
    }

    fn submit(&self, job: &Job) -> Result<String, BackendError> {
        let mut settings = job.settings.clone();
        for (name, value) in std::mem::take(&mut settings.env) {
            settings.properties.insert(format!("spark.yarn.appMasterEnv.{name}"), value);
        }
        settings.properties.insert("spark.yarn.submit.waitAppCompletion".to_owned(), "false".to_owned());
        let tags = settings.properties.get("spark.yarn.tags").map(|tags| format!("{tags},{}", job.tag));
        settings.properties.insert("spark.yarn.tags".to_owned(), tags.unwrap_or_else(|| job.tag.clone()));
        submit(self, job, &self.place, &self.program, &settings)
    }

    fn status(&self, id: &str) -> Result<JobState, BackendError> {
        let Some(app) = self.application(id)? else { return Ok(JobState::Gone) };
        let text = |key: &str| app[key].as_str().unwrap_or_default().to_owned();
        let failed = |state: String| JobState::Failed { state, message: Some(text("diagnostics")) };
        Ok(match (text("state").as_str(), text("finalStatus").as_str()) {
            ("NEW" | "NEW_SAVING" | "SUBMITTED" | "ACCEPTED", _) => JobState::Waiting,
            ("RUNNING", _) => JobState::Running,
            ("FINISHED", "SUCCEEDED") => JobState::Succeeded,
            ("FINISHED", "FAILED") | ("FAILED", _) => failed("FAILED".to_owned()),
            ("FINISHED", "KILLED") | ("KILLED", _) => JobState::Killed,
            (state, end) => JobState::Unknown(format!("the resource manager reports {state} ({end})")),
        })
    }

    fn kill(&self, id: &str) -> Result<(), BackendError> {
        self.ask(Verb::Put, &format!("apps/{id}/state"), r#"{"state":"KILLED"}"#).map(drop)
    }

    fn find(&self, job: &Job, _: Timestamp) -> Found {
        let answer = match self.ask(Verb::Get, &format!("apps?applicationTags={}", job.tag), "") {
            Ok((200, json)) => json,
            Ok((status, _)) => return Found::Undecided(format!("the resource manager answered with status {status}")),
            Err(BackendError::Transient(why)) => return Found::Undecided(why),
            Err(BackendError::Permanent(error)) => return Found::Undecided(error.to_string()),
        };
        let apps = answer["apps"]["app"].as_array().map(Vec::as_slice).unwrap_or_default();
        match apps {
            [] => Found::Nowhere,
            [app] => match app["id"].as_str() {
                Some(id) => Found::At(id.to_owned()),
                None => Found::Undecided("unexpected response of the resource manager".to_owned()),
            },
            several => Found::Undecided(format!("{} applications have the tag {}", several.len(), job.tag)),
        }
    }

    fn logs(&self, _: &str) -> Logs {
        // The node managers have them, or YARN's log aggregation; the link leads there.
        Logs::default()
    }

    fn links(&self, id: &str) -> Vec<(&'static str, String)> {
        let app = self.application(id).ok().flatten();
        let url = app.and_then(|app| app["trackingUrl"].as_str().map(str::to_owned));
        let page = self.place.managers.first().map(|base| format!("{base}/cluster/app/{id}"));
        let url = url.filter(|url| url.starts_with("http")).map(|url| ("driver", url));
        page.map(|page| ("application", page)).into_iter().chain(url).collect()
    }

    fn application_id(&self, id: &str) -> Option<String> {
        Some(id.to_owned())
    }
}
