//! Foreign text on a terminal, in a pipe and in JSON: every verb over a store in which everything
//! that tasks, people and other programs can write is hostile.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::verbs::verbs;
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::common::eventually;
use taskflow_tests::hostile::{HOSTILE, is_unsafe};
use tempfile::TempDir;

/// What stdout is, and what is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Pipe,
    Terminal,
    Json,
}

/// A home with runs that ended badly, well and not at all.
struct Home {
    directory: TempDir,
    form: Form,
}

/// The runs of a home, by number.
const BAD: &str = "1";
const GOOD: &str = "2";
const WAITING: &str = "3";
const ENDLESS: &str = "4";

impl Home {
    fn new(form: Form) -> Self {
        let home = Home { directory: tempfile::tempdir().expect("temporary directories can be made"), form };
        let escaped: String = HOSTILE.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let config = format!("[variables]\nevil = \"{escaped}\"\n");
        std::fs::write(home.config(), config).expect("temporary files can be written");
        assert_eq!(home.run(&["run", "bad", "-q", "--text", HOSTILE]).code, Some(1));
        assert_eq!(home.run(&["run", "good", "-q"]).code, Some(0));
        home.run_until("waiting", || home.run(&["status", WAITING]).stdout.contains("deferred"));
        home.run_until("endless", || home.started().exists());
        for words in [
            &["mark", "failed", BAD, "skips", "--reason", HOSTILE][..],
            &["clear", BAD, "skips", "--no-run", "--reason", HOSTILE],
            &["release", WAITING, "another", "--reason", HOSTILE],
        ] {
            assert_ne!(home.run(words).code, Some(2), "{words:?}");
        }
        home
    }

    /// The name of the home is hostile too.
    fn path(&self) -> PathBuf {
        self.directory.path().join("home\x1b[2J\rFORGED\u{202e}")
    }

    fn started(&self) -> PathBuf {
        self.directory.path().join("started")
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config\x1b[2J\nFORGED.toml")
    }

    fn command(&self) -> Command {
        let mut command = program("hostile");
        command.env("TASKFLOW_HOME", self.path()).env("STARTED", self.started());
        command.env("TASKFLOW_CONFIG", self.config()).env("USER", HOSTILE);
        command
    }

    fn run(&self, words: &[&str]) -> ProgramOutput {
        let output = self.command().args(words).output().expect("a built program starts");
        let Output { status, stdout, stderr } = output;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        ProgramOutput { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs a DAG, and kills the process when the condition holds.
    fn run_until(&self, dag: &str, condition: impl Fn() -> bool) {
        let mut command = self.command();
        command.args(["run", dag, "-q"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a built program starts");
        eventually("the run gets there", condition);
        child.kill().and_then(|()| child.wait()).expect("it can be killed");
    }

    /// Everything that is sent to a terminal by a call of the program. `script` provides the
    /// terminal; a shell repeats the arguments from variables, so that they need no quotes.
    fn on_terminal(&self, words: &[&str]) -> String {
        let program = self.command();
        let mut script = Command::new("script");
        let variables: Vec<String> = (0..words.len()).map(|place| format!("\"$WORD_{place}\"")).collect();
        let line = format!("{} {}", program.get_program().display(), variables.join(" "));
        script.args(["--quiet", "--command", &line, "/dev/null"]).stdin(Stdio::null());
        script.envs(words.iter().enumerate().map(|(place, word)| (format!("WORD_{place}"), word)));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let output = script.output().expect("`script` is installed");
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    }

    /// Calls the program in the form of this home, and checks every byte of what it prints.
    fn check(&self, words: &[&str], value: Value) {
        match self.form {
            Form::Terminal => check_terminal(words, &self.on_terminal(words), value),
            Form::Pipe => {
                let output = self.run(words);
                check_plain(words, &output.stderr);
                match value {
                    Value::None => check_plain(words, &output.stdout),
                    // A file or another program receives it as it is.
                    Value::Alone => assert_eq!(output.stdout, format!("{HOSTILE}\n"), "{words:?}"),
                }
            }
            Form::Json => {
                let output = self.run(&[words, &["--output", "json"]].concat());
                check_plain(words, &output.stdout);
                check_plain(words, &output.stderr);
            }
        }
    }
}

/// Whether the output is a value of a task, which may have several lines.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    None,
    Alone,
}

#[track_caller]
fn check_plain(words: &[&str], text: &str) {
    if let Some(at) = text.find(is_unsafe) {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        let to = text.floor_char_boundary(at + 50);
        panic!("{words:?} prints {:?}", &text[from..to]);
    }
    let forged = text.lines().find(|line| line.starts_with("FORGED"));
    assert_eq!(forged, None, "{words:?} prints a line of its own");
    // Nothing prints the megabytes in full more than once.
    assert!(text.len() < 40 << 20, "{words:?} prints {} bytes", text.len());
}

/// Removes what only the program itself may send, and checks the rest.
#[track_caller]
fn check_terminal(words: &[&str], text: &str, value: Value) {
    /// Our own, those of tables, and those of clap.
    const COLOURS: [&str; 15] =
        ["0", "1", "2", "31;1", "32", "33", "35", "36", "39", "38;5;9", "38;5;10", "38;5;11", "22", "4", "31"];
    assert!(!text.contains("\x1b[31mFORGED"), "{words:?} sends a foreign colour");
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at..];
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(sequence.len() - 1);
        let allowed = match (sequence[1..].strip_prefix('['), sequence.as_bytes()[end]) {
            (Some(_), b'm') => COLOURS.contains(&&sequence[2..end]),
            // The view is erased and drawn anew.
            (Some(_), b'A' | b'B') => sequence[2..end].bytes().all(|byte| byte.is_ascii_digit()),
            (Some(_), b'K') => &sequence[2..end] == "2",
            (Some(_), b'J') => sequence[2..end].is_empty(),
            _ => false,
        };
        let context = &sequence[..sequence.floor_char_boundary(60)];
        assert!(
            allowed,
            "{words:?} sends {context:?} after {:?}",
            &plain[plain.floor_char_boundary(plain.len().saturating_sub(200))..]
        );
        rest = &sequence[end + 1..];
    }
    plain.push_str(rest);
    let plain = plain.replace("\r\n", "\n").replace('\r', if value == Value::Alone { "" } else { "\n" });
    match value {
        Value::None => check_plain(words, &plain),
        Value::Alone => assert_eq!(plain.find(is_unsafe), None, "{words:?} sends {plain:?}"),
    }
}

/// The calls of a verb, some of which fail. A verb that is not listed here fails the test: it may
/// print foreign text too.
fn calls(verb: &str) -> Vec<Vec<&'static str>> {
    const SECONDS: &str = "2026-01-01T00:00:00Z/2026-01-01T00:00:05Z";

    let calls: &[&[&'static str]] = match verb {
        "list" => &[&[], &[HOSTILE]],
        "show" => &[
            &["bad"],
            &[HOSTILE],
            &["bad", "--format", HOSTILE],
            &["bad", "--format", "svg"],
            &["bad", "--format", "dot"],
            &["bad", "--format", "mermaid"],
            &["bad", "--format", "json"],
        ],
        "run" => &[
            &["bad", "--text", HOSTILE],
            &["bad", "--logs"],
            &["bad", "--only", HOSTILE],
            &["waiting", HOSTILE],
            &[HOSTILE],
        ],
        "trigger" => &[
            &["bad", "--text", HOSTILE],
            &["bad", "--logical-date", HOSTILE],
            &["bad", "--interval", HOSTILE],
            &[HOSTILE],
        ],
        "serve" => &[&["--only", HOSTILE]],
        "next" => &[&[], &["daily", "-n", HOSTILE], &[HOSTILE]],
        "slots" => &[&["daily"], &["daily", "--limit", HOSTILE], &[HOSTILE]],
        "pause" => &[
            &["daily", "--by", HOSTILE, "--reason", HOSTILE],
            &["eager", "--by", HOSTILE, "--reason", HOSTILE],
            &["daily", "--until", HOSTILE],
            &["--tag", HOSTILE],
            &[HOSTILE],
        ],
        "unpause" => &[
            &["daily", "--catchup", HOSTILE],
            &["eager", "--events", HOSTILE],
            &["daily", "--by", HOSTILE],
            &[HOSTILE],
        ],
        "reset-schedule" => &[&["daily", "--reason", HOSTILE], &[HOSTILE], &["--all"]],
        "backfill" => &[
            &["daily", SECONDS, "--dry-run"],
            &["daily", SECONDS, "--by", HOSTILE, "--reason", HOSTILE],
            &["daily", SECONDS],
            &["daily", HOSTILE],
            &["daily", "2026-01-09T00:00:00Z", "--order", HOSTILE],
            &["daily", "2026-01-09T00:00:00Z", "--token", HOSTILE],
            &[HOSTILE],
        ],
        "backfills show" => &[&["1"], &["77"], &[HOSTILE]],
        "backfills pause" => &[&["1", "--by", HOSTILE, "--reason", HOSTILE], &["1"], &[HOSTILE]],
        "backfills resume" => &[&["1", "--reason", HOSTILE]],
        "backfills limit" => &[&["1", "3", "--by", HOSTILE], &["1", HOSTILE]],
        "backfills extend" => &[&["1", "2026-01-01T00:00:09Z", "--reason", HOSTILE], &["1", HOSTILE]],
        "backfills retry" => &[&["1"]],
        "backfills cancel" => &[&["1", "--by", HOSTILE, "--reason", HOSTILE], &["1", "--running"]],
        "runs" => &[
            &[],
            &["--format", "csv"],
            &["--format", "jsonl"],
            &["--format", HOSTILE],
            &["--dag", HOSTILE],
            &["--since", HOSTILE],
            &["--by", HOSTILE],
            &["--state", HOSTILE],
        ],
        "status" => &[&[BAD], &[BAD, "--all"], &[WAITING], &[ENDLESS], &[HOSTILE]],
        "explain" => &[&[BAD], &[BAD, "fails"], &[WAITING], &[WAITING, "consent"], &[ENDLESS], &[BAD, HOSTILE]],
        "values" => &[
            &[BAD],
            &[BAD, "--all"],
            &[BAD, "list"],
            &[BAD, HOSTILE],
            &[BAD, "fails"],
            &[HOSTILE],
            &[BAD, "--json"],
            &[BAD, "list", "--json"],
        ],
        "logs" => &[
            &[BAD],
            &[BAD, "--json"],
            &[BAD, "logs"],
            &[ENDLESS, "--follow"],
            &[BAD, HOSTILE],
            &[BAD, "--level", HOSTILE],
        ],
        "lineage" => &[&[], &[BAD], &[HOSTILE]],
        "resume" => &[&[BAD], &[HOSTILE], &[GOOD]],
        "retry" => &[&[BAD, "--dry-run"], &[BAD, "--token", HOSTILE], &[BAD], &[HOSTILE]],
        "clear" => &[
            &[BAD, "skips", "--reason", HOSTILE],
            &[BAD, "--dry-run"],
            &[BAD, "--token", HOSTILE],
            &[BAD, "skips", "dies", "--no-run"],
            &[BAD, HOSTILE],
        ],
        "mark" => &[
            &["success", BAD, "fails", "--value", "7", "--dry-run"],
            &["success", BAD, "fails", "--value", "7", "--token", HOSTILE],
            &["success", BAD, "fails", "--reason", HOSTILE, "--value", "7"],
            &["success", BAD, HOSTILE],
            &["success", BAD, "fails", "--value", HOSTILE],
            &[HOSTILE],
        ],
        "release" => &[
            &[WAITING, "another"],
            &[WAITING, HOSTILE, "--reason", HOSTILE, "--value", "\"\\u001b[2J\""],
            &[BAD, HOSTILE],
            &[WAITING, "another", "--value", HOSTILE],
            &[WAITING, "consent", "--value", "\"Maybe\"", "--reason", HOSTILE],
        ],
        "cancel" => &[
            &[ENDLESS, "--dry-run"],
            &[ENDLESS, "--token", HOSTILE],
            &[ENDLESS, "--reason", HOSTILE],
            &[GOOD, "--reason", HOSTILE],
            &[HOSTILE],
        ],
        "replay" => &[
            &[BAD, "fails"],
            &[BAD, "skips"],
            &[BAD, "panics"],
            &[BAD, "dies", "--isolated"],
            &[BAD, "logs"],
            &[BAD, "script"],
            &[BAD, HOSTILE],
        ],
        "emit" => &[
            &["evil", "\"\\u001b[2J\"", "--partition", HOSTILE, "--key", HOSTILE, "--by", HOSTILE],
            &["evil", "1"],
            &["evil", HOSTILE],
            &[HOSTILE],
        ],
        "audit" => &[
            &[],
            &["daily"],
            &["--by", HOSTILE],
            &["--action", HOSTILE],
            &["--since", HOSTILE],
            &["--until", HOSTILE],
            &[HOSTILE],
        ],
        "consumers" => &[&[], &["eager"], &[HOSTILE]],
        "events" => &[&[], &["evil"], &["evil", "--partition", HOSTILE], &["@1"], &["@999999"], &[HOSTILE]],
        "config show" => &[&[], &["--origin"], &["--config", HOSTILE]],
        "db prune" => &[
            &["--older-than", "0s", "--audit", "--dry-run"],
            &["--older-than", "0s", "--token", HOSTILE],
            &["--older-than", HOSTILE],
            &["--run", HOSTILE],
        ],
        "users add" => &[
            &[HOSTILE, "--password-stdin"],
            &["kim", "--password-stdin", "--role", HOSTILE],
            &["kim", "--password-stdin", "--dags", HOSTILE],
        ],
        "users password" => &[&[HOSTILE, "--password-stdin"]],
        "users role" => &[&[HOSTILE, "viewer"], &["kim", HOSTILE], &["kim", "viewer", "--dags", HOSTILE]],
        "tokens create" => {
            &[&[HOSTILE], &["ci", "--user", HOSTILE], &["ci", "--expires", HOSTILE], &["ci", "--dags", HOSTILE]]
        }
        "users remove" | "tokens revoke" => &[&[HOSTILE]],
        "config path" | "db check" | "db vacuum" | "db path" | "dags" | "doctor" | "assets" | "users list"
        | "tokens list" => &[&[]],
        "completions" => &[&["bash"], &["zsh"], &["fish"], &["powershell"], &["elvish"], &[HOSTILE]],
        _ => panic!("what does `{verb}` print of a hostile store?"),
    };
    calls.iter().map(|call| call.to_vec()).collect()
}

fn every_verb(form: Form) {
    let home = Home::new(form);
    for verb in verbs(|words| home.run(words).stdout) {
        for call in calls(&verb) {
            let words: Vec<&str> = verb.split(' ').chain(call).collect();
            home.check(&words, Value::None);
        }
    }
    home.check(&["next", "daily"], Value::None);
    home.check(&["dags"], Value::None);
    home.check(&["doctor"], Value::None);
    home.check(&["pause", "--all", "--reason", HOSTILE, "--by", HOSTILE], Value::None);
    home.check(&["unpause", "daily", "--reason", HOSTILE, "--by", HOSTILE], Value::None);
    home.check(&["consumers"], Value::None);
    home.check(&["unpause", "eager"], Value::None);
    home.check(&["slots", "daily"], Value::None);
    home.check(&["backfills"], Value::None);
    home.check(&["backfills", "show", "1"], Value::None);
    home.check(&["values", GOOD, "answer"], Value::Alone);
    home.check(&["replay", GOOD, "answer"], Value::Alone);
    home.check(&["run", "good", "-q"], Value::Alone);
}

/// C1: every verb and every form of output, over a store whose every foreign text is hostile.
#[test]
fn no_verb_sends_foreign_control_characters_to_a_pipe() {
    every_verb(Form::Pipe);
}

/// C1: the same on a terminal.
#[test]
fn no_verb_sends_foreign_control_characters_to_a_terminal() {
    every_verb(Form::Terminal);
}

/// C1: the same as JSON, with C1 and U+202E.
#[test]
fn no_json_contains_foreign_control_characters() {
    every_verb(Form::Json);
}
