//! `examples/clicks/at_scale.rs` on threads and on a real Spark, against the figures of a single
//! log.

use std::path::Path;

use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::spark::installed::{Spark, java};

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/access.log.gz");
const COPIES: u64 = 6;

fn call(home: &Path, settings: &[(&str, &str)]) -> ProgramOutput {
    let Spark { home: spark_home, python } = Spark::find();
    let logs = home.join("logs");
    let mut example = program("clicks_at_scale");
    example.args(["run", "--output", "json", "--top", "2", "--logs-in"]).arg(logs);
    example.env("TASKFLOW_HOME", home.join("home")).env("SPARK_HOME", spark_home).env("PYSPARK_PYTHON", python);
    example.env("SPARK_LOCAL_IP", "127.0.0.1").env("JAVA_TOOL_OPTIONS", java(home));
    example.envs(settings.iter().copied());
    ProgramOutput::from(example.output().expect("the example starts"))
}

#[test]
fn several_logs_multiply_the_figures_on_threads_and_on_executors() {
    let home = tempfile::tempdir().expect("temporary directories can be made");
    let logs = home.path().join("logs");
    std::fs::create_dir(&logs).expect("directories can be made");
    for number in 0..COPIES {
        std::fs::copy(LOG, logs.join(format!("{number}.log.gz"))).expect("the log can be copied");
    }
    let here = call(home.path(), &[("TASKFLOW_SPARK", "off")]).json();
    assert_eq!(here["state"], "success", "{here}");
    let text = here["result"].as_str().expect("the result is a text");

    // `clicks.rs` shows how the figures of one log were computed.
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let numbers =
        [(0, 0, COPIES), (0, 2, 9_999 * COPIES), (0, 8, COPIES), (1, 0, 1861 * COPIES), (1, 3, 3223 * COPIES)];
    for (line, word, wanted) in numbers {
        assert_eq!(lines[line][word], wanted.to_string(), "{text}");
    }
    assert_eq!(lines[4], ["/", &(572 * COPIES).to_string()], "{text}");
    assert_eq!(lines[8], ["www.google.com", &(228 * COPIES).to_string()], "{text}");

    let there = call(home.path(), &[("TASKFLOW_CONN_SPARK_DEFAULT", "spark://local[2]")]).json();
    assert_eq!(there["state"], "success", "{there}");
    assert_eq!(there["result"], here["result"]);
}

#[test]
fn a_directory_without_logs_is_reported() {
    let home = tempfile::tempdir().expect("temporary directories can be made");
    std::fs::create_dir(home.path().join("logs")).expect("directories can be made");
    let output = call(home.path(), &[("TASKFLOW_SPARK", "off")]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.json().to_string().contains("no file ends in .log or .log.gz"), "{output:?}");
}
