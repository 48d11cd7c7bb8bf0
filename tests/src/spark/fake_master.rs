//! A fake Spark master: its REST server, its web UI and that of a worker, with the faults that a
//! test wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Answer, Request, Server};
use crate::common::locked;

/// The master, its REST server and its only worker, all at one port.
#[derive(Clone)]
pub struct FakeMaster {
    pub server: Server,
    pub state: Arc<Mutex<Cluster>>,
}

/// What it knows, and what goes wrong.
#[derive(Default)]
pub struct Cluster {
    pub drivers: Vec<Driver>,
    /// What drivers that are submitted will be, one question after the other; the last one stays.
    pub life: Vec<&'static str>,
    /// Answers in the place of its own: to requests whose path begins so.
    pub instead: VecDeque<(&'static str, Answer)>,
    /// The response to an accepted submission, instead of the usual one.
    pub says: Option<Answer>,
    /// Whether killing does nothing.
    pub immortal: bool,
    pub stderr: String,
    pub stdout: String,
}

/// A driver.
pub struct Driver {
    pub id: String,
    tag: String,
    class: String,
    life: VecDeque<&'static str>,
    /// Whether it was ever launched: one that is an error from the start was not.
    launched: bool,
    pub env: Value,
    pub properties: Value,
    pub args: Value,
    started: u128,
}

impl FakeMaster {
    /// One whose drivers go through these states.
    pub fn start(life: &[&'static str]) -> Self {
        let state = Arc::new(Mutex::new(Cluster { life: life.to_vec(), ..Cluster::default() }));
        let known = Arc::clone(&state);
        FakeMaster { server: Server::start(move |request| locked(&known).answer(request)), state }
    }

    pub fn url(&self) -> String {
        format!("spark://127.0.0.1:{}", self.server.port)
    }

    /// How often a job was handed over.
    pub fn submissions(&self) -> usize {
        self.server.count("/v1/submissions/create")
    }
}

impl Cluster {
    fn answer(&mut self, request: &Request) -> Answer {
        if self.instead.front().is_some_and(|(path, _)| request.path.starts_with(path))
            && let Some((_, answer)) = self.instead.pop_front()
        {
            return answer;
        }
        let rest = request.path.strip_prefix("/v1/submissions/");
        match rest.map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some(("create", _)) => self.create(&request.body),
            Some(("status", id)) => {
                let driver = self.drivers.iter_mut().find(|driver| driver.id == id);
                let state = driver.map(Driver::step);
                answer(&json!({"action": "SubmissionStatusResponse", "driverState": state, "success": state.is_some()}))
            }
            Some(("kill", id)) => {
                let immortal = self.immortal;
                let driver = self.drivers.iter_mut().find(|driver| driver.id == id && !driver.is_over());
                let success = driver.is_some();
                if let Some(driver) = driver.filter(|_| !immortal) {
                    driver.life = ["KILLED"].into();
                }
                answer(&json!({"action": "KillSubmissionResponse", "success": success}))
            }
            Some(_) => answer(&json!({"action": "ErrorResponse", "message": "no such request"})),
            None if request.path == "/json/" => answer(&self.overview(&request.head)),
            None if request.path.starts_with("/log/") => self.log(&request.path),
            None => Answer::Of(404, "<html>not found</html>".to_owned()),
        }
    }

    fn create(&mut self, body: &str) -> Answer {
        let Ok(body) = serde_json::from_str::<Value>(body) else {
            return Answer::Of(400, json!({"action": "ErrorResponse", "message": "malformed"}).to_string());
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = format!("driver-20260131060000-{:04}", self.drivers.len());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        self.drivers.push(Driver {
            id: id.clone(),
            tag: text(&body["sparkProperties"]["spark.taskflow.tag"]),
            class: text(&body["mainClass"]),
            life: self.life.iter().copied().collect(),
            launched: self.life.first() != Some(&"ERROR"),
            env: body["environmentVariables"].clone(),
            properties: body["sparkProperties"].clone(),
            args: body["appArgs"].clone(),
            started: now.expect("the clock is right").as_millis(),
        });
        if let Some(answer) = &self.says {
            return answer.clone();
        }
        answer(&json!({"action": "CreateSubmissionResponse", "submissionId": id, "success": true}))
    }

    fn overview(&self, head: &str) -> Value {
        let host = head.lines().find_map(|line| line.strip_prefix("host:")).unwrap_or_default().trim();
        let drivers = |over: bool| -> Vec<Value> {
            let known = self.drivers.iter().filter(|driver| driver.is_over() == over);
            let shown = known.map(|driver| {
                json!({"id": driver.id, "starttime": driver.started.to_string(), "state": driver.state(),
                       "worker": "worker-1", "mainclass": driver.class})
            });
            shown.collect()
        };
        json!({"status": "ALIVE", "workers": [{"id": "worker-1", "webuiaddress": format!("http://{host}")}],
               "activedrivers": drivers(false), "completeddrivers": drivers(true)})
    }

    fn log(&self, path: &str) -> Answer {
        let driver = self.drivers.iter().find(|driver| path.contains(&driver.id));
        let Some(driver) = driver else { return Answer::Of(404, String::new()) };
        let text = match path.contains("logType=stderr") {
            true if !driver.launched => String::new(),
            true => format!("Launch Command: \"java\" \"-Dspark.taskflow.tag={}\"\n{}", driver.tag, self.stderr),
            false => self.stdout.clone(),
        };
        Answer::Of(200, format!("==== Bytes 0-1 of 1 of /var/spark/work ====\n{text}"))
    }
}

impl Driver {
    pub fn state(&self) -> &'static str {
        self.life.front().copied().unwrap_or("FINISHED")
    }

    pub fn becomes(&mut self, state: &'static str) {
        self.life = [state].into();
    }

    fn is_over(&self) -> bool {
        matches!(self.state(), "FINISHED" | "FAILED" | "KILLED" | "ERROR")
    }

    fn step(&mut self) -> &'static str {
        let state = self.state();
        if self.life.len() > 1 {
            self.life.pop_front();
        }
        state
    }
}

fn answer(json: &Value) -> Answer {
    Answer::Of(200, json.to_string())
}
