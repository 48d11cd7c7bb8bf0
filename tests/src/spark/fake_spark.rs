//! A fake Spark installation whose programs are small scripts of a test.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use taskflow::spark::SparkSubmit;
use tempfile::TempDir;

/// A Spark whose programs are this script.
pub struct Spark(TempDir);

impl Spark {
    pub fn of(script: &str) -> Self {
        let home = tempfile::tempdir().expect("temporary directories can be made");
        let bin = home.path().join("bin");
        std::fs::create_dir(&bin).expect("temporary directories can be written to");
        for name in ["spark-submit", "spark-sql", "spark-shell"] {
            let path = bin.join(name);
            std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).expect("temporary files can be written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        std::fs::write(home.path().join("job.py"), "print('hello')").expect("temporary files can be written");
        std::fs::write(home.path().join("job.scala"), "println(1)").expect("temporary files can be written");
        std::fs::write(home.path().join("job.jar"), "").expect("temporary files can be written");
        Spark(home)
    }

    /// One of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A job of one of its files, with threads of the driver.
    pub fn job(&self, name: &str) -> SparkSubmit {
        let job = SparkSubmit::app(self.path(name).to_str().expect("temporary paths are text"));
        job.spark_home(self.0.path()).master("local[2]")
    }
}
