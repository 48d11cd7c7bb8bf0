//! Kubernetes: submitted by `spark-submit`, followed by the API.
//!
//! - The driver's pod has a name of ours, made of the tag, so that it can be asked for without a
//!   look into any log; a label says the same, so that a pod of somebody else is not taken for
//!   ours.
//! - What counts is the container of the driver, and no other in its pod.
//! - A pod that is gone is a driver that is lost, and no success. Pods stay when they have ended;
//!   who cleans up is up to the cluster.

use std::time::Duration;

use serde_json::Value;

use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job, JobState, Logs};
use super::place::{Place, Program};
use super::submission::submit;
use crate::base::{Address, Answer, Timestamp, Verb, http};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The property that says in which namespace the driver is.
const NAMESPACE: &str = "spark.kubernetes.namespace";
/// The property that says what the container of the driver is called.
const CONTAINER: &str = "spark.kubernetes.driver.podTemplateContainerName";
/// The label with the tag.
const LABEL: &str = "taskflow-tag";
/// How many lines of the log of a driver are fetched.
const LINES: u32 = 2000;

/// A cluster of Kubernetes.
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
    /// When there is no `spark-submit`.
    pub(super) fn new(api: &str, place: &Place, said: impl Fn(&str) -> Option<String>) -> Result<Self, SparkError> {
        let namespace = said(NAMESPACE).or_else(|| place.namespace.clone()).unwrap_or_else(|| "default".to_owned());
        let container = said(CONTAINER).unwrap_or_else(|| "spark-kubernetes-driver".to_owned());
        let (api, program) = (api.trim_end_matches('/').to_owned(), place.program("spark-submit")?);
        Ok(Kubernetes { api, namespace, container, place: place.clone(), program })
    }

    fn ask(&self, verb: Verb, path: &str) -> Result<Answer, BackendError> {
        let url = format!("{}/api/v1/namespaces/{}/pods/{path}", self.api, self.namespace);
        let address = Address::new(&url).map_err(|error| BackendError::Transient(error.to_string()))?;
        let token = self.place.token.as_ref().map(|token| format!("Bearer {}", token.expose()));
        let headers: Vec<_> = token.map(|token| ("Authorization".to_owned(), token)).into_iter().collect();
        let authority = self.place.authority.as_deref();
        let answer = http::request(verb, &address, &headers, "", authority, PATIENCE);
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
            // A page that says that there is no such page says nothing of a pod.
            (404, Some(json)) if json["kind"] == "Status" => Ok(None),
            (200, Some(json)) if json["kind"] == "Pod" => Ok(Some(json)),
            (status, _) => Err(BackendError::Transient(format!(
                "{} is not a Kubernetes API: status {status}{}",
                self.api,
                answer.excerpt()
            ))),
        }
    }

    /// What has become of the driver, by its container.
    fn judge(&self, pod: &Value) -> JobState {
        let status = &pod["status"];
        let containers = status["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let driver = containers.iter().find(|container| container["name"] == self.container.as_str());
        let state = driver.map_or(&Value::Null, |driver| &driver["state"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(code) = state["terminated"]["exitCode"].as_i64() {
            if code == 0 && status["phase"] != "Failed" {
                return JobState::Succeeded;
            }
            let said = format!(
                "exit code {code} {} {}",
                text(&state["terminated"]["reason"]),
                text(&state["terminated"]["message"])
            );
            return JobState::Failed { state: "Failed".to_owned(), said: Some(said) };
        }
        let waits_for = text(&state["waiting"]["reason"]);
        if ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"]
            .contains(&waits_for.as_str())
        {
            let said = Some(text(&state["waiting"]["message"])).filter(|said| !said.is_empty());
            return JobState::Failed { state: waits_for, said };
        }
        match status["phase"].as_str() {
            Some("Pending") => JobState::Waiting,
            Some("Running") => JobState::Running,
            Some("Failed") => {
                let said = format!("{} {}", text(&status["reason"]), text(&status["message"]));
                JobState::Failed { state: "Failed".to_owned(), said: Some(said) }
            }
            phase => JobState::Unknown(format!(
                "its pod is {}, but its container `{}` has not ended",
                phase.unwrap_or("in no phase"),
                self.container
            )),
        }
    }
}

/// What the pod of the driver of a job is called.
fn pod_name(job: &Job) -> String {
    format!("{}-driver", job.tag)
}

impl Backend for Kubernetes {
    fn reach(&self, job: &Job) -> Result<(), SparkError> {
        // It asks for what must be allowed anyway: to look at the pod of the driver, which is not
        // there yet.
        self.pod(&pod_name(job)).map(drop).map_err(|trouble| trouble.of(&self.place.master))
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
        Ok(self.pod(id)?.map_or(JobState::Gone, |pod| self.judge(&pod)))
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
        // Both streams are one there.
        let stderr = log.ok().filter(|answer| answer.status == 200).map(|answer| answer.body).unwrap_or_default();
        Logs { stderr, ..Logs::default() }
    }

    fn links(&self, _: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
