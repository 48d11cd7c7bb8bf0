//! `cargo xtask screenshots`: takes the pictures of the documentation again, into `docs/images`.
//!
//! 1. The fixture `pages` gets the name `my-dags` in a new folder: the pages show it in commands.
//! 2. It fills a home: [`DAYS`] days of runs, each with a clock that shows this day. Which tasks
//!    fail depends on their names and days only.
//! 3. It serves the home with a clock that begins at [`NOW`]. People trigger runs, pause a DAG and
//!    start a backfill, until nothing moves.
//! 4. Chromium draws each of [`PICTURES`], and pngquant reduces its colours.
//!
//! A second call gives nearly the same pictures: only durations differ. The clocks are those of
//! `faketime`; monotonic ones go on as they are.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::prerequisites;
use crate::step::Step;
use crate::workspace;

const PROGRAM: &str = "my-dags";
const DAYS: std::ops::RangeInclusive<u32> = 6..=30;
/// When the runs of a day begin.
const HOUR: &str = "06:10:00";
const NOW: &str = "2026-01-30 09:41:00";
/// Tasks of the fixture take milliseconds; this makes them take seconds.
const PACE: &str = "40";
/// The DAG whose pages are shown.
const DAG: &str = "daily_report";
const WIDTH: u32 = 1120;
/// What a picture may take in bytes.
const MOST: u64 = 120 * 1024;
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    Light,
    Dark,
}

/// A page of the server, drawn into `docs/images/page-NAME.png`.
#[derive(Clone, Copy, Debug)]
struct Picture {
    name: &'static str,
    /// `FAILED` stands for the number of the last failed run of [`DAG`], `MAPPED` and `TALKING` for
    /// those of the runs of these DAGs.
    address: &'static str,
    theme: Theme,
    height: u32,
}

const fn light(name: &'static str, address: &'static str, height: u32) -> Picture {
    Picture { name, address, theme: Theme::Light, height }
}

const fn dark(name: &'static str, address: &'static str, height: u32) -> Picture {
    Picture { name, address, theme: Theme::Dark, height }
}

const PICTURES: [Picture; 11] = [
    light("home", "/", 880),
    light("dags", "/dags", 620),
    dark("dags-dark", "/dags", 620),
    light("dag", "/dags/daily_report", 800),
    light("trigger", "/dags/mapped/trigger", 720),
    light("run", "/runs/FAILED", 690),
    dark("run-dark", "/runs/FAILED", 690),
    light("clear", "/runs/FAILED/clear?which=failed", 620),
    light("log", "/runs/TALKING/tasks/writes_much/1?q=line%3D42", 560),
    light("mapped", "/runs/MAPPED/tasks/square", 690),
    light("backfill", "/backfills/1", 620),
];

/// Takes the pictures.
///
/// # Errors
///
/// If a program is missing, the fixture does not do what it is told, or a picture is too large.
pub(crate) fn run() -> Result<(), Failure> {
    prerequisites::ensure_screenshots()?;
    let build = ["build", "--package", "taskflow-tests", "--all-features", "--locked", "--bin", "pages"];
    Step::cargo("fixture", build).run()?;

    let stage = Stage::new()?;
    println!("\n==> runs of {} days", DAYS.count());
    for day in DAYS {
        stage.call(&format!("2026-01-{day:02} {HOUR}"), &["fill", ".taskflow", "1"])?;
    }
    let failed = stage.number(&["runs", "--dag", DAG, "--state", "failed", "--limit", "1"])?;
    let service = stage.serve()?;
    stage.act()?;
    let number = |dag| stage.number(&["runs", "--dag", dag, "--limit", "1"]);
    let (mapped, talking) = (number("mapped")?, number("talking")?);

    println!("\n==> {} pictures", PICTURES.len());
    for picture in PICTURES {
        let address = picture.address.replace("FAILED", &failed).replace("MAPPED", &mapped);
        stage.draw(&picture, &format!("{}{}", service.origin, address.replace("TALKING", &talking)))?;
    }
    Ok(())
}

/// The folder with the program and its home. Dropping it removes it.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new() -> Result<Self, Failure> {
        let folder = workspace::target().join(format!("screenshots-{}", std::process::id()));
        let stage = Stage { folder };
        fs::create_dir_all(&stage.folder).map_err(|error| unusable(&stage.folder, &error))?;
        let built = workspace::target().join("debug/pages");
        // A program knows itself by the name of its file, so a symbolic link does not do.
        let own = stage.folder.join(PROGRAM);
        fs::copy(&built, &own).map_err(|error| unusable(&built, &error))?;
        Ok(stage)
    }

    /// The program at a point in time.
    fn program(&self, now: &str, words: &[&str]) -> Command {
        let mut command = Command::new("faketime");
        command.args(["-m", "--exclude-monotonic", "-f"]).arg(format!("@{now}"));
        command.arg(self.folder.join(PROGRAM)).args(words).current_dir(&self.folder).stdin(Stdio::null());
        command.env("TZ", "UTC").env("PAGES_PACE", PACE).env("TASKFLOW_LOG_QUEUE_RECORDS", "65536");
        for variable in ["TASKFLOW_HOME", "TASKFLOW_CONFIG", "TASKFLOW_SERVER", "TASKFLOW_BIND"] {
            command.env_remove(variable);
        }
        command
    }

    /// What a call of the program prints.
    fn call(&self, now: &str, words: &[&str]) -> Result<String, Failure> {
        let shown = format!("{PROGRAM} {}", words.join(" "));
        let output = self.program(now, words).output();
        let output = output.map_err(|error| Failure::new(format!("error: `{shown}` does not start: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("error: `{shown}` failed: {}\n{said}", output.status)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The document that a call prints.
    fn document(&self, words: &[&str]) -> Result<Value, Failure> {
        let text = self.call(NOW, &[words, &["--output", "json"]].concat())?;
        serde_json::from_str(&text).map_err(|error| Failure::new(format!("error: `{}`: {error}", words.join(" "))))
    }

    /// The number of the first run of a list.
    fn number(&self, words: &[&str]) -> Result<String, Failure> {
        let number = self.document(words)?[0]["number"].as_i64();
        number.map(|number| number.to_string()).ok_or_else(|| Failure::new(format!("error: no run: {words:?}")))
    }

    fn serve(&self) -> Result<Service, Failure> {
        let failure = |why: &str| Failure::new(format!("error: the fixture does not serve: {why}"));
        let mut child = self.program(NOW, &["serve", "--bind", "127.0.0.1:0"]);
        let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failure(&error.to_string()))?;
        let said = child.stderr.take();
        let mut service = Service { child, origin: String::new() };
        let mut lines = BufReader::new(said.ok_or_else(|| failure("it says nothing"))?).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned()));
        service.origin = address.ok_or_else(|| failure("it has ended"))?;
        // A pipe that nobody reads would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(service)
    }

    /// What people have done before the pictures are taken.
    fn act(&self) -> Result<(), Failure> {
        for dag in ["asking", "waiting", "talking", "mapped"] {
            self.call(NOW, &["trigger", dag])?;
        }
        let paused = ["pause", "ledger_sync", "--reason", "the ledger moves to another region", "--by", "kim"];
        self.call(NOW, &paused)?;
        let slots =
            ["backfill", DAG, "2025-12-20/2026-01-08", "--reason", "the report has a new column", "--by", "kim"];
        self.call(NOW, &slots)?;
        wait("half of the backfill", || {
            let pending = self.document(&["backfills"])?[0]["pending"].as_i64();
            Ok(pending.is_some_and(|pending| pending <= 9))
        })?;
        self.call(NOW, &["backfills", "pause", "1", "--reason", "the nightly load comes first", "--by", "kim"])?;
        // Two wait for a person.
        wait("the end of the runs", || {
            let active = self.document(&["runs", "--state", "queued,running"])?;
            Ok(active.as_array().is_some_and(|active| active.len() == 2))
        })
    }

    fn draw(&self, picture: &Picture, url: &str) -> Result<(), Failure> {
        let file = workspace::root().join("docs/images").join(format!("page-{}.png", picture.name));
        let drawn = self.folder.join("drawn.png");
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--lang=en-US"]);
        chromium.arg(format!("--user-data-dir={}", self.folder.join("chromium").display()));
        chromium.arg(format!("--window-size={WIDTH},{}", picture.height));
        if picture.theme == Theme::Dark {
            chromium.arg("--blink-settings=preferredColorScheme=0");
        }
        // A live page never stops loading.
        chromium.arg("--timeout=5000").arg(format!("--screenshot={}", drawn.display())).arg(url);
        finish(&mut chromium)?;
        let mut pngquant = Command::new("pngquant");
        finish(pngquant.args(["--force", "--strip", "--speed", "1", "--output"]).arg(&file).arg("128").arg(&drawn))?;
        let bytes = fs::metadata(&file).map_err(|error| unusable(&file, &error))?.len();
        println!("    page-{}.png: {} KB", picture.name, bytes.div_ceil(1024));
        if bytes > MOST {
            return Err(Failure::new(format!("error: {} is larger than {} KB", file.display(), MOST / 1024)));
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The serving fixture. Dropping it ends it.
struct Service {
    child: Child,
    /// `http://127.0.0.1:1234`
    origin: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program whose output matters only if it fails.
fn finish(command: &mut Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::new(format!("error: {command:?} does not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("error: {command:?} failed: {}\n{said}", output.status)))
}

fn wait(what: &str, mut is_there: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let start = Instant::now();
    while !is_there()? {
        if start.elapsed() > PATIENCE {
            return Err(Failure::new(format!("error: {what} does not come")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("error: cannot use {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_picture_is_there_and_small_and_there_are_no_others() {
        let folder = workspace::root().join("docs/images");
        let wanted: BTreeSet<String> = PICTURES.iter().map(|picture| format!("page-{}.png", picture.name)).collect();
        let files = fs::read_dir(&folder).expect("it is there").map(|entry| entry.expect("it can be read"));
        let pictures: Vec<_> = files.filter(|file| file.path().extension().is_some_and(|end| end == "png")).collect();
        let names: BTreeSet<String> =
            pictures.iter().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(names, wanted);
        for file in pictures {
            assert!(file.metadata().expect("it can be read").len() <= MOST, "{:?}", file.file_name());
        }
    }
}
