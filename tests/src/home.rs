//! A home of its own for a test that calls a DAG binary.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::{ProgramOutput, call_at};

/// A home for a fixture, with room beside it for the files that its DAGs look for.
pub struct ProgramHome {
    program: &'static str,
    directory: TempDir,
}

impl ProgramHome {
    pub fn new(program: &'static str) -> Self {
        ProgramHome { program, directory: tempfile::tempdir().expect("temporary directories can be made") }
    }

    pub fn path(&self) -> PathBuf {
        self.beside("home")
    }

    /// A file or a directory beside the home.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Calls the program and waits for its end.
    pub fn call(&self, words: &[&str]) -> ProgramOutput {
        call_at(&self.path(), self.program, words)
    }

    /// The output of a call that succeeds.
    #[track_caller]
    pub fn good(&self, words: &[&str]) -> ProgramOutput {
        let output = self.call(words);
        assert_eq!(output.code, Some(0), "{words:?} {output:?}");
        output
    }

    /// The document that a call prints.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        self.good(&[words, &["--output", "json"]].concat()).json()
    }

    /// What it refuses with.
    #[track_caller]
    pub fn refusal(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert_eq!((output.code, &*output.stdout), (Some(2), ""), "{words:?} {output:?}");
        output.stderr
    }
}
