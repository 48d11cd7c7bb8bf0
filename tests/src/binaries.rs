//! Runs DAG binaries, those of `tests/fixtures` and the examples, as a user would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A call of a fixture, in an environment without variables about terminals.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(path(name));
    // The last one is for tests: a program would warn of it.
    for variable in ["NO_COLOR", "CI", "CLICOLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE", "COLUMNS", "TASKFLOW_SPARK_HOME"]
    {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm").env("TASKFLOW_HOME", home()).stdin(Stdio::null());
    command
}

/// Where programs keep their runs unless a test names another place: never in the current
/// directory.
fn home() -> PathBuf {
    built().join("homes").join(std::process::id().to_string())
}

/// Fixtures are binaries of this package, which cargo builds before its tests; examples are those
/// of taskflow.
fn path(name: &str) -> PathBuf {
    let places = [built(), built().join("examples")];
    let mut paths = places.map(|folder| folder.join(name).with_extension(std::env::consts::EXE_EXTENSION)).into_iter();
    paths.find(|path| path.exists()).unwrap_or_else(|| {
        panic!("`{name}` is not built; `cargo build --workspace --all-features --bins --examples` builds it")
    })
}

/// `target/<profile>`, where cargo puts what it builds.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its path");
    test.ancestors().nth(2).expect("a test lies in target/<profile>/deps").to_owned()
}

/// The output of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct ProgramOutput {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for ProgramOutput {
    fn from(output: Output) -> Self {
        ProgramOutput {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("it prints UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it prints UTF-8"),
        }
    }
}

/// Calls a fixture with a home of its own and waits for its end: whatever it runs is run 1.
pub fn call(name: &str, words: &[&str]) -> ProgramOutput {
    let home = tempfile::tempdir().expect("temporary directories can be made");
    call_at(home.path(), name, words)
}

/// Calls a fixture that keeps its runs there, and waits for its end.
pub fn call_at(home: &Path, name: &str, words: &[&str]) -> ProgramOutput {
    program(name).env("TASKFLOW_HOME", home).args(words).output().expect("a built program starts").into()
}

impl ProgramOutput {
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The text without what differs from run to run: times, durations, run ids, and the spaces of
/// tables.
pub fn masked(text: &str) -> String {
    text.lines().map(masked_line).collect::<Vec<_>>().join("\n")
}

fn masked_line(line: &str) -> String {
    let indent = &line[..line.len() - line.trim_start().len()];
    let mut masked: Vec<&str> = Vec::new();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "localhost".to_owned());
    let worker = format!("{}:", host.trim());
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let number = word.trim_start_matches('+').parse::<f64>().is_ok();
        let unit = |next: &&str| ["ns", "µs", "ms", "s", "m", "h"].contains(&next.trim_end_matches([',', ':']));
        if number && words.peek().is_some_and(unit) {
            let unit = words.next().unwrap_or_default();
            masked.push(if unit.ends_with(',') {
                "<time>,"
            } else if unit.ends_with(':') {
                "<time>:"
            } else {
                "<time>"
            });
        } else if word.ends_with('Z') && word.contains(['T', ':']) {
            masked.push("<now>");
        } else if words.peek().is_some_and(|next| next.ends_with('Z')) && word.len() == "2026-01-31".len() {
            // The day before a time of day.
        } else if word.starts_with("manual__") {
            masked.push("<run>");
        } else if word.starts_with("(manual__") {
            masked.push("(<run>)");
        } else if let Some(program) =
            ["cli_several", "cli_history", "cli_shown"].into_iter().find(|name| word.ends_with(name))
        {
            masked.push(program);
        } else if word.starts_with(&worker) {
            masked.push("<worker>");
        } else if word.chars().all(|c| c == '─') {
            masked.push("─");
        } else {
            masked.push(word);
        }
    }
    format!("{indent}{}", masked.join(" "))
}
