//! `cargo xtask instructions`: counts the instructions of fixed graphs, and compares them with the
//! recorded counts.
//!
//! Unlike times, they hardly depend on the machine and not at all on its load. A count is the
//! difference between two processes under valgrind, of which one builds or runs the graph more
//! often: the cost of the additional times, without the start of the process. Each process runs
//! several times and its least count is taken, since the seeds of hash tables vary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs, panic, thread};

use crate::failure::Failure;
use crate::prerequisites;
use crate::step::{Started, Step};
use crate::workspace;

/// The recorded counts, from the root of the workspace.
const RECORDED: &str = "benches/instructions/recorded.txt";
const PROFILE: &str = "instructions";
const PROGRAM: &str = "taskflow-instructions";
const SHAPES: [&str; 3] = ["chain", "fan", "layers"];
const TASKS: u64 = 10_000;
/// How many builds or runs are compared with one.
const MORE: u64 = 4;
/// How many times a process runs.
const TIMES: usize = 3;
/// How much more than its recorded count a shape may cost, in percent.
const TOLERANCE: u64 = 5;

/// The instructions per task, by what is counted: `chain build`.
type Counts = BTreeMap<String, u64>;

/// Counts, and fails if a count is too high. With `--record` it writes the counts instead.
///
/// # Errors
///
/// Also if nothing can be counted because valgrind is missing: a check that was skipped has not
/// succeeded.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    prerequisites::ensure_valgrind().map_err(|why| why.and("skipped: nothing was counted"))?;
    build().run()?;
    count_built(words)
}

/// Starts to build what is counted, in the background: most of it is one crate in one unit, which
/// keeps one core busy.
pub(crate) fn start_build() -> Result<Started, Failure> {
    let failed = |error| Failure::new(format!("`{PROGRAM}` cannot be built: {error}"));
    let target = workspace::target();
    fs::create_dir_all(&target).map_err(failed)?;
    build().plain().start(target.join("instructions.log")).map_err(failed)
}

fn count_built(words: &[String]) -> Result<(), Failure> {
    let counted = count()?;
    if words.is_empty() {
        return compare(&counted, &recorded()?);
    }
    let failed = |why| Failure::new(format!("\nerror: cannot write `{RECORDED}`: {why}"));
    fs::write(workspace::root().join(RECORDED), text(&counted)).map_err(failed)?;
    println!("recorded in {RECORDED}:\n{}", text(&counted));
    Ok(())
}

fn build() -> Step {
    let step = Step::cargo("instructions: build", ["build", "--locked", "--profile", PROFILE, "--package", PROGRAM]);
    // The environment may choose incremental builds, whose code is worse.
    step.env("CARGO_INCREMENTAL", "0")
}

fn count() -> Result<Counts, Failure> {
    let mut counts = Counts::new();
    for shape in SHAPES {
        let once = instructions(shape, 1, 1)?;
        let more = [("build", instructions(shape, 1 + MORE, 1)?), ("run", instructions(shape, 1, 1 + MORE)?)];
        for (what, more) in more {
            counts.insert(format!("{shape} {what}"), more.saturating_sub(once) / (MORE * TASKS));
        }
    }
    Ok(counts)
}

/// The least count of several processes. They run at the same time: counts do not depend on load.
fn instructions(shape: &str, builds: u64, runs: u64) -> Result<u64, Failure> {
    thread::scope(|scope| {
        let processes = [(); TIMES].map(|()| scope.spawn(|| of_one_process(shape, builds, runs)));
        let counts = processes.map(|process| process.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        counts.into_iter().try_fold(u64::MAX, |least, count| Ok(least.min(count?)))
    })
}

/// The instructions of a process that builds and runs a graph so many times.
fn of_one_process(shape: &str, builds: u64, runs: u64) -> Result<u64, Failure> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program()).arg(shape);
    valgrind.args([TASKS, builds, runs].map(|number| number.to_string()));
    let failed = |why: String| Failure::new(format!("\nerror: cannot count the instructions of `{shape}`: {why}"));
    let output = valgrind.stdin(Stdio::null()).output().map_err(|why| failed(why.to_string()))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(failed(format!("{}\n{}", output.status, printed.trim_end())));
    }
    collected(&printed).ok_or_else(|| failed(format!("valgrind printed no count:\n{}", printed.trim_end())))
}

/// The count in the output of callgrind.
fn collected(printed: &str) -> Option<u64> {
    printed.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

fn program() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from);
    workspace::root().join(target).join(PROFILE).join(PROGRAM)
}

fn recorded() -> Result<Counts, Failure> {
    let read = fs::read_to_string(workspace::root().join(RECORDED));
    let text = read.map_err(|why| Failure::new(format!("\nerror: cannot read `{RECORDED}`: {why}")))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Counts {
    let counts = text.lines().filter(|line| !line.starts_with('#'));
    counts
        .filter_map(|line| line.split_once(": "))
        .filter_map(|(what, count)| Some((what.to_owned(), count.trim().parse().ok()?)))
        .collect()
}

fn text(counts: &Counts) -> String {
    let mut text = format!(
        "# Instructions per task of graphs of {TASKS} tasks, one worker.\n\
         # Written by `cargo xtask instructions --record`.\n"
    );
    for (what, count) in counts {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{what}: {count}");
    }
    text
}

/// Fails if a count is higher than the recorded one by more than the tolerance.
fn compare(counted: &Counts, recorded: &Counts) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for (what, &count) in counted {
        let Some(&known) = recorded.get(what) else {
            problems.push(format!("`{RECORDED}` has no count for `{what}`: {count} instructions per task"));
            continue;
        };
        println!("    {what}: {count} instructions per task, recorded {known}");
        if count * 100 > known * (100 + TOLERANCE) {
            problems.push(format!(
                "`{what}` takes {count} instructions per task, more than {TOLERANCE} % above the recorded {known}"
            ));
        } else if count * 100 < known * (100 - TOLERANCE) {
            println!("    {what} has become cheaper: record it with `cargo xtask instructions --record`");
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let advice =
        "if the cost is worth it, record it with `cargo xtask instructions --record`, and say why in the commit";
    Err(Failure::new(format!("\nerror: {}", problems.join("\nerror: "))).and(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(run: u64) -> Counts {
        [("chain run".to_owned(), run)].into()
    }

    #[test]
    fn a_count_may_exceed_the_recorded_one_by_five_percent() {
        assert!(compare(&counts(1_050), &counts(1_000)).is_ok());
        assert!(compare(&counts(500), &counts(1_000)).is_ok());
        let failure = compare(&counts(1_051), &counts(1_000)).expect_err("it is too high").to_string();
        assert!(failure.contains("`chain run` takes 1051 instructions per task"), "{failure}");
    }

    #[test]
    fn a_graph_without_a_recorded_count_fails() {
        assert!(compare(&counts(1), &Counts::new()).is_err());
    }

    #[test]
    fn recorded_counts_are_read_as_they_are_written() {
        assert_eq!(parse(&text(&counts(7))), counts(7));
    }

    #[test]
    fn every_shape_has_recorded_counts() {
        let recorded = recorded().expect("the file is there");
        let expected = SHAPES.iter().flat_map(|shape| ["build", "run"].map(|what| format!("{shape} {what}")));
        assert!(expected.eq(recorded.into_keys()));
    }

    #[test]
    fn the_count_of_callgrind_is_found() {
        assert_eq!(collected("==1== Events    : Ir\n==1== Collected : 1844482228\n"), Some(1_844_482_228));
        assert_eq!(collected("valgrind: not found"), None);
    }
}
