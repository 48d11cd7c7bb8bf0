//! Installs Spark for the tests that use it, from `PyPI` into the target directory.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::step::Step;
use crate::workspace;

/// Set by the user to the path of an existing installation.
const HOME: &str = "TASKFLOW_SPARK_HOME";
/// The package of Python that contains all of Spark.
const PACKAGE: &str = "pyspark==4.3.0";

/// Installs Spark if neither the user nor an earlier call did.
pub(crate) fn ensure() -> Result<(), Failure> {
    let venv = workspace::root().join("target/spark-venv");
    if env::var_os(HOME).is_some() || is_installed(&venv) {
        return Ok(());
    }
    Step::program("Python for Spark", Path::new("python3"), ["-m", "venv"]).arg(&venv).run()?;
    let pip = ["-m", "pip", "install", "--quiet", PACKAGE];
    Step::program("Spark", &venv.join("bin/python"), pip).run()
}

/// Whether pip finished. It copies the programs last.
fn is_installed(venv: &Path) -> bool {
    venv.join("bin/spark-submit").is_file() && package(venv).is_some()
}

/// The directory of the package.
fn package(venv: &Path) -> Option<PathBuf> {
    let versions = venv.join("lib").read_dir().ok()?.flatten();
    versions.map(|version| version.path().join("site-packages/pyspark")).find(|package| package.is_dir())
}

#[cfg(test)]
mod tests {
    use super::is_installed;

    #[test]
    fn an_incomplete_installation_does_not_count() {
        let venv = std::env::temp_dir().join(format!("taskflow-xtask-spark-{}", std::process::id()));
        let package = venv.join("lib/python3.11/site-packages/pyspark");
        std::fs::create_dir_all(&package).expect("directories can be created");
        assert!(!is_installed(&venv));
        std::fs::create_dir_all(venv.join("bin")).expect("directories can be created");
        std::fs::write(venv.join("bin/spark-submit"), "").expect("temporary files can be written");
        assert!(is_installed(&venv));
        std::fs::remove_dir_all(&venv).expect("it is ours");
    }
}
