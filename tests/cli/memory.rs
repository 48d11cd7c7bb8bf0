//! How much memory verbs take for a large run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use taskflow_tests::binaries::program;

/// A call of `cli_shown` over a home.
fn call(home: &Path, words: &[&str]) -> Command {
    let mut command = program("cli_shown");
    command.args(words).env("TASKFLOW_HOME", home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The peak of the resident memory of a call, in kibibytes.
fn peak(home: &Path, words: &[&str]) -> u64 {
    let mut child = call(home, words).spawn().expect("a built program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let field = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(field.unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("a child can be asked") {
            assert!(ended.success(), "{words:?}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// D1: whoever shows some tasks of a large run makes no document of each task. `db check` reads the
/// same history and makes none.
#[test]
fn what_is_not_shown_of_a_large_run_takes_no_memory() {
    let home = tempfile::tempdir().expect("temporary directories can be made");
    let ran = call(home.path(), &["run", "squares", "--count", "40000"]).status().expect("a built program starts");
    assert!(ran.success());
    let least = peak(home.path(), &["db", "check"]);
    for words in [&["status", "last"][..], &["explain", "last", "rest[3]"], &["values", "last"]] {
        let peak = peak(home.path(), words);
        assert!(peak * 100 < least * 120, "{words:?}: {peak} KiB, and {least} KiB to read the run");
    }
}
