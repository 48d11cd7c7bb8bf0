//! A home of its own for a test.

use std::ops::Deref;
use std::path::PathBuf;

use serde_json::Value;
use taskflow_tests::binaries::ProgramOutput;
use taskflow_tests::home::ProgramHome;

/// A home of its own for a test, and the file that its DAGs look for.
pub(crate) struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Home(ProgramHome::new("cli_history"))
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.beside("file")
    }

    /// Runs the DAG that needs the file.
    pub(crate) fn run_gated(&self) -> ProgramOutput {
        self.call(&["run", "gated", "--file", self.file().to_str().expect("temporary paths are text"), "-q"])
    }

    pub(crate) fn land(&self) {
        std::fs::write(self.file(), "landed\n").expect("temporary files can be written");
    }

    pub(crate) fn state_of(&self, run: &str, task: &str) -> Value {
        let status = self.json(&["status", run]);
        let tasks = status["tasks"].as_array().expect("a status has tasks");
        tasks.iter().find(|known| known["id"] == task).expect("the run has the task")["state"].clone()
    }
}

/// A home with a run that failed at its gate.
pub(crate) fn failed() -> Home {
    let home = Home::new();
    let output = home.run_gated();
    assert_eq!(output.code, Some(1), "{output:?}");
    home
}
