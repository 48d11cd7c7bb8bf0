//! Kubernetes: submits with `spark-submit` and follows jobs with the API server.
//!
//! - The name of the driver's pod is derived from the tag, so that the pod is found without parsing
//!   a log. A label repeats the tag, so that the pod of another program is not mistaken for it.
//! - Only the container of the driver counts, not the other containers of its pod.
//! - A missing pod means that the driver is lost, not that it succeeded. Ended pods remain;
//!   cleaning up is left to the cluster.

use std::time::Duration;

use serde_json::Value;

use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job, JobState, Logs};
use super::place::{Place, Program};
use super::submission::submit;
use crate::base::{Address, Answer, Timestamp, Verb, http};

/// The time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The property with the namespace of the driver.
const NAMESPACE: &str = "spark.kubernetes.namespace";
/// The property with the name of the driver's container.
const CONTAINER: &str = "spark.kubernetes.driver.podTemplateContainerName";
/// The label with the tag.
const LABEL: &str = "taskflow-tag";
/// How many lines of a driver's log are fetched.
const LINES: u32 = 2000;

/// A Kubernetes cluster.
#[derive(Debug)]
pub(super) struct Kubernetes {
    api: String,
    namespace: String,
    container: String,
    place: Place,
    program: Program,
}

impl Kubernetes {
    /// # Errors
    ///
    /// If there is no `spark-submit`.
    pub(super) fn new(api: &str, place: &Place, property: impl Fn(&str) -> Option<String>) -> Result<Self, SparkError> {
        let namespace = property(NAMESPACE).or_else(|| place.namespace.clone()).unwrap_or_else(|| "default".to_owned());
        let container = property(CONTAINER).unwrap_or_else(|| "spark-kubernetes-driver".to_owned());
        let (api, program) = (api.trim_end_matches('/').to_owned(), place.program("spark-submit")?);
        Ok(Kubernetes { api, namespace, container, place: place.clone(), program })
    }

    fn ask(&self, verb: Verb, path: &str) -> Result<Answer, BackendError> {
        let url = format!("{}/api/v1/namespaces/{}/pods/{path}", self.api, self.namespace);
        let address = Address::new(&url).map_err(|error| BackendError::Transient(error.to_string()))?;
        let token = self.place.token.as_ref().map(|token| format!("Bearer {}", token.expose()));
        let headers: Vec<_> = token.map(|token| ("Authorization".to_owned(), token)).into_iter().collect();
        let authority = self.place.authority.as_deref();
        let answer = http::request(verb, &address, &headers, "", authority, TIMEOUT);
        let answer = answer.map_err(|error| BackendError::Transient(error.to_string()))?;
        match answer.status {
            401 | 403 => {
                let error = SparkError::AuthFailed { endpoint: self.api.clone(), status: answer.status };
                Err(BackendError::Permanent(error))
            }
            200..=299 | 404 => Ok(answer),
            status => {
                Err(BackendError::Transient(format!("{address} answered with status {status}{}", answer.excerpt())))
            }
        }
    }

    fn pod(&self, name: &str) -> Result<Option<Value>, BackendError> {
        let answer = self.ask(Verb::Get, name)?;
        let json: Option<Value> = serde_json::from_str(&answer.body).ok();
        match (answer.status, json) {
            // A 404 from anything but the API proves nothing about the pod.
            (404, Some(json)) if json["kind"] == "Status" => Ok(None),
            (200, Some(json)) if json["kind"] == "Pod" => Ok(Some(json)),
            (status, _) => Err(BackendError::Transient(format!(
                "{} is not the API server of Kubernetes: status {status}{}",
                self.api,
                answer.excerpt()
            ))),
        }
    }

    /// The state of the driver, from its container.
    fn state_of(&self, pod: &Value) -> JobState {
        let status = &pod["status"];
        let containers = status["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let driver = containers.iter().find(|container| container["name"] == self.container.as_str());
        let state = driver.map_or(&Value::Null, |driver| &driver["state"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(code) = state["terminated"]["exitCode"].as_i64() {
            if code == 0 && status["phase"] != "Failed" {
                return JobState::Succeeded;
            }
            let message = format!(
                "exit code {code} {} {}",
                text(&state["terminated"]["reason"]),
                text(&state["terminated"]["message"])
            );
            return JobState::Failed { state: "Failed".to_owned(), message: Some(message) };
        }
        let waits_for = text(&state["waiting"]["reason"]);
        if ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"]
            .contains(&waits_for.as_str())
        {
            let message = Some(text(&state["waiting"]["message"])).filter(|message| !message.is_empty());
            return JobState::Failed { state: waits_for, message };
        }
        match status["phase"].as_str() {
            Some("Pending") => JobState::Waiting,
            Some("Running") => JobState::Running,
            Some("Failed") => {
                let message = format!("{} {}", text(&status["reason"]), text(&status["message"]));
                JobState::Failed { state: "Failed".to_owned(), message: Some(message) }
            }
            phase => JobState::Unknown(format!(
                "its pod is {}, but its container `{}` has not ended",
                phase.unwrap_or("in no phase"),
                self.container
            )),
        }
    }
}

/// The name of the pod of a job's driver.
fn pod_name(job: &Job) -> String {
    format!("{}-driver", job.tag)
}

impl Backend for Kubernetes {
    fn reach(&self, job: &Job) -> Result<(), SparkError> {
        // Reading the pod of the driver needs only permissions that are needed later anyway. The
        // pod does not exist yet.
        self.pod(&pod_name(job)).map(drop).map_err(|error| error.of(&self.place.master))
    }

    fn submit(&self, job: &Job) -> Result<String, BackendError> {
        let mut settings = job.settings.clone();
        for (name, value) in std::mem::take(&mut settings.env) {
            settings.properties.insert(format!("spark.kubernetes.driverEnv.{name}"), value);
        }
        for (key, value) in [
            ("spark.kubernetes.submission.waitAppCompletion", "false".to_owned()),
            ("spark.kubernetes.driver.pod.name", pod_name(job)),
            (NAMESPACE, self.namespace.clone()),
            (&format!("spark.kubernetes.driver.label.{LABEL}"), job.tag.clone()),
            (&format!("spark.kubernetes.executor.label.{LABEL}"), job.tag.clone()),
        ] {
            settings.properties.insert(key.to_owned(), value);
        }
        submit(self, job, &self.place, &self.program, &settings)
    }

    fn status(&self, id: &str) -> Result<JobState, BackendError> {
        Ok(self.pod(id)?.map_or(JobState::Gone, |pod| self.state_of(&pod)))
    }

    fn kill(&self, id: &str) -> Result<(), BackendError> {
        self.ask(Verb::Delete, id).map(drop)
    }

    fn find(&self, job: &Job, _: Timestamp) -> Found {
        let name = pod_name(job);
        match self.pod(&name) {
            Ok(None) => Found::Nowhere,
            Ok(Some(pod)) if pod["metadata"]["labels"][LABEL] == job.tag.as_str() => Found::At(name),
            Ok(Some(_)) => Found::Undecided(format!("the pod {name} does not belong to this job")),
            Err(BackendError::Transient(why)) => Found::Undecided(why),
            Err(BackendError::Permanent(error)) => Found::Undecided(error.to_string()),
        }
    }

    fn logs(&self, id: &str) -> Logs {
        let log = self.ask(Verb::Get, &format!("{id}/log?container={}&tailLines={LINES}", self.container));
        // Kubernetes merges both streams.
        let stderr = log.ok().filter(|answer| answer.status == 200).map(|answer| answer.body).unwrap_or_default();
        Logs { stderr, ..Logs::default() }
    }

    fn links(&self, _: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
