//! B5: damage of a home, one kind after the other, and what each verb says.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::verbs::verbs;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use taskflow_tests::binaries::{ProgramOutput, call_at, masked};

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// The graph of run 1.
    Graph,
    /// The entries of a segment of run 1.
    Entries,
    /// The values in a segment of run 1.
    Data,
    /// The file of a value of run 3.
    ValueFile,
    /// The row of run 2.
    Run,
    /// The state of the schedule of `orders`.
    Schedule,
    /// The history of that schedule.
    Note,
    /// A backfill.
    Backfill,
    /// The first event of `warehouse/orders`.
    Event,
    /// The file of the payload of an event of `parts`.
    PayloadFile,
    /// A row of the audit trail.
    Audit,
    /// A user.
    #[cfg(feature = "server")]
    Account,
}

/// All kinds, and the place that `db check` and every refusal name.
const PARTS: &[(Part, &str)] = &[
    (Part::Graph, "the checksum of the snapshot does not match"),
    (Part::Entries, "run 1: the checksum of segment "),
    (Part::Data, "its values do not have their checksum"),
    (Part::ValueFile, "the value is corrupt: "),
    (Part::Run, "run 2: the checksum of its state does not match"),
    (Part::Schedule, "the schedule of `orders`"),
    (Part::Note, "note 2 of a schedule: its checksum does not match"),
    (Part::Backfill, "backfill 1: its checksum does not match"),
    (Part::Event, "event 1: its checksum does not match"),
    (Part::PayloadFile, "the payload of event "),
    (Part::Audit, "audit row "),
    #[cfg(feature = "server")]
    (Part::Account, "the user `kim`: its checksum does not match"),
];

/// The database of a home.
fn database(home: &Path) -> PathBuf {
    home.join("taskflow.db")
}

/// A home with something of everything, made once for the tests of this file. The runs: 1 of
/// `orders`, 2 of `parts`, 3 of `wide`.
fn sound() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        // Nothing is dropped at the end of a test program, so the directory is below that of cargo.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damage");
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(&home).expect("a directory can be made");
        for words in [
            &["run", "orders", "-q", "--logical-date", "2026-02-02T20:00:00Z"][..],
            &["run", "parts", "-q"],
            &["run", "wide", "-q"],
            &["unpause", "orders", "--by", "ann"],
            &["pause", "orders", "--by", "ann", "--reason", "migration"],
            &["backfill", "orders", "2026-01-01/2026-01-02", "--by", "ann"],
            #[cfg(feature = "server")]
            &["users", "add", "kim", "--role", "viewer", "--password-stdin"],
        ] {
            let output = call_with_input(&home.join("home"), words, "several good words\n");
            assert_eq!(output.code, Some(0), "{words:?}: {output:?}");
        }
        home
    };
    HOME.get_or_init(make)
}

fn call_with_input(home: &Path, words: &[&str], input: &str) -> ProgramOutput {
    use std::io::Write as _;
    use std::process::Stdio;

    let mut program = taskflow_tests::binaries::program("assets");
    program.args(words).env("TASKFLOW_HOME", home);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("a built program starts");
    // It may not read it.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends").into()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    let permissions = std::fs::metadata(from).expect("it is there").permissions();
    std::fs::set_permissions(to, permissions).expect("it is ours");
    for entry in std::fs::read_dir(from).expect("it is a directory") {
        let entry = entry.expect("it can be listed");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("it has one").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("a file can be copied")),
        }
    }
}

/// A copy of the sound home at a path that all copies share in turn, so that messages which name it
/// can be compared.
struct Copy(PathBuf, #[allow(dead_code, reason = "one at a time has the path")] MutexGuard<'static, ()>);

static PATH: Mutex<()> = Mutex::new(());

impl Copy {
    fn new() -> Self {
        let turn = PATH.lock().unwrap_or_else(PoisonError::into_inner);
        let path = sound().join("copy");
        let _ = std::fs::remove_dir_all(&path);
        copy(&sound().join("home"), &path);
        Copy(path, turn)
    }

    fn call(&self, words: &[&str]) -> ProgramOutput {
        call_at(&self.0, "assets", words)
    }

    fn damage(&self, part: Part) {
        let sql = match part {
            Part::Graph => "UPDATE graphs SET snapshot = x'00' WHERE hash = (SELECT graph FROM runs WHERE number = 1)",
            Part::Entries => {
                "UPDATE segments SET events = x'0103' WHERE id = (SELECT max(id) FROM segments WHERE id >> 32 = 1)"
            }
            Part::Data => "UPDATE segments SET data = zeroblob(length(data)) WHERE id >> 32 = 1",
            Part::Run => "UPDATE runs SET state = 'failed' WHERE number = 2",
            Part::Schedule => "UPDATE schedules SET state = replace(state, 'ann', 'eve')",
            Part::Note => "UPDATE schedule_notes SET note = replace(note, 'ann', 'eve')",
            Part::Backfill => "UPDATE backfills SET updated = updated + 1",
            Part::Event => "UPDATE events SET emitted = emitted + 1 WHERE number = 1",
            // Nobody but a damaged disk can change a row.
            Part::Audit => {
                "DROP TRIGGER audit_is_append_only; UPDATE audit SET actor = 'eve'; \
                 CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit\nBEGIN\n    \
                 SELECT RAISE(ABORT, 'a row of the audit trail never changes');\nEND"
            }
            #[cfg(feature = "server")]
            Part::Account => "UPDATE accounts SET state = replace(state, 'viewer', 'admin')",
            Part::ValueFile => return self.damage_file(|path| path.contains("manual__")),
            Part::PayloadFile => return self.damage_file(|path| !path.contains("manual__")),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(database(&self.0)).foreign_keys(false);
            let mut connection = options.connect().await.expect("it is a database");
            let changed = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("it can be written");
            assert!(changed.rows_affected() > 0, "{part:?}");
            connection.close().await.expect("it can be closed");
        });
    }

    /// Changes a byte in the middle of the only file of the values of a run.
    fn damage_file(&self, is_wanted: impl Fn(&str) -> bool) {
        fn files(directory: &Path) -> Vec<PathBuf> {
            let entries = std::fs::read_dir(directory).expect("it can be listed").flatten();
            entries
                .flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] })
                .collect()
        }
        let all = files(&self.0.join("values"));
        let wanted: Vec<&PathBuf> = all.iter().filter(|path| is_wanted(&path.display().to_string())).collect();
        let [file] = wanted[..] else { panic!("{all:?}") };
        let mut bytes = std::fs::read(file).expect("it is a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).expect("it is ours");
    }
}

/// A call, and the parts that it uses.
type Call = (&'static str, &'static [Part]);

/// What needs the history of run 1.
const HISTORY: &[Part] = &[Part::Graph, Part::Entries];
/// What also shows the events of that run.
const STATUS: &[Part] = &[Part::Graph, Part::Entries, Part::Event];

/// Calls of a verb. A verb that is not listed here fails the test.
#[allow(clippy::match_same_arms, reason = "each verb has its place in the list")]
fn calls(verb: &str) -> &'static [Call] {
    match verb {
        // They use nothing of a home, or wait for ever.
        "list" | "show" | "completions" | "config show" | "config path" | "db path" | "serve" => &[],
        // The other test. `doctor` asks SQLite only, and is about the machine.
        "db check" | "doctor" => &[],
        "db vacuum" => &[("", &[])],
        "db prune" => &[("--older-than 1000d --dry-run", &[])],
        "run" | "trigger" => &[("wide", &[])],
        "runs" => &[("", &[Part::Run])],
        "status" => &[("1", STATUS), ("2", &[Part::Run]), ("3", &[])],
        "explain" | "logs" => &[("1", STATUS), ("3", &[])],
        "values" => &[
            ("1", &[Part::Graph, Part::Entries, Part::Event, Part::Data]),
            ("1 --json", &[Part::Graph, Part::Entries, Part::Event, Part::Data]),
            ("1 load", &[Part::Graph, Part::Entries, Part::Event, Part::Data]),
            ("3", &[Part::ValueFile]),
            ("3 total", &[]),
            ("3 large", &[Part::ValueFile]),
        ],
        "lineage" => &[("1", &[Part::Event]), ("3", &[])],
        "replay" => &[("1 count", &[Part::Graph, Part::Entries, Part::Data]), ("3 total", &[Part::ValueFile])],
        "resume" | "retry" => &[("1", HISTORY)],
        "clear" => &[("1 count --no-run", HISTORY)],
        "mark" => &[("failed 1 count", HISTORY)],
        "release" => &[("1 go", HISTORY)],
        // It has ended, and its row says so.
        "cancel" => &[("1", &[])],
        "emit" => &[("steps 1", &[])],
        "events" => &[("", &[Part::Event]), ("@1", &[Part::Event]), ("@4", &[Part::PayloadFile])],
        "assets" => &[("", &[Part::Event])],
        "consumers" => &[("", &[])],
        "audit" => &[("", &[Part::Audit])],
        // The row of a DAG whose schedule is damaged says so; the last runs of all are read.
        "dags" => &[("", &[Part::Run, Part::Schedule])],
        "next" => &[("", &[Part::Run, Part::Schedule])],
        "slots" => &[("orders", &[Part::Schedule, Part::Note])],
        "pause" | "unpause" => &[("orders", &[Part::Schedule])],
        // It mends the schedule.
        "reset-schedule" => &[],
        "backfill" => &[("orders 2026-03-01/2026-03-02 --dry-run", &[Part::Backfill])],
        "backfills" | "backfills list" => &[("", &[Part::Backfill])],
        "backfills show" | "backfills pause" => &[("1", &[Part::Backfill])],
        // As `pause`.
        "backfills resume" | "backfills retry" | "backfills cancel" | "backfills limit" | "backfills extend" => &[],
        #[cfg(feature = "server")]
        "users list" => &[("", &[Part::Account])],
        #[cfg(feature = "server")]
        "users role" => &[("kim operator", &[Part::Account])],
        "tokens list" => &[("", &[])],
        // They change other rows, or take this one away.
        "users add" | "users password" | "users remove" | "tokens create" | "tokens revoke" => &[],
        _ => panic!("what does `{verb}` use of a home?"),
    }
}

/// Whether a call leaves the home as it was.
fn only_reads(verb: &str) -> bool {
    matches!(
        verb,
        "runs"
            | "status"
            | "explain"
            | "logs"
            | "values"
            | "lineage"
            | "replay"
            | "events"
            | "assets"
            | "consumers"
            | "audit"
            | "dags"
            | "next"
            | "slots"
            | "backfills"
            | "backfills list"
            | "backfills show"
            | "users list"
            | "tokens list"
            | "backfill"
            | "db prune"
    )
}

/// B5: what would use a damaged part is refused, and names it; all else goes on as before.
#[test]
fn whatever_uses_a_damaged_part_is_refused_and_names_it() {
    let listed = Copy::new().call(&["--help"]).stdout;
    let all =
        verbs(|words| if words == ["--help"] { listed.clone() } else { call_at(sound(), "assets", words).stdout });
    let (readers, writers): (Vec<String>, Vec<String>) = all.into_iter().partition(|verb| only_reads(verb));
    let said = |home: &Copy, verb: &str, arguments: &str| {
        let line = format!("{verb} {arguments}");
        let output = home.call(&line.split_whitespace().collect::<Vec<_>>());
        (output.code, masked(&output.stdout), masked(&output.stderr))
    };
    let mut wrong = Vec::new();
    let mut check = |part: Part, place: &str, line: String, is_used: bool, before: &Said, after: Said| {
        let is_named = after.1.contains(place) || after.2.contains(place);
        let hides_no_other = line.trim() == "dags" && part == Part::Schedule;
        let is_refused = is_named && (after.0 == Some(1) || hides_no_other);
        // What runs tasks says so in another order.
        let goes_on =
            after.0 == before.0 && (after.1 == before.1 || !only_reads(line.split("  ").next().unwrap_or("")));
        if if is_used { !is_refused } else { !goes_on || after.2.contains(place) } {
            wrong.push(format!("{part:?}: {line} (uses it: {is_used}): {after:?}, before: {before:?}"));
        }
    };
    let mut before = Vec::new();
    let home = Copy::new();
    for verb in &readers {
        before.extend(calls(verb).iter().map(|(arguments, _)| said(&home, verb, arguments)));
    }
    drop(home);
    for &(part, place) in PARTS {
        let home = Copy::new();
        home.damage(part);
        let calls = readers.iter().flat_map(|verb| calls(verb).iter().map(move |call| (verb, call)));
        for ((verb, (arguments, uses)), before) in calls.zip(&before) {
            let after = said(&home, verb, arguments);
            check(part, place, format!("{verb}  {arguments}"), uses.contains(&part), before, after);
        }
    }
    for verb in &writers {
        for (arguments, uses) in calls(verb) {
            let before = said(&Copy::new(), verb, arguments);
            for &(part, place) in PARTS.iter().filter(|(part, _)| uses.contains(part) || *part == Part::Audit) {
                let home = Copy::new();
                home.damage(part);
                let after = said(&home, verb, arguments);
                check(part, place, format!("{verb}  {arguments}"), uses.contains(&part), &before, after);
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// The exit code, stdout and stderr of a call.
type Said = (Option<i32>, String, String);

/// B5: `db check` names each kind of damage and exits with 1.
#[test]
fn a_check_names_every_kind_of_damage() {
    let output = Copy::new().call(&["db", "check"]);
    assert_eq!((output.code, &*output.stderr), (Some(0), "no damage found\n"), "{output:?}");
    for &(part, place) in PARTS {
        let home = Copy::new();
        home.damage(part);
        let output = home.call(&["db", "check"]);
        assert_eq!(output.code, Some(1), "{part:?}: {output:?}");
        assert!(output.stdout.contains(place) || output.stderr.contains(place), "{part:?}: {output:?}");
    }
}
