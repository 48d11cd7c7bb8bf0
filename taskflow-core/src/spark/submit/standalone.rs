//! A standalone cluster, by the REST protocol of its masters: no JVM is needed here.
//!
//! - Requests go to the masters in their order, until one says that it is the one in charge; the
//!   others stand by.
//! - The REST server answers an unknown id with 200 and without a state. It says nothing of why a
//!   driver failed: that stands in the log of the driver, which the worker shows.
//! - The master has no place for a tag. It is a property, and the log of a driver begins with its
//!   command line, in which all properties stand: there it is looked for, in the logs of the
//!   drivers that were submitted since the intent.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::reach::knock;
use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job, JobState, Logs};
use super::place::Place;
use super::properties::{TAG, url};
use super::spec::Sort;
use crate::base::{Address, Answer, Timestamp, http};
use crate::config::Secret;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(300);
/// How much of the beginning of a log is looked through for a tag, in bytes: class paths are long.
const BEGINNING: u32 = 256 << 10;
/// How much of the end of a log is fetched, in bytes.
const END: u32 = 256 << 10;
/// How many drivers a master remembers that have ended (`spark.deploy.retainedDrivers`).
const REMEMBERED: usize = 200;

/// The masters of a cluster.
#[derive(Debug)]
pub(super) struct Standalone {
    /// The job, for messages.
    app: String,
    master: String,
    /// The REST server of each.
    rest: Vec<String>,
    /// The web pages of each.
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

    /// Asks the masters in their order; the answer is of the first that is in charge.
    fn ask(&self, path: &str, body: Option<&str>) -> Result<(String, Value), BackendError> {
        let mut heard = Vec::new();
        for base in &self.rest {
            match self.ask_one(base, path, body) {
                Ok(answer) if stands_by(&answer) => heard.push(format!("{base} is on standby")),
                Ok(answer) => return Ok((base.clone(), answer)),
                Err(BackendError::Transient(why)) => heard.push(why),
                Err(never) => return Err(never),
            }
        }
        Err(BackendError::Transient(heard.join("; ")))
    }

    fn ask_one(&self, base: &str, path: &str, body: Option<&str>) -> Result<Value, BackendError> {
        let later = |why: String| BackendError::Transient(why);
        let address =
            Address::new(&format!("{base}/v1/submissions/{path}")).map_err(|error| later(error.to_string()))?;
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(self.bearer());
        let answer = match body {
            Some(body) => http::post(&address, &headers, body, PATIENCE),
            None => http::get_with(&address, &headers[1..], PATIENCE),
        };
        let answer = answer.map_err(|error| later(error.to_string()))?;
        self.judge(base, &answer)
    }

    /// The JSON of an answer, if it is one of a master.
    fn judge(&self, base: &str, answer: &Answer) -> Result<Value, BackendError> {
        let Answer { status, body } = answer;
        let json: Option<Value> = serde_json::from_str(body).ok().filter(|json: &Value| json["action"].is_string());
        let not_a_master = || SparkError::NotAMaster { endpoint: base.to_owned(), got: answer.excerpt() };
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
                let message = format!("it does not speak v1 of the protocol; the highest it speaks is {highest}");
                Err(BackendError::Permanent(refused(message, false)))
            }
            (413, _) => {
                let message = "the request is larger than `spark.master.rest.maxRequestBodySize`".to_owned();
                Err(BackendError::Permanent(refused(message, false)))
            }
            (400..=499, Some(json)) => Err(BackendError::Permanent(refused(message(&json), false))),
            // A page of something else, or of a proxy before it.
            (400..=499, None) => Err(BackendError::Permanent(not_a_master())),
            (200, None) if body.trim_start().starts_with('<') => Err(BackendError::Permanent(not_a_master())),
            (status, _) => {
                Err(BackendError::Transient(format!("{base} answered with status {status}{}", answer.excerpt())))
            }
        }
    }

    fn bearer(&self) -> Option<(String, String)> {
        self.token.as_ref().map(|token| ("Authorization".to_owned(), format!("Bearer {}", token.expose())))
    }

    /// What a page of a master or a worker says.
    fn page(&self, url: &str) -> Result<String, String> {
        let address = Address::new(url).map_err(|error| error.to_string())?;
        let headers: Vec<_> = self.bearer().into_iter().collect();
        let answer = http::get_with(&address, &headers, PATIENCE).map_err(|error| error.to_string())?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{address} answered with status {}{}", answer.status, answer.excerpt()))
        }
    }

    /// What the master in charge says of its workers and drivers.
    fn overview(&self) -> Result<Value, String> {
        let mut heard = Vec::new();
        for base in &self.pages {
            match self.page(&format!("{base}/json/")).map(|body| serde_json::from_str::<Value>(&body)) {
                Ok(Ok(json)) if json["status"] == "ALIVE" => return Ok(json),
                Ok(Ok(json)) => heard.push(format!("{base} is {}", json["status"])),
                Ok(Err(error)) => heard.push(format!("{base} does not return JSON: {error}")),
                Err(why) => heard.push(why),
            }
        }
        Err(heard.join("; "))
    }

    /// The pages of the worker with an id.
    fn worker<'a>(overview: &'a Value, id: &str) -> Option<&'a str> {
        let workers = overview["workers"].as_array()?;
        workers.iter().find(|worker| worker["id"] == id)?["webuiaddress"].as_str()
    }

    /// A part of a log, without the line that the worker puts before it.
    fn log(&self, worker: &str, id: &str, which: &str, part: &str) -> Result<String, String> {
        let page = self.page(&format!("{worker}/log/?driverId={id}&logType={which}&{part}"))?;
        Ok(match page.split_once('\n') {
            Some((first, rest)) if first.starts_with("==== Bytes ") => rest.to_owned(),
            _ if page.starts_with("==== Bytes ") => String::new(),
            _ => page,
        })
    }

    /// Whether this driver has the tag; why that cannot be said.
    fn has_tag(&self, overview: &Value, driver: &Value, tag: &str) -> Result<bool, String> {
        let id = driver["id"].as_str().unwrap_or_default();
        let worker = driver["worker"].as_str().filter(|worker| *worker != "None" && !worker.is_empty());
        let Some(worker) = worker else {
            // It waits, or was ended before it began: then it has done nothing.
            let waits = matches!(driver["state"].as_str(), Some("SUBMITTED" | "RELAUNCHING" | "UNKNOWN"));
            return if waits { Err(format!("the driver {id} has no worker yet")) } else { Ok(false) };
        };
        let pages = Self::worker(overview, worker).ok_or_else(|| format!("the worker of the driver {id} is gone"))?;
        let log = self.log(pages, id, "stderr", &format!("offset=0&byteLength={BEGINNING}"))?;
        if log.contains(&format!("\"-D{TAG}={tag}\"")) {
            return Ok(true);
        }
        // One that could not be launched, because its jar is nowhere say, is an error without a
        // log, and has done nothing either.
        if log.contains("Launch Command: ") || driver["state"] == "ERROR" {
            Ok(false)
        } else {
            Err(format!("the log of the driver {id} is still empty"))
        }
    }
}

fn stands_by(answer: &Value) -> bool {
    answer["success"] == false && message(answer).contains("Current state is not alive")
}

fn message(answer: &Value) -> String {
    answer["message"].as_str().unwrap_or("no reason is given").to_owned()
}

impl Backend for Standalone {
    fn reach(&self, _: &Job) -> Result<(), SparkError> {
        let hosts = self.rest.iter().filter_map(|base| base.split_once("://").map(|(_, host)| host));
        knock(hosts).map_err(|why| SparkError::RestUnreachable { master: self.master.clone(), why })
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
        let said = answer["message"].as_str().map(str::to_owned);
        Ok(match answer["driverState"].as_str() {
            Some("SUBMITTED") => JobState::Waiting,
            Some("RUNNING" | "RELAUNCHING") => JobState::Running,
            Some("FINISHED") => JobState::Succeeded,
            Some("KILLED") => JobState::Killed,
            Some(state @ ("FAILED" | "ERROR")) => JobState::Failed { state: state.to_owned(), said },
            Some(state) => JobState::Unknown(format!("the master reports the state {state}")),
            None if answer["action"] == "SubmissionStatusResponse" => JobState::Gone,
            None => {
                return Err(BackendError::Transient(format!("unexpected answer of the master: {}", message(&answer))));
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
        let forgotten = ended.len() >= REMEMBERED && ended.iter().all(is_late);
        let may_be = |driver: &&Value| {
            let other =
                class.as_ref().is_some_and(|class| driver["mainclass"].as_str().is_some_and(|main| main != class));
            is_late(driver) && !other
        };
        let mut unclear = forgotten.then(|| "the master no longer lists all drivers that have ended since".to_owned());
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
                tracing::warn!(target: "taskflow", "the {which} of the driver {id} cannot be read: {error}");
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

/// What the REST server is sent. The variables of this process do not go along, only those that
/// were said.
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
    let (resource, class, args) = if spec.sort() == Some(Sort::Python) {
        // A driver that is `spark-submit` itself, in client mode from there.
        let properties =
            settings.properties.iter().flat_map(|(key, value)| ["--conf".to_owned(), format!("{key}={value}")]);
        let words = ["--master".to_owned(), master.to_owned()].into_iter().chain(properties);
        let path =
            spec.path().map_or_else(|| spec.app.clone(), |path| url(path).trim_start_matches("file:").to_owned());
        (String::new(), "org.apache.spark.deploy.SparkSubmit".to_owned(), words.chain([path]).chain(args()).collect())
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
    match job.spec.sort() {
        Some(Sort::Python) => Some("org.apache.spark.deploy.SparkSubmit".to_owned()),
        _ => job.spec.class.clone(),
    }
}
