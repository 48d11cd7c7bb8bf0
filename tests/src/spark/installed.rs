//! The Spark installation of the tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The `JAVA_TOOL_OPTIONS` of every Java process of a test.
pub fn java(folder: &Path) -> String {
    // Most of the work of one that lives so short is compiling what it runs. What it leaves goes
    // away with the folder.
    format!("-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.io.tmpdir={}", folder.display())
}

/// Where Spark is, and the Python that belongs to it.
pub struct Spark {
    pub home: PathBuf,
    pub python: PathBuf,
}

impl Spark {
    /// The installation in `TASKFLOW_SPARK_HOME`, or that of `cargo xtask spark`. Without one,
    /// fails the test with instructions.
    pub fn find() -> Spark {
        let home = std::env::var_os("TASKFLOW_SPARK_HOME").map(PathBuf::from).or_else(|| {
            // A package within the project has its own directory.
            let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
            let venvs = above.map(|folder| folder.join("target/spark-venv/lib"));
            let folders = venvs.filter_map(|lib| fs::read_dir(lib).ok()).flatten().flatten();
            let mut homes = folders.map(|folder| folder.path().join("site-packages/pyspark"));
            homes.find(|home| home.is_dir())
        });
        let home = home.unwrap_or_else(|| {
            panic!(
                "these tests run a real Spark, and there is none: `cargo xtask spark` installs it into target/spark-venv, or \
                 set TASKFLOW_SPARK_HOME"
            )
        });
        // That which pip has installed has its Python four levels above; one that was unpacked
        // takes that of the system.
        let beside = home.ancestors().nth(4).map(|venv| venv.join("bin/python")).filter(|python| python.exists());
        Spark { python: beside.unwrap_or_else(|| PathBuf::from("python3")), home }
    }
}
