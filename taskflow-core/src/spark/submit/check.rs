//! Checks a job as far as that is possible without the cluster.

use std::collections::HashMap;

use super::super::{DeployMode, Master};
use super::SparkError;
use super::flag::Flag;
use super::spec::{AppKind, Spec};
use crate::log::Redactor;
use crate::process::Text;

/// Properties that must not be set directly, and what to use instead.
const OWN: [(&str, &str); 8] = [
    ("spark.master", "`.master(..)`"),
    ("spark.submit.deployMode", "`.deploy_mode(..)`"),
    ("spark.eventLog.enabled", "`.event_log(..)`"),
    ("spark.eventLog.dir", "`.event_log(..)`"),
    ("spark.yarn.submit.waitAppCompletion", "nothing: taskflow waits without it"),
    ("spark.kubernetes.submission.waitAppCompletion", "nothing: taskflow waits without it"),
    ("spark.kubernetes.driver.pod.name", "nothing: taskflow sets it to find the driver"),
    (super::properties::TAG, "nothing: taskflow sets it to find the job"),
];

/// # Errors
///
/// The first mistake.
pub(super) fn check(spec: &Spec) -> Result<(), SparkError> {
    let kind = kind_of(spec)?;
    options(spec, kind)?;
    properties(spec)?;
    let master = spec.master.as_ref().map(|master| master.parse::<Master>()).transpose()?;
    if let Some(master) = master {
        check_place(spec, &master, spec.mode())?;
    }
    Ok(())
}

/// The kind of the application.
pub(super) fn kind_of(spec: &Spec) -> Result<AppKind, SparkError> {
    let why = "the name of an application must end in `.py`, `.jar`, `.scala` or `.sql`";
    spec.app_kind().ok_or_else(|| invalid(spec, "app", why.to_owned()))
}

/// Checks the options against the kind of the application.
fn options(spec: &Spec, kind: AppKind) -> Result<(), SparkError> {
    let app = |what: &str| format!("an application that ends in `{}`{what}", kind.ending());
    if spec.class.is_some() && kind != AppKind::Jar {
        return Err(incompatible(spec, "`.class(..)`", &app(""), "only a jar has a main class"));
    }
    if matches!(kind, AppKind::Scala | AppKind::Sql) && !spec.args.is_empty() {
        return Err(incompatible(
            spec,
            "arguments",
            &app(""),
            "Spark does not pass them on; set a property with `.conf(..)` or a variable with `.env(..)`",
        ));
    }
    if matches!(kind, AppKind::Scala | AppKind::Sql) && spec.mode() == DeployMode::Cluster {
        let why = "Spark runs its shells in client mode only";
        return Err(incompatible(spec, "cluster mode", &app(""), why));
    }
    if spec.python_driver && kind != AppKind::Python {
        return Err(incompatible(spec, "`.python_driver_on_worker()`", &app(""), "it applies only to Python"));
    }
    if spec.detach && spec.mode == Some(DeployMode::Client) {
        let why = "the driver is a child of this process and dies with it";
        return Err(incompatible(spec, "`.detach()`", "client mode", why));
    }
    for (flag, value) in &spec.flags {
        if let Some(why) = flag.value_kind().mistake(value) {
            return Err(invalid(spec, flag.method(), why));
        }
    }
    if let Some(why) = spec.memory.as_ref().and_then(|memory| super::flag::ValueKind::Memory.mistake(memory)) {
        return Err(invalid(spec, "memory", why));
    }
    Ok(())
}

/// Checks properties and variables.
fn properties(spec: &Spec) -> Result<(), SparkError> {
    let mut set: HashMap<&str, String> = HashMap::new();
    let flags = spec.flags.iter().map(|(flag, _)| (flag.property(), format!("`.{}(..)`", flag.method())));
    let conf = spec.conf.iter().map(|(key, _)| (key.as_str(), format!("`.conf(\"{key}\", ..)`")));
    let secret = spec.secret_conf.iter().map(|(key, _)| (key.as_str(), format!("`.secret_conf(\"{key}\", ..)`")));
    for (key, what) in flags.chain(conf).chain(secret) {
        if !key.starts_with("spark.") || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(invalid(
                spec,
                key,
                "the name of a Spark property must begin with `spark.` and contain no spaces".to_owned(),
            ));
        }
        if let Some((_, method)) = OWN.iter().find(|(own, _)| *own == key) {
            return Err(invalid(spec, key, format!("it must not be set as a property; use {method}")));
        }
        if let Some(before) = set.insert(key, what.clone()) {
            return Err(incompatible(spec, &before, &what, "both set the same property; remove one of them"));
        }
    }
    for (key, _) in &spec.conf {
        if Redactor::is_secret_name(key) || is_key(key) {
            let why = "its name indicates a secret; use `.secret_conf(key, name)` with the name of a secret of the configuration, \
                       so that the value appears neither in the graph nor in a log";
            return Err(invalid(spec, key, why.to_owned()));
        }
    }
    for (name, _) in
        spec.env.iter().map(|(name, _)| (name, ())).chain(spec.secret_env.iter().map(|(name, _)| (name, ())))
    {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid(spec, name, "it is not a valid name of a variable".to_owned()));
        }
        if name == super::properties::RESULT {
            return Err(invalid(spec, name, "taskflow sets it; use `.result::<T>()`".to_owned()));
        }
    }
    for (name, value) in &spec.env {
        if matches!(value, Text::Known(_)) && Redactor::is_secret_name(name) {
            let why = "its name indicates a secret; use `.secret_env(variable, name)` with the name of a secret";
            return Err(invalid(spec, name, why.to_owned()));
        }
    }
    Ok(())
}

/// `spark.hadoop.fs.azure.account.key.example`, `fs.s3a.access.key`.
fn is_key(property: &str) -> bool {
    ["access.key", "account.key", "secret.key", "keyPassword", "apiKey"].iter().any(|part| property.contains(part))
}

/// Checks the options against the master and the deploy mode.
pub(super) fn check_place(spec: &Spec, master: &Master, mode: DeployMode) -> Result<(), SparkError> {
    let wrong = |a: &str, b: &str, why: &str| Err(incompatible(spec, a, b, why));
    let kind = kind_of(spec)?;
    let at = format!("the master `{master}`");
    let cluster = mode == DeployMode::Cluster;
    let has = |wanted: Flag| spec.flags.iter().any(|(flag, _)| *flag == wanted);
    if cluster && matches!(master, Master::Local(_)) {
        return wrong("cluster mode", &at, "its driver is always a child of this process; remove `.deploy_mode(..)`");
    }
    if cluster && matches!(kind, AppKind::Scala | AppKind::Sql) {
        return wrong(
            "cluster mode",
            &format!("an application that ends in `{}`", kind.ending()),
            "Spark runs its shells in client mode only",
        );
    }
    if has(Flag::Queue) && *master != Master::Yarn {
        return wrong("`.queue(..)`", &at, "only YARN has queues");
    }
    if has(Flag::TotalExecutorCores) && !matches!(master, Master::Standalone(_)) {
        return wrong(
            "`.total_executor_cores(..)`",
            &at,
            "it applies only to standalone clusters; use `.num_executors(..)` and `.executor_cores(..)`",
        );
    }
    if has(Flag::DriverCores) && !cluster {
        return wrong("`.driver_cores(..)`", "client mode", "the driver is a child of this process");
    }
    if !matches!(master, Master::Standalone(_)) {
        return if has(Flag::Supervise) {
            wrong("`.supervise()`", &at, "it applies only to standalone clusters in cluster mode")
        } else {
            Ok(())
        };
    }
    if !cluster {
        return if has(Flag::Supervise) {
            wrong("`.supervise()`", "client mode", "no worker runs the driver")
        } else {
            Ok(())
        };
    }
    if kind == AppKind::Python && !spec.python_driver {
        return wrong(
            "cluster mode",
            &format!("a Python job on {at}"),
            "Spark rejects that; remove `.deploy_mode(..)`, or set `.python_driver_on_worker()` to work around it",
        );
    }
    let texts = spec.conf.iter().map(|(key, text)| (".conf", key, text));
    for (method, key, text) in texts.chain(spec.env.iter().map(|(key, text)| (".env", key, text))) {
        // The outputs of tasks are checked when they exist: running a job checks it again.
        if let Text::Known(text) = text
            && text.starts_with("{{")
            && text.ends_with("}}")
        {
            return wrong(
                &format!("`{method}(\"{key}\", ..)` with the value `{text}`"),
                "cluster mode on a standalone cluster",
                "its master would replace the value by a variable of its own environment",
            );
        }
    }
    if kind == AppKind::Jar && spec.class.is_none() {
        return wrong("cluster mode", "no `.class(..)`", "the master does not read the main class from the jar");
    }
    if !spec.secret_conf.is_empty() {
        return wrong(
            "`.secret_conf(..)`",
            "cluster mode on a standalone cluster",
            "Spark would put the secret into the command line of the driver; use `.secret_env(..)`",
        );
    }
    if spec.proxy_user.is_some() {
        return wrong(
            "`.proxy_user(..)`",
            "cluster mode on a standalone cluster",
            "its REST server does not support users",
        );
    }
    Ok(())
}

fn invalid(spec: &Spec, key: &str, why: String) -> SparkError {
    SparkError::InvalidConf { app: spec.app.clone(), key: key.to_owned(), why }
}

fn incompatible(spec: &Spec, a: &str, b: &str, why: &str) -> SparkError {
    SparkError::IncompatibleOptions { app: spec.app.clone(), a: a.to_owned(), b: b.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::SparkSubmit;
    use crate::spark::DeployMode;

    #[track_caller]
    fn mistake(job: &SparkSubmit) -> String {
        super::check(&job.spec).expect_err("the job is invalid").to_string()
    }

    #[test]
    fn an_error_names_both_incompatible_options() {
        let py = || SparkSubmit::app("a.py").master("spark://a:7077");
        let both = mistake(&py().executor_memory("1g").conf("spark.executor.memory", "2g"));
        assert!(
            both.contains("`.executor_memory(..)`") && both.contains("`.conf(\"spark.executor.memory\", ..)`"),
            "{both}"
        );
        assert!(mistake(&py().deploy_mode(DeployMode::Cluster)).contains("`.python_driver_on_worker()`"));
        assert!(mistake(&SparkSubmit::app("a.sql").arg("x")).contains("arguments"));
        assert!(mistake(&SparkSubmit::app("a.py").master("local").deploy_mode(DeployMode::Cluster)).contains("local"));
        assert!(mistake(&py().queue("q")).contains("only YARN has queues"));
        assert!(mistake(&py().class("C")).contains("only a jar has a main class"));
        let jar = || SparkSubmit::app("a.jar").master("spark://a:7077").deploy_mode(DeployMode::Cluster);
        assert!(mistake(&jar()).contains("no `.class(..)`"));
        assert!(mistake(&jar().class("C").secret_conf("spark.x.token", "t")).contains("`.secret_env(..)`"));
        assert!(mistake(&jar().class("C").env("X", "{{HOME}}")).contains("`.env(\"X\", ..)`"));
    }

    #[test]
    fn values_and_names_are_checked() {
        assert!(mistake(&SparkSubmit::app("a.rb")).contains("`.py`"));
        assert!(mistake(&SparkSubmit::app("a.py").memory("2")).contains("with a unit"));
        assert!(mistake(&SparkSubmit::app("a.py").conf("executor.memory", "2g")).contains("must begin with `spark.`"));
        assert!(mistake(&SparkSubmit::app("a.py").conf("spark.master", "local")).contains("`.master(..)`"));
        assert!(
            mistake(&SparkSubmit::app("a.py").conf("spark.hadoop.fs.s3a.secret.key", "x")).contains("`.secret_conf(")
        );
        assert!(mistake(&SparkSubmit::app("a.py").env("TASKFLOW_RESULT", "x")).contains("`.result::<T>()`"));
        assert!(super::check(&SparkSubmit::app("a.py").memory("2g").conf("spark.x", "y").spec).is_ok());
    }
}
