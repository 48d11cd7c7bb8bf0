//! `run` on a terminal: the view, what tasks print meanwhile, and Ctrl-C typed on it.

use std::io::{Read, Write};
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Stdio};

use taskflow_tests::binaries;
use taskflow_tests::home::ProgramHome;

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
        Session::of("cli_single", 80, words, variables)
    }

    /// A fixture on a terminal that has this many columns.
    fn of(program: &str, columns: u16, words: &str, variables: &[(&str, &str)]) -> Self {
        let mut fixture = binaries::program(program);
        fixture.env("LC_ALL", "C.UTF-8").envs(variables.iter().copied());
        let path = Path::new(fixture.get_program());
        let directory = path.parent().expect("it is in a directory").display();
        // By its name alone, as people call it: the calls that it shows are as long as its name.
        let line = format!("stty cols {columns} rows 50; PATH={directory}:$PATH exec {program} {words}");
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

// A home for `cli_shown`.

struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("cli_shown"))
    }

    fn session(&self, columns: u16, words: &str) -> Session {
        let home = self.path().display().to_string();
        Session::of("cli_shown", columns, words, &[("TASKFLOW_HOME", &home)])
    }

    #[cfg(feature = "server")]
    fn call_with(&self, words: &[&str], input: &str) -> binaries::ProgramOutput {
        let mut program = self.command(words);
        program.stdin(Stdio::piped());
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts");
        // It may not read it.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends").into()
    }

    /// What a call sends to a terminal with this many columns.
    fn shown(&self, columns: u16, words: &str) -> String {
        self.session(columns, words).end().1
    }
}

/// B10: `run review` on a terminal: the view says what the run waits for and how to answer.
#[test]
fn the_view_shows_a_question_and_how_to_answer_it() {
    let home = Home::new();
    for columns in [160, 60] {
        let mut session = home.session(columns, "run review");
        session.wait_for("start_review waits: \"score 96: review?\"");
        session.wait_for("answer with: ");
        session.wait_for("approved");
        let run = home.call(&["runs", "--output", "json"]).json()[0]["number"].to_string();
        let released = home.call(&["release", &run, "start_review", "--value", "\"approved\"", "--by", "ada"]);
        assert_eq!(released.code, Some(0), "{released:?}");
        let (code, seen) = session.end();
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("Approved by ada"), "{seen}");
    }
}

/// How many cells of a terminal a character has.
fn cells(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff00}'..='\u{ff60}' => 2,
        _ => 1,
    }
}

/// The lines that a terminal shows, without colours.
fn lines(seen: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = seen;
    while let Some(at) = rest.find('\x1b') {
        plain += &rest[..at];
        let sequence = &rest[at..];
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(sequence.len() - 1);
        rest = &sequence[end + 1..];
    }
    plain += rest;
    plain.split(['\n', '\r']).map(str::to_owned).collect()
}

/// B12: terminals of 60, 80, 120 and 200 columns, with long names, long reasons and wide
/// characters.
#[test]
fn no_line_is_wider_than_the_terminal() {
    const WIDE: &str = "flights_that_have_landed_at_each_airport";
    const EVENTS: &str = "flights_that_have_landed_since_the_last_run";
    const ASSET: &str = "warehouse/operations/flights_landed_at_airports";
    const REASON: &str =
        "1월 31일의 항공편 파일이 아직 도착하지 않아서 다시 실행하며, and the operator on duty was told of it";
    let home = Home::new();
    home.call(&["run", "long_names", "-q"]);
    home.call(&["run", WIDE, "-q"]);
    home.call(&["run", "parent", "-q"]);
    let by = ["--by", "김민준 (데이터 플랫폼)", "--reason", REASON];
    for words in [
        &["clear", "1", "--no-run"][..],
        &["mark", "failed", "2", "collected"],
        &["unpause", WIDE],
        &["pause", WIDE],
        &["pause", EVENTS],
        &["backfill", WIDE, "2026-01-01/2026-01-02"],
        &["unpause", WIDE],
    ] {
        let output = home.call(&[words, &by[..if words[0] == "unpause" { 2 } else { 4 }]].concat());
        // A run that goes on may fail.
        assert_ne!(output.code, Some(2), "{words:?}: {output:?}");
    }
    let payload = format!("\"{REASON}\"");
    let emitted = home.call(&["emit", ASSET, &payload, "--by", "김민준", "--key", "인천국제공항/2026-01-31"]);
    assert_eq!(emitted.code, Some(0), "{emitted:?}");
    #[cfg(feature = "server")]
    for name in ["kim", "somebody.with-a-name.that-is-as-long-as-names-get@example.com"] {
        home.call_with(
            &["users", "add", name, "--role", "operator", "--dags", WIDE, "--password-stdin"],
            "a good password\n",
        );
    }
    let mut wider = Vec::new();
    for words in [
        "list",
        "dags",
        "runs",
        "status 1",
        "status 2",
        "status 2 --all",
        "status 3",
        "explain 1",
        "explain 2",
        "explain 2 collected",
        "values 2",
        "values 3",
        "next",
        &format!("slots {WIDE}"),
        "backfills",
        "backfills show 1",
        "assets",
        "events",
        "events @1",
        "consumers",
        &format!("consumers {EVENTS}"),
        "lineage 2",
        "audit",
        "doctor",
        "config show",
        #[cfg(feature = "server")]
        "users list",
        #[cfg(feature = "server")]
        "tokens list",
    ] {
        for columns in [60, 80, 120, 200] {
            let seen = home.shown(columns, words);
            assert!(!seen.trim().is_empty(), "{words} shows nothing");
            for line in lines(&seen) {
                let width: usize = line.trim_end().chars().map(cells).sum();
                // A name is never broken.
                if width > usize::from(columns) && line.trim().contains(' ') {
                    wider.push(format!("{words} at {columns} has {width}: {line}"));
                }
            }
        }
    }
    assert!(wider.is_empty(), "{} lines:\n{}", wider.len(), wider.join("\n"));
}
