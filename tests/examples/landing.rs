//! `examples/landing`, as a program that serves.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use taskflow_tests::binaries::{call_at, program};
use taskflow_tests::common::eventually;

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // A test that fails leaves no service behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_that_lands_becomes_a_count_and_a_ranking() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let (home, landing) = (directory.path().join("home"), directory.path().join("landing"));
    std::fs::create_dir(&landing).expect("directories can be made");
    let mut serve = program("landing");
    serve.args(["serve", "--quiet"]).env("TASKFLOW_HOME", &home).env("LANDING", &landing);
    let service = Service(serve.stdout(Stdio::null()).spawn().expect("a built program starts"));
    let call = |words: &[&str]| call_at(&home, "landing", words);
    eventually("the service knows its DAGs", || {
        let consumers = call(&["consumers", "--output", "json"]).json();
        consumers.as_array().is_some_and(|all| all.iter().all(|dag| dag["inputs"][0]["cursor"].is_i64()))
    });
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/flights-2013-01.csv.gz");
    std::fs::copy(source, landing.join("flights-2013-01.csv.gz")).expect("files can be copied");
    let ranked = || -> Vec<Value> {
        let events = call(&["events", "dag:ranking", "--output", "json"]).json();
        events.as_array().expect("a list").clone()
    };
    eventually("the ranking is there", || !ranked().is_empty());
    assert_eq!(ranked()[0]["payload"], json!(["months: 2013-01", "UA 4637", "B6 4427", "EV 4171"]));
    let counted = call(&["events", "flights/counted", "--output", "json"]).json();
    assert_eq!((&counted[0]["partition"], &counted[0]["task"]), (&json!("2013-01"), &json!("count_flights")));
    let status = call(&["status", "last"]).stdout;
    assert!(status.contains("flights/counted"), "{status}");
    drop(service);
}
