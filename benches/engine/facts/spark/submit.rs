//! A job submitted with `SparkSubmit`, compared with the same call of `spark-submit`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use taskflow::prelude::*;
use taskflow::spark::{SparkSubmit, spark_submit};

use super::super::{process, spread};
use super::{Fact, Problem, Spark};
use crate::machine;

const SCRIPT: &str = "from pyspark.sql import SparkSession\n\
                      print(SparkSession.builder.getOrCreate().range(1000).count())\n";
const ROUNDS: usize = 5;
/// The rounds of a job that ends at once. Its small spread shows the overhead more precisely.
const EMPTY_ROUNDS: usize = 50;

pub(in super::super) fn measure() -> Result<Vec<Fact>, Problem> {
    let folder = process::scratch("spark")?;
    fs::create_dir_all(folder.join("empty/bin"))?;
    let app = folder.join("job.py");
    fs::write(&app, SCRIPT)?;
    let empty = folder.join("empty/bin/spark-submit");
    fs::write(&empty, "#!/bin/sh\nexit 0\n")?;
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755))?;

    let before = machine::resident();
    let (bare, ours) = pair(&folder.join("empty"), &app, None, EMPTY_ROUNDS)?;
    let memory = machine::peak().saturating_sub(before);
    let Spark { home, python } = Spark::find()?;
    let (real_bare, real_ours) = pair(&home, &app, Some(&python), ROUNDS)?;
    let fact = |what, measured, budget| Fact { what, measured, budget };
    Ok(vec![
        fact("a `spark-submit` that ends at once: bare", spread(&bare), ""),
        fact("the same as a node of a DAG", spread(&ours), "100 ms more"),
        fact("memory that all rounds of this take", format!("{:.1} MB", memory as f64 / 1e6), "10 MB"),
        fact("a small Python job on `local[1]`: bare", spread(&real_bare), ""),
        fact("the same as a node of a DAG", spread(&real_ours), "100 ms more"),
    ])
}

/// Measures both in turns, so that noise affects them equally.
fn pair(
    home: &Path,
    app: &Path,
    python: Option<&Path>,
    rounds: usize,
) -> Result<(Vec<Duration>, Vec<Duration>), Problem> {
    let environment: Vec<(&str, String)> =
        python.iter().map(|python| ("PYSPARK_PYTHON", python.display().to_string())).collect();
    let text = app.to_str().ok_or("the path of the target directory is not UTF-8")?;
    let mut job = SparkSubmit::app(text).spark_home(home).master("local[1]");
    for (name, value) in &environment {
        job = job.env(*name, value.clone());
    }
    let dag = Dag::build("submitted", || spark_submit("job", job.clone()))?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        let mut command = Command::new(home.join("bin/spark-submit"));
        command.args(["--master", "local[1]", text]).envs(environment.iter().map(|(name, value)| (name, value)));
        let output = command.stdin(Stdio::null()).output()?;
        bare.push(start.elapsed());
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let start = Instant::now();
        let report = dag.run().wait()?;
        ours.push(start.elapsed());
        if let Some(failure) = report.task("job").and_then(|job| job.failure()) {
            return Err(failure.to_string().into());
        }
    }
    Ok((bare, ours))
}
