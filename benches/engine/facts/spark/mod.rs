//! The overhead of taskflow over Spark, for a job and for tasks on executors. Needs Spark:
//! `cargo xtask spark` installs it.

mod executors;
mod submit;

use std::path::PathBuf;

use super::{Fact, Problem};

pub(super) use executors::measure as executors;
pub(super) use submit::measure as submit;

/// The installation of Spark and its Python, found as in the tests.
struct Spark {
    home: PathBuf,
    python: PathBuf,
}

impl Spark {
    fn find() -> Result<Spark, Problem> {
        let venv = super::process::root().join("target/spark-venv");
        let packages = venv.join("lib").read_dir().into_iter().flatten().flatten();
        let installed = packages.map(|folder| folder.path().join("site-packages/pyspark")).find(|home| home.is_dir());
        let home = std::env::var_os("TASKFLOW_SPARK_HOME").map(PathBuf::from).or(installed);
        let home = home.ok_or("Spark is not installed; run `cargo xtask spark`, or set TASKFLOW_SPARK_HOME")?;
        let beside = home.ancestors().nth(4).map(|venv| venv.join("bin/python")).filter(|python| python.exists());
        Ok(Spark { python: beside.unwrap_or_else(|| "python3".into()), home })
    }
}
