//! Who can read a home, and links that somebody else has put into it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use taskflow_tests::binaries::{ProgramOutput, call_at, program};
use tempfile::TempDir;

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().expect("temporary directories can be made"))
    }

    /// Neither the home nor its parent exists at first.
    fn path(&self) -> PathBuf {
        self.0.path().join("runs/home")
    }

    fn call(&self, words: &[&str]) -> ProgramOutput {
        call_at(&self.path(), "cli_history", words)
    }

    /// A run that failed at its gate.
    fn fail(&self) {
        let file = self.0.path().join("missing");
        let output = self.call(&["run", "gated", "--file", file.to_str().expect("temporary paths are text"), "-q"]);
        assert_eq!(output.code, Some(1), "{output:?}");
    }

    /// The id of the run, as a file name.
    fn run_file(&self) -> String {
        let runs = self.call(&["runs", "--output", "json"]).json();
        runs[0]["run_id"].as_str().expect("it has an id").replace(':', "%3A")
    }

    fn set_mode(&self, part: &str, mode: u32) {
        fs::set_permissions(self.path().join(part), Permissions::from_mode(mode)).expect("it is ours");
    }

    fn mode(&self, part: &str) -> u32 {
        mode(&self.path().join(part))
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Everything below a directory, and itself.
fn all(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("it can be read");
        found.extend(entries.flat_map(|entry| all(&entry.expect("it can be read").path())));
    }
    found
}

/// C4: runs with values in files, logs and artifacts, under the umasks 000, 022 and 077.
#[test]
fn a_home_is_private_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let home = Home::new();
        for (name, dag) in [("hostile", "bad"), ("reaches", "leaves")] {
            let mut fixture = program(name);
            fixture.env("TASKFLOW_HOME", home.path());
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("umask {umask}; exec \"$0\" run {dag} -q")]).arg(fixture.get_program());
            for (name, value) in fixture.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            shell.output().expect("there is a shell");
        }
        let found = all(&home.0.path().join("runs"));
        let names: Vec<_> = found.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        for part in ["taskflow.db", "values/", "logs/", "artifacts/", "live"] {
            assert!(names.iter().any(|name| name.contains(part)), "{part} of {names:?}");
        }
        for path in found {
            match path.is_dir() {
                true => assert_eq!(mode(&path), 0o700, "{umask}: {}", path.display()),
                // Tasks write these themselves, into a private directory.
                false if path.starts_with(home.path().join("artifacts")) => {}
                false => assert_eq!(mode(&path), 0o600, "{umask}: {}", path.display()),
            }
        }
    }
}

/// C4: `runs` after `chmod 755` on the home, 644 on its database, and 777 on its logs and values.
#[test]
fn an_open_home_is_closed_and_says_so_once() {
    let home = Home::new();
    home.fail();
    // As after a value that was too large for the store, and after `serve`.
    fs::create_dir_all(home.path().join("values")).expect("it is ours");
    fs::write(home.path().join("serve.lock"), "").expect("it is ours");
    let parts = [("", 0o755), ("taskflow.db", 0o644), ("logs", 0o777), ("values", 0o777)];
    parts.iter().for_each(|(part, mode)| home.set_mode(part, *mode));
    let path = home.path().display().to_string();
    assert_eq!(
        home.call(&["runs"]).stderr,
        format!("warning: {path} was open to other users (mode 0755); now it is closed to them\n")
    );
    assert_eq!(parts.map(|(part, _)| home.mode(part)), [0o700, 0o600, 0o700, 0o700]);
    assert_eq!(home.call(&["runs"]).stderr, "");
}

/// A home in a directory that has other files too, such as the current one.
#[test]
fn a_directory_that_is_not_only_a_home_keeps_its_permissions() {
    let home = Home::new();
    home.fail();
    fs::write(home.path().join("notes.txt"), "").expect("it is ours");
    home.set_mode("", 0o755);
    home.set_mode("taskflow.db", 0o644);
    home.set_mode("logs", 0o755);
    let told = home.call(&["status", "1"]).stderr;
    assert!(
        told.contains("taskflow.db was open to other users (mode 0644)") || told.contains("logs was open"),
        "{told}"
    );
    assert_eq!(["", "taskflow.db", "logs"].map(|part| home.mode(part)), [0o755, 0o600, 0o700]);
}

/// C5: `live/<run>` is a symbolic link to a file of somebody, then the log of the next attempt is
/// one.
#[test]
fn a_link_in_the_home_is_not_followed() {
    let home = Home::new();
    home.fail();
    let victim = home.0.path().join("victim");
    fs::write(&victim, "precious").expect("temporary files can be written");
    let run = home.run_file();

    let link = home.path().join("live").join(&run);
    symlink(&victim, &link).expect("it is ours");
    let output = home.call(&["retry", "1", "-q"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("is a symbolic link, which is not followed: remove it"), "{output:?}");
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");

    fs::remove_file(link).expect("it is ours");
    let logs = home.path().join("logs").join(&run);
    symlink(&victim, logs.join("gate/2.jsonl")).expect("it is ours");
    let output = home.call(&["retry", "1", "-q"]);
    assert!(output.stderr.contains("gate/2.jsonl is a symbolic link, which is not followed: remove it"), "{output:?}");
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");

    // The directory of the task, then that of the run.
    let elsewhere = home.0.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("gate")).expect("temporary directories can be made");
    for (link, to) in [(logs.join("gate"), elsewhere.join("gate")), (logs, elsewhere.clone())] {
        fs::remove_dir_all(&link).expect("it is ours");
        symlink(to, &link).expect("it is ours");
        let output = home.call(&["retry", "1", "-q"]);
        let expected = format!("{} is a symbolic link, which is not followed: remove it", link.display());
        assert!(output.stderr.contains(&expected), "{output:?}");
    }
    let output = home.call(&["db", "prune", "--older-than", "0s"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(all(&elsewhere), [elsewhere.clone(), elsewhere.join("gate")], "it is as it was");
}

/// The other side of C5: all logs may be on another disk, whose permissions are not ours to change.
#[test]
fn the_directory_of_all_logs_may_be_a_link() {
    let home = Home::new();
    let disk = home.0.path().join("disk");
    fs::create_dir(&disk).expect("temporary directories can be made");
    fs::set_permissions(&disk, Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir_all(home.path()).expect("temporary directories can be made");
    symlink(&disk, home.path().join("logs")).expect("it is ours");
    home.fail();
    assert!(disk.join(home.run_file()).join("gate/1.jsonl").exists());
    let log = home.call(&["logs", "1", "gate"]);
    assert_eq!((log.code, log.stdout.is_empty()), (Some(0), false), "{log:?}");
    assert_eq!(mode(&disk), 0o755);
    assert_eq!(home.call(&["db", "prune", "--older-than", "0s"]).code, Some(0));
    assert_eq!(all(&disk), std::slice::from_ref(&disk));
}
