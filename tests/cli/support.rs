//! A home of its own for a test.

use std::path::PathBuf;

use serde_json::Value;
use taskflow_tests::binaries::{ProgramOutput, call_at};
use tempfile::TempDir;

/// A home of its own for a test, and the file that its DAGs look for.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Home { directory: tempfile::tempdir().expect("temporary directories can be made") }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("file")
    }

    pub(crate) fn call(&self, words: &[&str]) -> ProgramOutput {
        call_at(&self.path(), "cli_history", words)
    }

    /// Its stdout, if the call succeeds.
    #[track_caller]
    pub(crate) fn good(&self, words: &[&str]) -> ProgramOutput {
        let output = self.call(words);
        assert_eq!(output.code, Some(0), "{words:?} {output:?}");
        output
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        self.good(&[words, &["--output", "json"]].concat()).json()
    }

    /// What it refuses with.
    #[track_caller]
    pub(crate) fn refusal(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert_eq!((output.code, &*output.stdout), (Some(2), ""), "{words:?} {output:?}");
        output.stderr
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
