//! A job as data: a constant of the graph, with places for the values of tasks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::DeployMode;
use super::flag::Flag;
use crate::process::Text;

/// Everything about a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) app: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) args: Vec<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) master: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<DeployMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connection: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) flags: Vec<(Flag, String)>,
    /// Of the driver and of each executor, where nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) conf: Vec<(String, Text)>,
    /// Properties, each with the name of a secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secret_conf: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<(String, Text)>,
    /// Variables, each with the name of a secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secret_env: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) properties_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proxy_user: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) verbose: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cwd: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) home: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ui_port: Option<u16>,
    /// The addresses of YARN's resource managers, with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) managers: Option<String>,
    /// The address of the history server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) python_driver: bool,
    /// Whether the job gives a result.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) result: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event_log: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) detach: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) submit_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kill_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) poll_interval: Option<Duration>,
    /// Exit codes after which no retry would help.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) no_retry_on: Vec<i32>,
}

/// What an application is, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Python,
    Jar,
    Scala,
    Sql,
}

impl Sort {
    /// The program of Spark that runs it.
    pub(super) fn program(self) -> &'static str {
        match self {
            Sort::Python | Sort::Jar => "spark-submit",
            Sort::Scala => "spark-shell",
            Sort::Sql => "spark-sql",
        }
    }

    pub(super) fn ending(self) -> &'static str {
        match self {
            Sort::Python => ".py",
            Sort::Jar => ".jar",
            Sort::Scala => ".scala",
            Sort::Sql => ".sql",
        }
    }
}

impl Spec {
    /// With the values of tasks in their places.
    pub(super) fn fill(&mut self, values: &[String]) {
        let named = self.conf.iter_mut().chain(&mut self.env).map(|(_, text)| text);
        self.args.iter_mut().chain(named).for_each(|text| text.fill(values));
    }

    /// What the application is, if its name says so.
    pub(super) fn sort(&self) -> Option<Sort> {
        let sorts = [Sort::Python, Sort::Jar, Sort::Scala, Sort::Sql];
        sorts.into_iter().find(|sort| self.app.ends_with(sort.ending()))
    }

    /// A property, if the job itself sets it.
    pub(super) fn property(&self, key: &str) -> Option<String> {
        self.conf.iter().find(|(known, _)| known == key).map(|(_, value)| value.known().to_owned())
    }

    /// What is needed to find the job on its cluster, and to end it: nothing of what it does.
    pub(super) fn location(&self) -> Spec {
        let conf = self.conf.iter().filter(|(key, _)| key.starts_with("spark.kubernetes."));
        Spec {
            app: self.app.clone(),
            class: self.class.clone(),
            master: self.master.clone(),
            mode: self.mode,
            connection: self.connection.clone(),
            conf: conf.cloned().collect(),
            home: self.home.clone(),
            rest_port: self.rest_port,
            ui_port: self.ui_port,
            managers: self.managers.clone(),
            detach: self.detach,
            kill_timeout: self.kill_timeout,
            ..Spec::default()
        }
    }

    pub(super) fn mode(&self) -> DeployMode {
        self.mode.unwrap_or_default()
    }

    /// The path of the application, if it is one of this machine.
    pub(super) fn path(&self) -> Option<&str> {
        match self.app.split_once(':') {
            None => Some(&self.app),
            Some(("file", path)) => Some(path.strip_prefix("//").unwrap_or(path)),
            Some(_) => None,
        }
    }
}

/// Its application, for messages.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.app)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
