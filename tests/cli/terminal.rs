//! `run` on a terminal: the view, what tasks print meanwhile, and Ctrl-C typed on it.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use taskflow_tests::binaries;

/// A fixture on its own terminal, provided by `script`: what is written to its stdin is typed
/// there.
struct Session {
    script: Child,
    seen: String,
}

impl Session {
    fn start(words: &str) -> Self {
        Session::start_with(words, &[])
    }

    fn start_with(words: &str, variables: &[(&str, &str)]) -> Self {
        let mut fixture = binaries::program("cli_single");
        fixture.env("LC_ALL", "C.UTF-8").envs(variables.iter().copied());
        let line = format!("{} {words}", fixture.get_program().display());
        let mut command = binaries::with_signals();
        command.args(["script", "--quiet", "--return", "--command", &line, "/dev/null"]);
        for (name, value) in fixture.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` is installed");
        Session { script, seen: String::new() }
    }

    /// Reads until the terminal has been sent this.
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let read = self.script.stdout.as_mut().map_or(0, |stdout| stdout.read(&mut buffer).unwrap_or(0));
            assert!(read > 0, "it ended without {text:?}: {}", self.seen);
            self.seen += &String::from_utf8_lossy(&buffer[..read]);
        }
    }

    fn write(&mut self, keys: &[u8]) {
        let stdin = self.script.stdin.as_mut().expect("it is piped");
        stdin.write_all(keys).and_then(|()| stdin.flush()).expect("`script` reads what is typed");
    }

    /// Reads to the end; the exit code and everything that was sent.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = Vec::new();
        if let Some(stdout) = &mut self.script.stdout {
            let _ = stdout.read_to_end(&mut rest);
        }
        let code = self.script.wait().ok().and_then(|status| status.code());
        (code, self.seen + &String::from_utf8_lossy(&rest))
    }
}

fn started(test: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli_terminal_{test}_{}", std::process::id()));
    path.display().to_string()
}

/// E15: `run` on a terminal says the number of the run.
#[test]
fn the_view_shows_running_tasks_and_keeps_their_output() {
    let mut session = Session::start(&format!("run --started {}", started("view")));
    session.wait_for("1 running");
    session.wait_for("  \x1b[36m▶\x1b[0m linger");
    session.write(b"\x03");
    let (code, seen) = session.end();
    assert_eq!(code, Some(130), "{seen}");
    let line =
        "stopping: waiting up to 10 s for 1 running task; Ctrl-C again stops at once; the run can be resumed with `";
    assert!(seen.contains(line), "{seen}");
    assert!(seen.contains(" greeting: run ") && seen.contains(" (manual__"), "the number stays above the view: {seen}");
    for line in ["a task prints: I end\r\n", "a task logs: I end\r\n"] {
        assert!(seen.contains(line), "{line:?} did not come through: {seen}");
    }
    let summary = seen.rsplit_once("linger").map(|(_, summary)| summary).unwrap_or_default();
    assert!(summary.contains("interrupted"), "the table comes last: {seen}");
    assert!(summary.trim_end().lines().last().is_some_and(|line| line.contains("to resume:")), "{seen}");
    assert!(summary.contains("scheduled"), "the table comes last: {seen}");
}

#[test]
fn a_second_ctrl_c_leaves_a_clean_line() {
    let mut session = Session::start(&format!("run --stubborn --started {}", started("twice")));
    session.wait_for("  \x1b[36m▶\x1b[0m linger");
    session.write(b"\x03");
    session.wait_for("Ctrl-C again stops at once");
    session.write(b"\x03");
    let (code, seen) = session.end();
    assert_eq!(code, Some(130), "{seen}");
    assert!(seen.ends_with("stopped at once\r\n"), "{seen:?}");
}

#[test]
fn states_are_coloured_unless_colours_are_disabled() {
    let (_, seen) = Session::start("run").end();
    assert!(seen.contains("\x1b[32m✓\x1b[0m success"), "{seen:?}");
    let (_, seen) = Session::start_with("run", &[("NO_COLOR", "1")]).end();
    assert!(seen.contains("success") && !seen.contains('\x1b'), "{seen:?}");
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    let (_, seen) = Session::start_with("run", &[("LC_ALL", "C")]).end();
    assert!(seen.contains("\x1b[32m+\x1b[0m success") && seen.contains("-----"), "{seen:?}");
    assert!(seen.is_ascii(), "{seen:?}");
}
