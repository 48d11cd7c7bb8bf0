//! Loads that are repeated or killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::cells::Cells;
use super::common::{Data, FLIGHTS, TABLES, Warehouse, succeeds};

#[test]
fn a_repeated_load_writes_the_same_files() {
    let (warehouse, data) = (Warehouse::new(), Data::first(5000));
    warehouse.load(data.path());
    let first = warehouse.files();
    assert_eq!(first.len(), TABLES.len());
    warehouse.load(data.path());
    assert!(warehouse.files() == first, "the files differ after another load");
    assert!(!warehouse.path().join(".staging/2013-01").exists());
}

#[test]
fn a_load_replaces_only_its_month() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    warehouse.load(data.path());
    let january = warehouse.files();

    let flights = fs::read_to_string(data.path().join(FLIGHTS)).expect("it is there");
    let february: Vec<String> = flights.lines().take(10).map(|line| line.replace("2013,1,1,", "2013,2,1,")).collect();
    fs::write(data.path().join("flights-2013-02.csv"), february.join("\n")).expect("temporary files can be written");
    succeeds(&mut warehouse.loading_month_of("2013-02-01", data.path(), &[]));
    let february = || Cells::of(&warehouse.path().join("fact_flights/month=2013-02")).rows.len();
    assert_eq!(february(), 9);
    let both = warehouse.files();
    assert!(january.iter().all(|(path, bytes)| both.get(path) == Some(bytes)), "January has changed");

    warehouse.load(Data::first(100).path());
    assert_eq!(Cells::of(&warehouse.table("fact_flights")).rows.len(), 100);
    assert_eq!(february(), 9);
}

#[test]
fn a_killed_load_changes_nothing_and_the_next_one_is_complete() {
    let (warehouse, data) = (Warehouse::new(), Data::first(5000));
    warehouse.load(Data::first(100).path());
    let before = warehouse.files();

    for written in ["csv/flights.csv", "raw_flights", "fact_flights/part-0.parquet", "daily_delays"] {
        kill_when_it_writes(written, &warehouse, data.path());
        assert!(
            warehouse.files() == before,
            "the load changed the tables although it was killed while it wrote {written}"
        );
    }
    warehouse.load(data.path());
    assert!(!warehouse.path().join(".staging/2013-01").exists());

    let fresh = Warehouse::new();
    fresh.load(data.path());
    for table in TABLES {
        assert_eq!(Cells::of(&warehouse.table(table)), Cells::of(&fresh.table(table)), "{table}");
    }
}

#[test]
fn resuming_a_killed_run_writes_the_same_tables() {
    let (warehouse, data) = (Warehouse::new(), Data::first(5000));
    kill_when_it_writes("fact_flights", &warehouse, data.path());
    succeeds(&mut warehouse.program(&["resume", "last"]));
    let resumed = warehouse.files();
    // Nothing is staged any more, so the published tables stay.
    succeeds(&mut warehouse.program(&["clear", "last", "publish", "--downstream"]));
    assert!(warehouse.files() == resumed, "publishing again changed the tables");
    warehouse.load(data.path());
    assert!(warehouse.files() == resumed, "the resumed run wrote other files than an uninterrupted one");
}

/// Starts a load, and kills it with SIGKILL as soon as `written` exists in its staging directory.
fn kill_when_it_writes(written: &str, warehouse: &Warehouse, data: &Path) {
    struct Killed(Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            self.0.kill().expect("the process is a child");
            self.0.wait().expect("the process is a child");
        }
    }
    let mut program: Command = warehouse.loading(data, &[]);
    let mut run = Killed(program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the example starts"));
    let staging = warehouse.path().join(".staging/2013-01");
    let known: Vec<_> = runs(&staging).collect();
    let start = Instant::now();
    while !runs(&staging).any(|run| !known.contains(&run) && run.join(written).exists()) {
        let ended = run.0.try_wait().expect("the process is a child");
        assert!(ended.is_none(), "the run ended before it was seen to write {written}");
        assert!(start.elapsed() < Duration::from_secs(120), "it never writes {written}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The staging directories of runs.
fn runs(staging: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(staging).into_iter().flatten().flatten().map(|entry| entry.path())
}
