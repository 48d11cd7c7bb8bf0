//! Finds the Python that runs the driver.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::on_path::on_path;
use super::place::Executors;
use crate::base::Failure;

/// A Python, and the variables by which it finds Spark.
#[derive(Debug)]
pub(super) struct Python {
    pub(super) program: PathBuf,
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// The command that installs Spark.
pub(super) const INSTALL: &str = "pip install pyspark";

impl Python {
    /// The configured Python, else that of the environment, else `python3`.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub(super) fn find(of: &Executors) -> Result<Python, Failure> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let wanted = of.python.clone();
        let wanted = wanted.or_else(|| variable("PYSPARK_DRIVER_PYTHON")).or_else(|| variable("PYSPARK_PYTHON"));
        let wanted = wanted.unwrap_or_else(|| PathBuf::from("python3"));
        let program = which(&wanted).ok_or_else(|| {
            let what = format!("the Spark driver needs Python, but `{}` was not found", wanted.display());
            let help = format!(
                "install Python 3.10 or newer and then Spark with `{INSTALL}`, or set PYSPARK_PYTHON to a Python that has it"
            );
            Failure::Error { chain: vec![what, help], retryable: false }
        })?;
        let mut environment = Vec::new();
        if let Some(theirs) = &of.executor_python {
            environment.push(("PYSPARK_PYTHON", theirs.clone().into_os_string()));
        }
        if let Some(paths) = variable("SPARK_HOME").and_then(|home| python_path(&home)) {
            environment.push(("PYTHONPATH", paths));
        }
        Ok(Python { program, environment })
    }
}

/// `PYTHONPATH` with the Python part of an extracted Spark added. A Spark that was installed by pip
/// is found without it.
fn python_path(home: &Path) -> Option<OsString> {
    let python = home.join("python");
    let zips = std::fs::read_dir(python.join("lib")).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let py4j = zips.filter(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("py4j") && name.ends_with(".zip"))
    });
    let before = env::var_os("PYTHONPATH").unwrap_or_default();
    let before = env::split_paths(&before).filter(|path| !path.as_os_str().is_empty());
    let all: Vec<PathBuf> = before.chain([python.clone()]).chain(py4j).collect();
    env::join_paths(all).ok()
}

/// Finds a program: by its path, or in `PATH` if it is only a name.
fn which(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    on_path(program)
}
