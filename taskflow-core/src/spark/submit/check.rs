//! What is wrong with a job, as far as that can be said without the cluster.

use std::collections::HashMap;

use super::super::{DeployMode, Master};
use super::SparkError;
use super::flag::Flag;
use super::spec::{Sort, Spec};
use crate::log::Redactor;
use crate::process::Text;

/// Properties that have a method of their own, which does more than to set them.
const OWN: [(&str, &str); 8] = [
    ("spark.master", "`.master(..)`"),
    ("spark.submit.deployMode", "`.deploy_mode(..)`"),
    ("spark.eventLog.enabled", "`.event_log(..)`"),
    ("spark.eventLog.dir", "`.event_log(..)`"),
    ("spark.yarn.submit.waitAppCompletion", "nothing, because taskflow waits without it"),
    ("spark.kubernetes.submission.waitAppCompletion", "nothing, because taskflow waits without it"),
    ("spark.kubernetes.driver.pod.name", "nothing, because taskflow finds the driver by it"),
    (super::properties::TAG, "nothing, because taskflow finds the job by it"),
];

/// # Errors
///
/// The first mistake.
pub(super) fn check(spec: &Spec) -> Result<(), SparkError> {
    let sort = sort(spec)?;
    options(spec, sort)?;
    properties(spec)?;
    let master = spec.master.as_ref().map(|master| master.parse::<Master>()).transpose()?;
    if let Some(master) = master {
        together(spec, &master, spec.mode())?;
    }
    Ok(())
}

/// What the application is.
pub(super) fn sort(spec: &Spec) -> Result<Sort, SparkError> {
    let why = "an application ends in `.py`, `.jar`, `.scala` or `.sql`";
    spec.sort().ok_or_else(|| invalid(spec, "app", why.to_owned()))
}

/// What the kind of the application excludes.
fn options(spec: &Spec, sort: Sort) -> Result<(), SparkError> {
    let app = |what: &str| format!("an application that ends in `{}`{what}", sort.ending());
    if spec.class.is_some() && sort != Sort::Jar {
        return Err(incompatible(spec, "`.class(..)`", &app(""), "only a jar has a main class"));
    }
    if matches!(sort, Sort::Scala | Sort::Sql) && !spec.args.is_empty() {
        return Err(incompatible(
            spec,
            "arguments",
            &app(""),
            "it would not receive them; set a property with `.conf(..)` or a variable with `.env(..)`",
        ));
    }
    if matches!(sort, Sort::Scala | Sort::Sql) && spec.mode() == DeployMode::Cluster {
        let why = "Spark runs its shells in client mode only";
        return Err(incompatible(spec, "cluster mode", &app(""), why));
    }
    if spec.python_driver && sort != Sort::Python {
        return Err(incompatible(spec, "`.python_driver_on_worker()`", &app(""), "it is for Python applications only"));
    }
    if spec.detach && spec.mode == Some(DeployMode::Client) {
        let why = "the driver is a child of this process and ends with it";
        return Err(incompatible(spec, "`.detach()`", "client mode", why));
    }
    for (flag, value) in &spec.flags {
        if let Some(why) = flag.sort().mistake(value) {
            return Err(invalid(spec, flag.method(), why));
        }
    }
    if let Some(why) = spec.memory.as_ref().and_then(|memory| super::flag::Sort::Memory.mistake(memory)) {
        return Err(invalid(spec, "memory", why));
    }
    Ok(())
}

/// What is wrong with properties and variables.
fn properties(spec: &Spec) -> Result<(), SparkError> {
    let mut said: HashMap<&str, String> = HashMap::new();
    let flags = spec.flags.iter().map(|(flag, _)| (flag.property(), format!("`.{}(..)`", flag.method())));
    let conf = spec.conf.iter().map(|(key, _)| (key.as_str(), format!("`.conf(\"{key}\", ..)`")));
    let secret = spec.secret_conf.iter().map(|(key, _)| (key.as_str(), format!("`.secret_conf(\"{key}\", ..)`")));
    for (key, what) in flags.chain(conf).chain(secret) {
        if !key.starts_with("spark.") || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(invalid(spec, key, "a property of Spark begins with `spark.` and has no spaces".to_owned()));
        }
        if let Some((_, method)) = OWN.iter().find(|(own, _)| *own == key) {
            return Err(invalid(spec, key, format!("it cannot be set as a property; use {method}")));
        }
        if let Some(before) = said.insert(key, what.clone()) {
            return Err(incompatible(spec, &before, &what, "both set the same property; remove one of the two"));
        }
    }
    for (key, _) in &spec.conf {
        if Redactor::is_secret_name(key) || is_key(key) {
            let why = "it looks like a secret; use `.secret_conf(key, name)` with the name of a secret of the \
                       configuration, which keeps it out of the graph and the logs";
            return Err(invalid(spec, key, why.to_owned()));
        }
    }
    for (name, _) in
        spec.env.iter().map(|(name, _)| (name, ())).chain(spec.secret_env.iter().map(|(name, _)| (name, ())))
    {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid(spec, name, "it is not a valid name of an environment variable".to_owned()));
        }
        if name == super::properties::RESULT {
            return Err(invalid(spec, name, "taskflow sets it; use `.result::<T>()`".to_owned()));
        }
    }
    for (name, value) in &spec.env {
        if matches!(value, Text::Known(_)) && Redactor::is_secret_name(name) {
            let why = "it looks like a secret; use `.secret_env(variable, name)` with the name of a secret of the \
                       configuration";
            return Err(invalid(spec, name, why.to_owned()));
        }
    }
    Ok(())
}

/// `spark.hadoop.fs.azure.account.key.example`, `fs.s3a.access.key`.
fn is_key(property: &str) -> bool {
    ["access.key", "account.key", "secret.key", "keyPassword", "apiKey"].iter().any(|part| property.contains(part))
}

/// What a master and a mode exclude.
pub(super) fn together(spec: &Spec, master: &Master, mode: DeployMode) -> Result<(), SparkError> {
    let wrong = |a: &str, b: &str, why: &str| Err(incompatible(spec, a, b, why));
    let sort = sort(spec)?;
    let at = format!("the master `{master}`");
    let cluster = mode == DeployMode::Cluster;
    let has = |wanted: Flag| spec.flags.iter().any(|(flag, _)| *flag == wanted);
    if cluster && matches!(master, Master::Local(_)) {
        return wrong("cluster mode", &at, "its driver is always a child of this process; remove `.deploy_mode(..)`");
    }
    if cluster && matches!(sort, Sort::Scala | Sort::Sql) {
        return wrong(
            "cluster mode",
            &format!("an application that ends in `{}`", sort.ending()),
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
            "it is for standalone clusters; elsewhere, use `.num_executors(..)` and `.executor_cores(..)`",
        );
    }
    if has(Flag::DriverCores) && !cluster {
        return wrong("`.driver_cores(..)`", "client mode", "the driver is a child of this process");
    }
    if !matches!(master, Master::Standalone(_)) {
        return if has(Flag::Supervise) {
            wrong("`.supervise()`", &at, "it is for standalone clusters in cluster mode")
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
    if sort == Sort::Python && !spec.python_driver {
        return wrong(
            "cluster mode",
            &format!("a Python job on {at}"),
            "Spark refuses that; remove `.deploy_mode(..)`, or work around it with `.python_driver_on_worker()`",
        );
    }
    let texts = spec.conf.iter().map(|(key, text)| (".conf", key, text));
    for (method, key, text) in texts.chain(spec.env.iter().map(|(key, text)| (".env", key, text))) {
        // What a task gives is looked at when it is there: then the job is checked again.
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
    if sort == Sort::Jar && spec.class.is_none() {
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
        super::check(&job.spec).expect_err("it has a mistake").to_string()
    }

    #[test]
    fn what_excludes_each_other_is_named_on_both_sides() {
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
    fn values_and_names_are_looked_at() {
        assert!(mistake(&SparkSubmit::app("a.rb")).contains("`.py`"));
        assert!(mistake(&SparkSubmit::app("a.py").memory("2")).contains("with a unit"));
        assert!(mistake(&SparkSubmit::app("a.py").conf("executor.memory", "2g")).contains("begins with `spark.`"));
        assert!(mistake(&SparkSubmit::app("a.py").conf("spark.master", "local")).contains("`.master(..)`"));
        assert!(
            mistake(&SparkSubmit::app("a.py").conf("spark.hadoop.fs.s3a.secret.key", "x")).contains("`.secret_conf(")
        );
        assert!(mistake(&SparkSubmit::app("a.py").env("TASKFLOW_RESULT", "x")).contains("`.result::<T>()`"));
        assert!(super::check(&SparkSubmit::app("a.py").memory("2g").conf("spark.x", "y").spec).is_ok());
    }
}
