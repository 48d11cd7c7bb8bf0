//! `examples/outgrown` on a real Spark, against figures counted here from the same file.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Command;

use flate2::read::GzDecoder;
use serde_json::Value;
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::spark::installed::{Spark, java};

const FLIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/flights-2013-01.csv.gz");

/// Flights that arrived and late ones, by carrier.
fn counted() -> BTreeMap<String, (u64, u64)> {
    let file = std::fs::File::open(FLIGHTS).expect("the data is there");
    let mut counted: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in BufReader::new(GzDecoder::new(file)).lines().skip(1) {
        let line = line.expect("the data is text");
        let cells: Vec<&str> = line.split(',').collect();
        let Ok(delay) = cells[8].parse::<i32>() else { continue };
        let known = counted.entry(cells[9].to_owned()).or_default();
        known.0 += 1;
        known.1 += u64::from(delay > 15);
    }
    counted
}

fn call(home: &std::path::Path, words: &[&str], settings: &[(&str, &str)]) -> ProgramOutput {
    let Spark { home: spark_home, python } = Spark::find();
    let mut example: Command = program("outgrown");
    example.args(words).env("TASKFLOW_HOME", home).env("SPARK_HOME", spark_home);
    example.env("PYSPARK_PYTHON", python).env("SPARK_LOCAL_IP", "127.0.0.1").env("JAVA_TOOL_OPTIONS", java(home));
    example.envs(settings.iter().copied());
    ProgramOutput::from(example.output().expect("the example starts"))
}

#[test]
fn spark_executors_and_threads_count_the_same_file_alike() {
    let home = tempfile::tempdir().expect("temporary directories can be made");
    let there = call(home.path(), &["run", "--output", "json"], &[]).json();
    assert_eq!(there["state"], "success", "{there}");
    let job = call(home.path(), &["values", "last", "count", "--json"], &[]).json();
    let carriers = job["result"].as_array().expect("the job gives a list");
    let number = |carrier: &Value, key: &str| carrier[key].as_u64().expect("it is a number");
    let found: BTreeMap<String, (u64, u64)> = carriers
        .iter()
        .map(|carrier| {
            let name = carrier["carrier"].as_str().expect("it is a name").to_owned();
            (name, (number(carrier, "flights"), number(carrier, "late")))
        })
        .collect();
    assert_eq!(found, counted());

    // What the job has counted stays, and the rest runs again on threads.
    let cleared = call(home.path(), &["clear", "last", "resample", "--output", "json"], &[("TASKFLOW_SPARK", "off")]);
    let here = cleared.json();
    assert_eq!(here["state"], "success", "{here}");
    assert_eq!(here["result"], there["result"]);
    let worst =
        found.iter().max_by(|(_, one), (_, two)| (one.1 * two.0).cmp(&(two.1 * one.0))).expect("there are some").0;
    let table = there["result"].as_str().expect("the result is a text");
    assert_eq!(table.lines().nth(1).and_then(|line| line.split(' ').next()), Some(worst.as_str()), "{table}");
}
