//! A job as data: a constant of the graph, with placeholders for the outputs of tasks.

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
    /// The memory of the driver and of each executor, unless set separately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) conf: Vec<(String, Text)>,
    /// Properties and the names of the secrets that are their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secret_conf: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<(String, Text)>,
    /// Variables and the names of the secrets that are their values.
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
    /// The comma-separated addresses of YARN's resource managers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) managers: Option<String>,
    /// The address of the history server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) python_driver: bool,
    /// Whether the job returns a result.
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
    /// Exit codes that are not retried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) no_retry_on: Vec<i32>,
}

/// The kind of an application, from its file extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AppKind {
    Python,
    Jar,
    Scala,
    Sql,
}

impl AppKind {
    /// The program of Spark that runs it.
    pub(super) fn program(self) -> &'static str {
        match self {
            AppKind::Python | AppKind::Jar => "spark-submit",
            AppKind::Scala => "spark-shell",
            AppKind::Sql => "spark-sql",
        }
    }

    pub(super) fn ending(self) -> &'static str {
        match self {
            AppKind::Python => ".py",
            AppKind::Jar => ".jar",
            AppKind::Scala => ".scala",
            AppKind::Sql => ".sql",
        }
    }
}

impl Spec {
    /// Replaces the placeholders by the outputs of tasks.
    pub(super) fn fill(&mut self, values: &[String]) {
        let named = self.conf.iter_mut().chain(&mut self.env).map(|(_, text)| text);
        self.args.iter_mut().chain(named).for_each(|text| text.fill(values));
    }

    /// The kind of the application, if its file extension is known.
    pub(super) fn app_kind(&self) -> Option<AppKind> {
        let kinds = [AppKind::Python, AppKind::Jar, AppKind::Scala, AppKind::Sql];
        kinds.into_iter().find(|kind| self.app.ends_with(kind.ending()))
    }

    /// The value of a property that the job itself sets.
    pub(super) fn property(&self, key: &str) -> Option<String> {
        self.conf.iter().find(|(known, _)| known == key).map(|(_, value)| value.known().to_owned())
    }

    /// The part of the description that is needed to find the job on its cluster and to kill it.
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

    /// The path of the application, if it is on this machine.
    pub(super) fn path(&self) -> Option<&str> {
        match self.app.split_once(':') {
            None => Some(&self.app),
            Some(("file", path)) => Some(path.strip_prefix("//").unwrap_or(path)),
            Some(_) => None,
        }
    }
}

/// The application, for messages.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.app)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
