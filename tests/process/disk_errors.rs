//! Full, broken and read-only disks: the run stops cleanly with an error that names the cause, and
//! can be resumed after the repair.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use taskflow_tests::worker::story::Story;
use taskflow_tests::worker::{Ended, LARGE};

const REPEAT: &str = "cargo test --package taskflow-tests --all-features --test process disk_errors::";

/// The exit code of a worker whose run was interrupted.
const INTERRUPTED: Option<i32> = Some(3);

/// Why the run of a worker was interrupted.
#[track_caller]
fn reason(ended: &Ended) -> String {
    assert_eq!(ended.has_not_panicked().status.code(), INTERRUPTED, "{ended:?}");
    let told = ended.told();
    assert_eq!(told["report"]["state"], "interrupted");
    told["report"]["halt_reason"].as_str().expect("it says why").to_owned()
}

/// A write fails; after the repair the run has the outcome that it would have had.
#[track_caller]
fn fails_and_recovers(failpoints: &str, cause: &str) {
    let mut story = Story::new(LARGE, REPEAT);
    let ended = story.place.run(failpoints);
    let reason = reason(&ended);
    assert!(reason.contains(cause), "{failpoints}: {reason}");
    story.check(true);
    story.finish();
}

#[test]
fn a_store_that_cannot_be_written_interrupts_the_run() {
    for first in [1, 2, 4, 7] {
        fails_and_recovers(&format!("store.append@{first}+=ENOSPC"), "no storage space");
        fails_and_recovers(&format!("store.append@{first}+=EIO"), "os error 5");
    }
}

#[test]
fn one_failed_write_interrupts_the_run_even_if_the_next_would_succeed() {
    for time in [1, 2, 7] {
        fails_and_recovers(&format!("store.append@{time}=EIO"), "os error 5");
    }
    for place in ["value.write", "value.sync", "value.rename", "value.sync_dir"] {
        fails_and_recovers(&format!("{place}@1=EIO"), "os error 5");
    }
}

#[test]
fn a_batch_stored_despite_an_error_is_not_lost() {
    for time in [1, 4, 6] {
        fails_and_recovers(&format!("store.appended@{time}+=EIO"), "os error 5");
    }
}

#[test]
fn a_large_value_that_cannot_be_written_interrupts_the_run_and_fails_no_task() {
    for (failpoints, cause) in [
        ("value.write@1+=ENOSPC", "no storage space"),
        ("value.write@3+=ENOSPC", "no storage space"),
        ("value.sync@2+=EIO", "os error 5"),
        ("value.rename@1+=EROFS", "read-only"),
        ("value.sync_dir@2+=EIO", "os error 5"),
    ] {
        fails_and_recovers(failpoints, cause);
    }
}

#[test]
fn a_run_that_cannot_be_claimed_is_unchanged() {
    let mut story = Story::new(LARGE, REPEAT);
    assert!(story.place.run("store.append@6=kill").was_killed());
    story.check(true);
    for failpoints in ["store.adopt=ENOSPC", "store.adopted=EIO"] {
        let ended = story.place.run(failpoints);
        assert_eq!(ended.has_not_panicked().status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("cannot write to the store"), "{ended:?}");
        story.check(false);
    }
    story.finish();
}

#[test]
fn a_store_that_cannot_be_created_is_reported() {
    let mut story = Story::new(1, REPEAT);
    let ended = story.place.run("store.migrate=ENOSPC");
    assert_eq!(ended.has_not_panicked().status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no storage space"), "{ended:?}");
    story.check(false);
    story.finish();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// The command without the superuser's privilege to write everywhere.
fn without_privileges(command: &Command) -> Command {
    let probe = tempfile::tempdir().expect("there is room for temporary files");
    mode(probe.path(), 0o500);
    if fs::write(probe.path().join("probe"), "").is_err() {
        return again(command, Command::new(command.get_program()));
    }
    let mut plain = Command::new("setpriv");
    plain.arg("--bounding-set=-dac_override,-dac_read_search").arg(command.get_program());
    again(command, plain)
}

/// The arguments and the environment of a command after those of another.
fn again(command: &Command, mut before: Command) -> Command {
    before.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => before.env(name, value),
            None => before.env_remove(name),
        };
    }
    before
}

#[test]
fn a_read_only_directory_is_named() {
    let mut story = Story::new(LARGE, REPEAT);
    assert!(story.place.run("store.append@6=kill").was_killed());
    story.check(true);
    let home = story.place.home();
    for (directory, files) in [(0o500, 0o400), (0o700, 0o400)] {
        let inside = || fs::read_dir(&home).expect("it is there").map(|entry| entry.expect("it stays").path());
        inside().filter(|path| path.is_file()).for_each(|path| mode(&path, files));
        mode(&home, directory);
        let ended = story.place.call(without_privileges(&story.place.worker("")));
        mode(&home, 0o700);
        inside().filter(|path| path.is_file()).for_each(|path| mode(&path, 0o600));
        assert_eq!(ended.has_not_panicked().status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("read-only") || ended.stderr.contains("permissions"), "{ended:?}");
        assert!(ended.stderr.contains("taskflow.db"), "{ended:?}");
        story.check(false);
    }
    story.finish();
}

#[test]
fn a_store_is_not_created_in_a_read_only_directory() {
    let mut story = Story::new(1, REPEAT);
    let home = story.place.home();
    fs::create_dir(&home).expect("there is room");
    mode(&home, 0o500);
    let ended = story.place.call(without_privileges(&story.place.worker("")));
    mode(&home, 0o700);
    assert_eq!(ended.has_not_panicked().status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("change the permissions or name another store"), "{ended:?}");
    story.check(false);
    story.finish();
}

#[test]
fn a_read_only_directory_of_values_interrupts_the_run() {
    let mut story = Story::new(LARGE, REPEAT);
    let values = story.place.home().join("values");
    fs::create_dir_all(&values).expect("there is room");
    mode(&values, 0o500);
    let ended = story.place.call(without_privileges(&story.place.worker("")));
    mode(&values, 0o700);
    let reason = reason(&ended);
    assert!(reason.contains("Permission denied"), "{reason}");
    story.check(true);
    story.finish();
}

#[test]
fn an_unwritable_home_is_named() {
    let story = Story::new(1, REPEAT);
    let file = story.place.home();
    fs::write(&file, "in the way").expect("there is room");
    let ended = story.place.run("");
    assert_eq!(ended.has_not_panicked().status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("the directory cannot be created"), "{ended:?}");
    assert!(ended.stderr.contains(&file.display().to_string()), "{ended:?}");
    fs::remove_file(file).expect("it is ours");
    story.finish();
}

/// The command with files of at most this size, in KiB. A write above that fails, or kills with
/// SIGXFSZ.
fn with_file_size_limit(command: &Command, kib: u32, kills: bool) -> Command {
    let trap = if kills { "" } else { "trap '' XFSZ; " };
    let mut shell = Command::new("sh");
    let script = format!("ulimit -c 0; ulimit -f {}; {trap}exec \"$@\"", kib * 2);
    shell.args(["-c", &script, "sh"]).arg(command.get_program());
    again(command, shell)
}

/// How much room there is, in KiB: from hardly enough for an empty database to enough for all. The
/// files of values are of 548, and the database grows to less than half of that.
const ROOMS: [u32; 13] = [16, 48, 96, 104, 112, 128, 192, 288, 384, 448, 512, 544, 576];

#[test]
fn the_file_size_limit_interrupts_the_run() {
    let (mut by_the_store, mut by_a_value) = (0, 0);
    for kib in ROOMS {
        let mut story = Story::new(LARGE, REPEAT);
        let ended = story.place.call(with_file_size_limit(&story.place.worker(""), kib, false));
        if ended.status.code() == Some(1) {
            // Not even the store could be made.
            assert!(ended.has_not_panicked().stderr.contains("the disk"), "{kib} KiB: {ended:?}");
            assert!(ended.stderr.contains("taskflow.db"), "{kib} KiB: {ended:?}");
        } else if !ended.status.success() {
            let reason = reason(&ended);
            match reason.contains("the value of task") {
                true => by_a_value += 1,
                false => by_the_store += 1,
            }
            let reasons = ["File too large", "the disk is full", "the disk or file system reports an error"];
            assert!(reasons.iter().any(|known| reason.contains(known)), "{kib} KiB: {reason}");
        }
        story.check(true);
        story.finish();
    }
    assert!(by_the_store > 0 && by_a_value > 0, "{by_the_store} runs stopped at the store, {by_a_value} at a value");
}

#[test]
fn a_run_killed_by_the_file_size_limit_resumes_without_it() {
    let mut killed = 0;
    for kib in ROOMS {
        let mut story = Story::new(LARGE, REPEAT);
        let ended = story.place.call(with_file_size_limit(&story.place.worker(""), kib, true));
        killed += u32::from(ended.status.signal().is_some());
        story.check(true);
        story.finish();
    }
    assert!(killed > 0);
}
