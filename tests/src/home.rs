//! A home of its own for a test that calls a DAG binary.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::{ProgramOutput, call_at, program, program_with_signals};

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

    /// A call of the program, for a test that starts it itself.
    pub fn command(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = program(self.program);
        command.env("TASKFLOW_HOME", self.path()).args(words);
        command
    }

    /// The same, of a program that reacts to signals even if the tests ignore some.
    pub fn command_with_signals(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = program_with_signals(self.program);
        command.env("TASKFLOW_HOME", self.path()).args(words);
        command
    }

    /// Starts the program, with pipes to read what it prints.
    pub fn spawn(&self, words: &[impl AsRef<OsStr>]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts")
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
