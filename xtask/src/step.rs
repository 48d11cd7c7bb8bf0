//! Runs a child process, with its duration and a command line that repeats it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::reading::Reading;
use crate::relay;
use crate::stall;
use crate::tally::Tally;
use crate::workspace;

/// A named command line. It runs in the root of the workspace, without input.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    name: String,
    program: OsString,
    /// The program as people write it.
    shown: OsString,
    args: Vec<OsString>,
    env: Vec<(&'static str, &'static str)>,
    /// The directory for its temporary files, if not the system's.
    temporary: Option<PathBuf>,
    /// How long its tests may print nothing.
    silence: Duration,
}

impl Step {
    /// A step that runs cargo.
    pub(crate) fn cargo<A: Into<OsString>>(name: impl Into<String>, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            name: name.into(),
            program: workspace::cargo(),
            shown: "cargo".into(),
            args: Vec::new(),
            env: Vec::new(),
            temporary: None,
            silence: stall::SILENCE,
        }
        .args(args)
    }

    /// A step that runs another program.
    pub(crate) fn program<A: Into<OsString>>(
        name: impl Into<String>,
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let shown = program.strip_prefix(workspace::root()).unwrap_or(program).into();
        Self {
            name: name.into(),
            program: program.into(),
            shown,
            args: Vec::new(),
            env: Vec::new(),
            temporary: None,
            silence: stall::SILENCE,
        }
        .args(args)
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// Lints the packages of the workspace while they are checked, and fails at a warning. Unlike
    /// `cargo clippy` it compiles no dependency a second time.
    pub(crate) fn with_clippy(self) -> Self {
        // The variables that `cargo clippy -- -D warnings` sets.
        let step = self.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
        step.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__")
    }

    /// Sets the directory for its temporary files. [`Step::by_hand`] does not mention it.
    pub(crate) fn temporary(mut self, dir: &Path) -> Self {
        self.temporary = Some(dir.to_path_buf());
        self
    }

    /// Lets its tests print nothing for as long as they like.
    pub(crate) fn silent(mut self) -> Self {
        self.silence = Duration::MAX;
        self
    }

    /// Disables colour, for output that is parsed or stored.
    pub(crate) fn plain(self) -> Self {
        self.env("CARGO_TERM_COLOR", "never")
    }

    /// The step as a shell command in the root of the workspace.
    pub(crate) fn by_hand(&self) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}={}", quote(OsStr::new(value))));
        let words = [&self.shown].into_iter().chain(&self.args).map(|word| quote(word));
        env.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs the step. Its output goes directly to the terminal.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let began = self.announce();
        let status = self.command().status();
        self.close(began, status)
    }

    /// Starts the step in the background. Its output goes to the file `log`, whose directory must
    /// exist, and is shown if the step fails.
    pub(crate) fn start(self, log: PathBuf) -> io::Result<Started> {
        let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
        println!("\n==> {}, in the background\n    {}", self.name, self.by_hand());
        let child = self.command().stdout(out).stderr(err).spawn()?;
        Ok(Started { step: self, began: Instant::now(), log, child })
    }

    /// Runs the step and adds its test results to `tally`.
    ///
    /// Disables colour, because the results are parsed from the output.
    pub(crate) fn run_counting(&self, tally: &mut Tally) -> Result<(), Failure> {
        let began = self.announce();
        let mut command = self.command();
        command.env("CARGO_TERM_COLOR", "never");
        let status = relay::run(command, self.silence).map(|relayed| {
            *tally += relayed.tally;
            if relayed.left_open {
                eprintln!("warning: `{}` left a process behind that still holds its output open", self.name);
            }
            relayed.status
        });
        self.close(began, status)
    }

    /// Runs `work` inside this program. The command line of the step only shows how to repeat it.
    pub(crate) fn run_here(&self, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        let began = self.announce();
        work()?;
        println!("    done in {}: {}", Took(began.elapsed()), self.name);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().copied()).current_dir(workspace::root()).stdin(Stdio::null());
        command.envs(self.temporary.iter().map(|dir| ("TMPDIR", dir)));
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
            command.env_remove(name);
        }
        command
    }

    fn announce(&self) -> Instant {
        println!("\n==> {}\n    {}", self.name, self.by_hand());
        Instant::now()
    }

    fn close(&self, began: Instant, status: io::Result<ExitStatus>) -> Result<(), Failure> {
        let took = Took(began.elapsed());
        let why = match status {
            Ok(status) if status.success() => {
                println!("    done in {took}: {}", self.name);
                return Ok(());
            }
            Ok(status) => format!("{status} after {took}"),
            Err(error) => format!("it could not be started: {error}"),
        };
        Err(Failure::new(format!(
            "\nerror: the step `{}` failed ({why})\nrepeat by hand: {}",
            self.name,
            self.by_hand()
        )))
    }
}

/// A step in the background. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Started {
    step: Step,
    began: Instant,
    log: PathBuf,
    child: Child,
}

impl Started {
    /// Waits until it ends.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let status = self.child.wait();
        if !status.as_ref().is_ok_and(ExitStatus::success) {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        self.step.close(self.began, status)
    }

    /// Waits until it ends, prints its output and adds its test results to `tally`.
    pub(crate) fn finish_counting(mut self, tally: &mut Tally) -> Result<(), Failure> {
        println!("\n==> {}, started before in the background", self.step.name);
        let status = self.child.wait();
        let output = fs::read(&self.log).unwrap_or_default();
        println!("{}", String::from_utf8_lossy(&output));
        let mut reading = Reading::default();
        reading.feed(&output);
        reading.end();
        *tally += reading.tally();
        self.step.close(self.began, status)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Fails if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether cargo has set this variable for xtask. Build scripts of dependencies read such
/// variables: they would run again, and all that needs them be compiled again, after each call of
/// cargo by hand.
fn is_of_this_package(variable: &OsStr) -> bool {
    let variable = variable.to_string_lossy();
    variable.starts_with("CARGO_PKG_")
        || ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_MANIFEST_LINKS"].contains(&&*variable)
}

/// Quotes a word for a POSIX shell.
fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=' | '@' | ',' | ':' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Displays a duration for people: `0.4 s`, `3 min 20 s`.
struct Took(Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        } else {
            write!(f, "{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_is_a_valid_shell_command() {
        let step = Step::cargo("docs", ["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").arg("it's").arg("");
        assert_eq!(step.by_hand(), r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s' ''");
    }

    #[test]
    fn a_program_of_the_project_is_shown_relative_to_the_root() {
        let tool = workspace::root().join("target/tools/bin/tool");
        let step = Step::program("tool", &tool, ["check"]);
        assert_eq!(step.by_hand(), "target/tools/bin/tool check");
    }

    #[test]
    fn cargo_is_called_as_by_hand() {
        let command = Step::cargo("build", ["build"]).command();
        let removed: Vec<&OsStr> =
            command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        for variable in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
            assert!(removed.contains(&OsStr::new(variable)), "{variable}: {removed:?}");
        }
    }

    #[test]
    fn a_failure_names_the_step_and_how_to_repeat_it() {
        let step = Step::program("missing", Path::new("no-such-program"), ["--now"]);
        let message = step.run().expect_err("there is no such program").to_string();
        assert!(message.contains("the step `missing` failed"), "{message}");
        assert!(message.ends_with("repeat by hand: no-such-program --now"), "{message}");
    }

    #[test]
    fn a_step_in_the_background_succeeds_or_fails() {
        let log = |name: &str| std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
        let cargo = |word: &str| Step::cargo("background", [word]);
        assert!(cargo("--version").start(log("good")).expect("it starts").finish().is_ok());
        let failure = cargo("no-such-command").start(log("bad")).expect("it starts").finish();
        assert!(failure.expect_err("it fails").to_string().contains("the step `background` failed"));
        for name in ["good", "bad"] {
            fs::remove_file(log(name)).expect("the log is there");
        }
    }

    #[test]
    fn the_tests_of_a_step_in_the_background_are_counted() {
        let log = std::env::temp_dir().join(format!("{}-counted", std::process::id()));
        let output = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let step = Step::program("background", Path::new("printf"), [output]);
        let mut tally = Tally::default();
        assert!(step.start(log.clone()).expect("it starts").finish_counting(&mut tally).is_ok());
        assert_eq!(tally, Tally { passed: 2, failed: 0, skipped: 1 });
        fs::remove_file(log).expect("the log is there");
    }

    #[test]
    fn durations_are_displayed_for_people() {
        assert_eq!(Took(Duration::from_millis(440)).to_string(), "0.4 s");
        assert_eq!(Took(Duration::from_secs(200)).to_string(), "3 min 20 s");
    }
}
