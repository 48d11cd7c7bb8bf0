//! Test fixtures: a warehouse in a temporary directory, and data to load into it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::read::GzDecoder;
use tempfile::TempDir;

/// The data of the examples.
pub(crate) const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data");
/// The flights in the test data.
pub(crate) const FLIGHTS: &str = "flights-2013-01.csv";
pub(crate) const TABLES: [&str; 6] =
    ["raw_flights", "raw_weather", "dim_airline", "dim_airport", "fact_flights", "daily_delays"];

/// Locks a mutex, even if a test that held it has panicked.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A warehouse, and the home directory of its runs.
pub(crate) struct Warehouse {
    folder: TempDir,
}

impl Warehouse {
    pub(crate) fn new() -> Self {
        Warehouse { folder: tempfile::tempdir().expect("temporary directories can be created") }
    }

    /// A warehouse in a shared directory.
    pub(crate) fn within(folder: &Path) -> Self {
        Warehouse { folder: tempfile::tempdir_in(folder).expect("temporary directories can be created") }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("warehouse")
    }

    /// The example with these arguments.
    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_warehouse"));
        program.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).env("NO_COLOR", "1");
        program.env("TASKFLOW_HOME", self.folder.path().join("home")).env_remove("TASKFLOW_CONN_SPARK_DEFAULT");
        program
    }

    /// The example loading January 2013 from a directory, with further arguments.
    pub(crate) fn loading(&self, data: &Path, args: &[&str]) -> Command {
        self.loading_month_of("2013-01-15", data, args)
    }

    pub(crate) fn loading_month_of(&self, day: &str, data: &Path, args: &[&str]) -> Command {
        let mut program = self.program(&["run", "--day", day, "--warehouse"]);
        program.arg(self.path()).arg("--data").arg(data).args(args);
        program
    }

    /// Loads January 2013, which must succeed. Returns the report.
    #[track_caller]
    pub(crate) fn load(&self, data: &Path) -> String {
        succeeds(&mut self.loading(data, &[]))
    }

    /// The directory of a table's files.
    pub(crate) fn table(&self, name: &str) -> PathBuf {
        let table = self.path().join(name);
        if name.starts_with("dim_") { table } else { table.join("month=2013-01") }
    }

    /// The content of all files of all tables.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for table in TABLES {
            collect(&self.path().join(table), &mut files);
        }
        files
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("the directory can be read").path();
        match path.is_dir() {
            true => collect(&path, files),
            false => drop(files.insert(path.clone(), fs::read(&path).expect("the file can be read"))),
        }
    }
}

/// Runs a program that must succeed. Returns its stdout.
#[track_caller]
pub(crate) fn succeeds(program: &mut Command) -> String {
    let output = program.output().expect("the example starts");
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// Runs a program that must fail. Returns its stderr.
#[track_caller]
pub(crate) fn fails(program: &mut Command) -> String {
    let Output { status, stdout, stderr } = program.output().expect("the example starts");
    assert!(!status.success(), "the program succeeds: {}", text(&stdout));
    text(&stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A copy of part of the data, which tests can change.
pub(crate) struct Data {
    folder: TempDir,
}

impl Data {
    /// The first flights of January.
    pub(crate) fn first(count: usize) -> Self {
        let data = Data { folder: tempfile::tempdir().expect("temporary directories can be created") };
        for file in ["airlines.csv", "airports.csv", "weather.csv"] {
            fs::copy(Path::new(DATA).join(file), data.path().join(file)).expect("the data is there");
        }
        fs::write(data.path().join(FLIGHTS), flights()).expect("temporary files can be written");
        data.change(FLIGHTS, |lines| lines.truncate(count + 1));
        data
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Changes the lines of a file.
    pub(crate) fn change(&self, file: &str, change: impl FnOnce(&mut Vec<String>)) {
        let path = self.path().join(file);
        let mut lines = fs::read_to_string(&path).expect("the file is there").lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(path, lines.join("\n") + "\n").expect("temporary files can be written");
    }
}

/// The flights of January, as text.
pub(crate) fn flights() -> String {
    let file = fs::File::open(Path::new(DATA).join("flights-2013-01.csv.gz")).expect("the data is there");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("the data is text");
    text
}
