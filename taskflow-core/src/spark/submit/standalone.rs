//! A standalone cluster, with the REST protocol of its masters: this machine needs no JVM.
//!
//! - Requests are sent to the masters in order, until the active one answers; the others are on
//!   standby.
//! - For an unknown id the REST server responds with 200 and without a state. It does not report
//!   why a driver failed; that is in the driver's log, which the worker serves.
//! - The master does not support tags. The tag is a property, and the log of a driver begins with
//!   its command line, which contains all properties. Therefore the tag is searched for in the logs
//!   of the drivers that were submitted since the intent.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::reach::connect_to_any;
use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job, JobState, Logs};
use super::place::Place;
use super::properties::{TAG, url};
use super::spec::AppKind;
use crate::base::{Address, Answer, Timestamp, http};
use crate::config::Secret;

/// The time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest tolerated difference between the clocks of two machines.
const SKEW: Duration = Duration::from_secs(300);
/// How many bytes of the beginning of a log are searched for a tag: class paths are long.
const BEGINNING: u32 = 256 << 10;
/// How many bytes of the end of a log are fetched.
const END: u32 = 256 << 10;
/// How many ended drivers a master retains (`spark.deploy.retainedDrivers`).
const RETAINED: usize = 200;

/// The masters of a standalone cluster.
#[derive(Debug)]
pub(super) struct Standalone {
    /// The job, for messages.
    app: String,
    master: String,
    /// The REST server of each master.
    rest: Vec<String>,
    /// The web UI of each master.
    pages: Vec<String>,
    token: Option<Secret>,
}

impl Standalone {
    pub(super) fn new(app: &str, place: &Place, hosts: &[String]) -> Self {
        let at = |scheme: &str, port: u16| {
            let name = |host: &String| host.rsplit_once(':').map_or(host.clone(), |(name, _)| name.to_owned());
            hosts.iter().map(|host| format!("{scheme}://{}:{port}", name(host))).collect()
        };
        Standalone {
            app: app.to_owned(),
            master: place.master.to_string(),
            rest: at(&place.rest_scheme, place.rest_port),
            pages: at(&place.rest_scheme, place.ui_port),
            token: place.token.clone(),
        }
    }

    /// Sends a request to the masters in order and returns the answer of the active one.
    fn ask(&self, path: &str, body: Option<&str>) -> Result<(String, Value), BackendError> {
        let mut errors = Vec::new();
        for base in &self.rest {
            match self.ask_one(base, path, body) {
                Ok(answer) if is_on_standby(&answer) => errors.push(format!("{base} is on standby")),
                Ok(answer) => return Ok((base.clone(), answer)),
                Err(BackendError::Transient(why)) => errors.push(why),
                Err(permanent) => return Err(permanent),
            }
        }
        Err(BackendError::Transient(errors.join("; ")))
    }

    fn ask_one(&self, base: &str, path: &str, body: Option<&str>) -> Result<Value, BackendError> {
        let transient = |why: String| BackendError::Transient(why);
        let address =
            Address::new(&format!("{base}/v1/submissions/{path}")).map_err(|error| transient(error.to_string()))?;
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(self.bearer());
        let answer = match body {
            Some(body) => http::post(&address, &headers, body, TIMEOUT),
            None => http::get_with(&address, &headers[1..], TIMEOUT),
        };
        let answer = answer.map_err(|error| transient(error.to_string()))?;
        self.json_of(base, &answer)
    }

    /// The JSON of an answer, if it comes from a master.
    fn json_of(&self, base: &str, answer: &Answer) -> Result<Value, BackendError> {
        let Answer { status, body, .. } = answer;
        let json: Option<Value> = serde_json::from_str(body).ok().filter(|json: &Value| json["action"].is_string());
        let got = || format!(" with status {status}{}", answer.excerpt());
        let not_a_master = || SparkError::NotAMaster { endpoint: base.to_owned(), got: got() };
        let refused = |message: String, retryable| SparkError::SubmitRejected {
            app: self.app.clone(),
            endpoint: base.to_owned(),
            status: *status,
            message,
            retryable,
        };
        match (*status, json) {
            (401 | 403, _) => {
                Err(BackendError::Permanent(SparkError::AuthFailed { endpoint: base.to_owned(), status: *status }))
            }
            (200, Some(json)) => Ok(json),
            (468, json) => {
                let highest = json.map_or(Value::Null, |json| json["highestProtocolVersion"].clone());
                let message = format!(
                    "it does not support version v1 of the protocol; the highest supported version is {highest}"
                );
                Err(BackendError::Permanent(refused(message, false)))
            }
            (413, _) => {
                let message =
                    "the request is larger than it accepts (`spark.master.rest.maxRequestBodySize`)".to_owned();
                Err(BackendError::Permanent(refused(message, false)))
            }
            (400..=499, Some(json)) => Err(BackendError::Permanent(refused(message(&json), false))),
            // The page of another server, or of a proxy.
            (300..=499, None) => Err(BackendError::Permanent(not_a_master())),
            (200, None) if body.trim_start().starts_with('<') => Err(BackendError::Permanent(not_a_master())),
            (status, _) => {
                Err(BackendError::Transient(format!("{base} answered with status {status}{}", answer.excerpt())))
            }
        }
    }

    fn bearer(&self) -> Option<(String, String)> {
        self.token.as_ref().map(|token| ("Authorization".to_owned(), format!("Bearer {}", token.expose())))
    }

    /// Fetches a page of a master or a worker.
    fn page(&self, url: &str) -> Result<String, String> {
        let address = Address::new(url).map_err(|error| error.to_string())?;
        let headers: Vec<_> = self.bearer().into_iter().collect();
        let answer = http::get_with(&address, &headers, TIMEOUT).map_err(|error| error.to_string())?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{address} answered with status {}{}", answer.status, answer.excerpt()))
        }
    }

    /// The workers and drivers that the active master lists.
    fn overview(&self) -> Result<Value, String> {
        let mut errors = Vec::new();
        for base in &self.pages {
            match self.page(&format!("{base}/json/")).map(|body| serde_json::from_str::<Value>(&body)) {
                Ok(Ok(json)) if json["status"] == "ALIVE" => return Ok(json),
                Ok(Ok(json)) => errors.push(format!("{base} is {}", json["status"])),
                Ok(Err(error)) => errors.push(format!("{base} did not return JSON: {error}")),
                Err(why) => errors.push(why),
            }
        }
        Err(errors.join("; "))
    }

    /// The address of a worker's web UI.
    fn worker<'a>(overview: &'a Value, id: &str) -> Option<&'a str> {
        let workers = overview["workers"].as_array()?;
        workers.iter().find(|worker| worker["id"] == id)?["webuiaddress"].as_str()
    }

    /// Fetches a part of a log, without the header line of the worker.
    fn log(&self, worker: &str, id: &str, which: &str, part: &str) -> Result<String, String> {
        let page = self.page(&format!("{worker}/log/?driverId={id}&logType={which}&{part}"))?;
        Ok(match page.split_once('\n') {
            Some((first, rest)) if first.starts_with("==== Bytes ") => rest.to_owned(),
            _ if page.starts_with("==== Bytes ") => String::new(),
            _ => page,
        })
    }

    /// Whether this driver has the tag, or why that is unclear.
    fn has_tag(&self, overview: &Value, driver: &Value, tag: &str) -> Result<bool, String> {
        let id = driver["id"].as_str().unwrap_or_default();
        let worker = driver["worker"].as_str().filter(|worker| *worker != "None" && !worker.is_empty());
        let Some(worker) = worker else {
            // It waits, or was killed before it started and has done nothing.
            let waits = matches!(driver["state"].as_str(), Some("SUBMITTED" | "RELAUNCHING" | "UNKNOWN"));
            return if waits { Err(format!("the driver {id} has no worker yet")) } else { Ok(false) };
        };
        let pages = Self::worker(overview, worker).ok_or_else(|| format!("the worker of the driver {id} is gone"))?;
        let log = self.log(pages, id, "stderr", &format!("offset=0&byteLength={BEGINNING}"))?;
        if log.contains(&format!("\"-D{TAG}={tag}\"")) {
            return Ok(true);
        }
        // A driver that could not be launched, for example because its jar is missing, has an error
        // and no log, and has done nothing.
        if log.contains("Launch Command: ") || driver["state"] == "ERROR" {
            Ok(false)
        } else {
            Err(format!("the log of the driver {id} is still empty"))
        }
    }
}

fn is_on_standby(answer: &Value) -> bool {
    answer["success"] == false && message(answer).contains("Current state is not alive")
}

fn message(answer: &Value) -> String {
    answer["message"].as_str().unwrap_or("no reason given").to_owned()
}

impl Backend for Standalone {
    fn reach(&self, _: &Job) -> Result<(), SparkError> {
        let hosts = self.rest.iter().filter_map(|base| base.split_once("://").map(|(_, host)| host));
        connect_to_any(hosts).map_err(|why| SparkError::RestUnreachable { master: self.master.clone(), why })
    }

    fn submit(&self, job: &Job) -> Result<String, BackendError> {
        let body = request(job, &self.master).to_string();
        let (endpoint, answer) = self.ask("create", Some(&body))?;
        match (answer["success"] == true, answer["submissionId"].as_str()) {
            (true, Some(id)) => Ok(id.to_owned()),
            _ => Err(BackendError::Permanent(SparkError::SubmitRejected {
                app: self.app.clone(),
                endpoint,
                status: 200,
                message: message(&answer),
                retryable: true,
            })),
        }
    }

    fn status(&self, id: &str) -> Result<JobState, BackendError> {
        let (_, answer) = self.ask(&format!("status/{id}"), None)?;
        let reason = answer["message"].as_str().map(str::to_owned);
        Ok(match answer["driverState"].as_str() {
            Some("SUBMITTED") => JobState::Waiting,
            Some("RUNNING" | "RELAUNCHING") => JobState::Running,
            Some("FINISHED") => JobState::Succeeded,
            Some("KILLED") => JobState::Killed,
            Some(state @ ("FAILED" | "ERROR")) => JobState::Failed { state: state.to_owned(), message: reason },
            Some(state) => JobState::Unknown(format!("the master reports {state}")),
            None if answer["action"] == "SubmissionStatusResponse" => JobState::Gone,
            None => {
                return Err(BackendError::Transient(format!(
                    "unexpected response of the master: {}",
                    message(&answer)
                )));
            }
        })
    }

    fn kill(&self, id: &str) -> Result<(), BackendError> {
        self.ask(&format!("kill/{id}"), Some("")).map(drop)
    }

    fn find(&self, job: &Job, since: Timestamp) -> Found {
        let class = main_class(job);
        let overview = match self.overview() {
            Ok(overview) => overview,
            Err(why) => return Found::Undecided(why),
        };
        let drivers = |list: &str| overview[list].as_array().cloned().unwrap_or_default();
        let ended = drivers("completeddrivers");
        let earliest = (since - SKEW).as_nanos() / 1_000_000;
        let started = |driver: &Value| driver["starttime"].as_str().and_then(|time| time.parse::<i64>().ok());
        let is_late = |driver: &Value| started(driver).is_none_or(|time| time >= earliest);
        let forgotten = ended.len() >= RETAINED && ended.iter().all(is_late);
        let may_be = |driver: &&Value| {
            let other =
                class.as_ref().is_some_and(|class| driver["mainclass"].as_str().is_some_and(|main| main != class));
            is_late(driver) && !other
        };
        let mut unclear =
            forgotten.then(|| "the master does not retain all drivers that have ended since then".to_owned());
        for driver in drivers("activedrivers").iter().chain(&ended).filter(may_be) {
            match self.has_tag(&overview, driver, &job.tag) {
                Ok(true) => return Found::At(driver["id"].as_str().unwrap_or_default().to_owned()),
                Ok(false) => {}
                Err(why) => unclear = Some(why),
            }
        }
        unclear.map_or(Found::Nowhere, Found::Undecided)
    }

    fn logs(&self, id: &str) -> Logs {
        let found = self.overview().ok().and_then(|overview| {
            let drivers = ["activedrivers", "completeddrivers"].map(|list| overview[list].as_array().cloned());
            let driver = drivers.into_iter().flatten().flatten().find(|driver| driver["id"] == id)?;
            Some(Self::worker(&overview, driver["worker"].as_str()?)?.to_owned())
        });
        let Some(worker) = found else { return Logs::default() };
        let log = |which: &str| {
            let log = self.log(&worker, id, which, &format!("byteLength={END}"));
            log.unwrap_or_else(|error| {
                tracing::warn!(target: "taskflow", "the {which} of the driver {id} cannot be fetched: {error}");
                String::new()
            })
        };
        let host = worker.split_once("://").map(|(_, rest)| rest.split([':', '/']).next().unwrap_or(rest).to_owned());
        Logs { stdout: log("stdout"), stderr: log("stderr"), host }
    }

    fn links(&self, _: &str) -> Vec<(&'static str, String)> {
        self.pages.first().map(|pages| ("master", pages.clone())).into_iter().collect()
    }
}

/// The request to the REST server. It contains only the configured environment variables, not
/// those of this process.
fn request(job: &Job, master: &str) -> Value {
    let Job { spec, settings, tag, .. } = job;
    let mut properties = settings.properties.clone();
    let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);
    set("spark.master", master.to_owned());
    set("spark.submit.deployMode", "cluster".to_owned());
    set(TAG, tag.clone());
    let mut env = settings.env.clone();
    env.entry("SPARK_ENV_LOADED".to_owned()).or_insert_with(|| "1".to_owned());
    let args = || spec.args.iter().map(|arg| arg.known().to_owned());
    let app = url(&spec.app);
    let (resource, class, args) = if spec.app_kind() == Some(AppKind::Python) {
        // The driver is `spark-submit` itself, in client mode on the worker.
        let properties =
            settings.properties.iter().flat_map(|(key, value)| ["--conf".to_owned(), format!("{key}={value}")]);
        let options = ["--master".to_owned(), master.to_owned()].into_iter().chain(properties);
        let path =
            spec.path().map_or_else(|| spec.app.clone(), |path| url(path).trim_start_matches("file:").to_owned());
        (String::new(), "org.apache.spark.deploy.SparkSubmit".to_owned(), options.chain([path]).chain(args()).collect())
    } else {
        let jars = properties.get("spark.jars").map(|jars| format!("{app},{jars}"));
        properties.insert("spark.jars".to_owned(), jars.unwrap_or_else(|| app.clone()));
        (app, spec.class.clone().unwrap_or_default(), args().collect::<Vec<_>>())
    };
    json!({
        "action": "CreateSubmissionRequest",
        "clientSparkVersion": "4.0.0",
        "appResource": resource,
        "mainClass": class,
        "appArgs": args,
        "environmentVariables": env,
        "sparkProperties": properties,
    })
}

/// The main class of a job on a standalone cluster.
fn main_class(job: &Job) -> Option<String> {
    match job.spec.app_kind() {
        Some(AppKind::Python) => Some("org.apache.spark.deploy.SparkSubmit".to_owned()),
        _ => job.spec.class.clone(),
    }
}

/// For fuzzing: reads a document as the answer of a master.
pub(super) fn read_any(answer: &Value) {
    let _ = (is_on_standby(answer), message(answer), Standalone::worker(answer, "worker-1"));
}
