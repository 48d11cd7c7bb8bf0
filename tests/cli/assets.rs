//! Assets and their events, in programs.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::ops::Deref;
#[cfg(feature = "failpoints")]
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;
use taskflow_tests::worker::Random;

/// A home of its own for a test, and what services and watchers have beside it.
struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("assets"))
    }

    /// The payloads of all events of an asset, in ascending order.
    fn payloads(&self, asset: &str) -> Vec<u64> {
        let events = self.json(&["events", asset, "--limit", "100000"]);
        let events = events.as_array().expect("it is a list");
        let mut payloads: Vec<u64> = events.iter().filter_map(|event| event["payload"].as_u64()).collect();
        payloads.sort_unstable();
        payloads
    }
}

#[test]
fn the_value_of_a_task_is_an_event_of_the_day_of_its_run() {
    let home = Home::new();
    let output = home.call(&["run", "orders", "--rows", "5", "--logical-date", "2026-02-02T20:00:00Z", "-q"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let events = home.json(&["events"]);
    let shown: Vec<_> = ["asset", "partition", "task", "type", "payload"].map(|field| &events[1][field]).into();
    assert_eq!(
        shown,
        [&json!("warehouse/orders"), &json!("2026-02-03"), &json!("load"), &json!("Loaded"), &json!({"rows": 5})]
    );
    // The result of the run is one, too.
    assert_eq!((&events[0]["asset"], &events[0]["payload"]), (&json!("dag:orders"), &json!(5)));
    assert_eq!(events[0]["run_id"], events[1]["run_id"]);
    let table = home.call(&["events", "warehouse/orders"]).stdout;
    assert!(table.contains("2026-02-03") && table.contains(r#"{"rows":5}"#), "{table}");
    let status = home.call(&["status"]).stdout;
    assert!(status.contains("emitted event 1 of warehouse/orders 2026-02-03 by `load`"), "{status}");
    assert_eq!(home.json(&["status"])["events"][0]["number"], json!(1));
}

#[test]
fn assets_are_listed_with_their_producers_and_last_events() {
    let home = Home::new();
    let before = home.json(&["assets"]);
    let names: Vec<&str> = before.as_array().unwrap().iter().filter_map(|asset| asset["name"].as_str()).collect();
    assert_eq!(names, ["copies", "landed", "messages", "parts", "steps", "warehouse/orders"]);
    home.call(&["run", "orders", "-q"]);
    let after = home.json(&["assets"]);
    let orders = &after[5];
    assert_eq!(orders["producers"], json!(["orders.load"]));
    assert_eq!((&orders["partition"], &orders["type"]), (&json!("day"), &json!("Loaded")));
    assert_eq!(orders["doc"], json!("Orders as they are in the warehouse."));
    assert_eq!(orders["last"]["number"], json!(1));
    assert_eq!(after[6]["name"], json!("dag:orders"));
    let table = home.call(&["assets"]).stdout;
    assert!(table.contains("orders.load") && table.contains("Orders as they are in the warehouse."), "{table}");
}

/// Case 73: the same key twice is one event.
#[test]
fn an_event_emitted_by_hand_is_checked_and_stored_once() {
    let home = Home::new();
    let emit = |words: &[&str]| home.call(&[&["emit"], words].concat());
    let cases: [(&[&str], &str); 6] = [
        (&["warehouse/order", "1"], "did you mean `warehouse/orders`?"),
        (&["steps", "\"three\""], "this is no event of asset `steps`: its payload is a u64: "),
        (&["warehouse/orders", "{\"rows\": 1}"], "no partition is not a valid partition: a day such as 2026-02-03"),
        (&["warehouse/orders", "{\"rows\": 1}", "--partition", "yesterday"], "`yesterday` is not a valid partition"),
        (&["steps", "1", "--partition", "2026-02-03"], "`2026-02-03` is not a valid partition: none is expected"),
        (&["steps", "one"], "not valid JSON"),
    ];
    for (words, message) in cases {
        let output = emit(words);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(message), "{output:?}");
    }
    assert_eq!(home.json(&["events"]), json!([]));
    let first =
        emit(&["warehouse/orders", "{\"rows\": 1}", "--partition", "2026-02-03", "--key", "file-1", "--by", "ann"]);
    assert_eq!(first.stderr, "event 1 of warehouse/orders stored\n");
    let again = emit(&["warehouse/orders", "{\"rows\": 2}", "--partition", "2026-02-04", "--key", "file-1"]);
    assert_eq!(again.stderr, "nothing stored: event 1 of warehouse/orders has the key `file-1`\n");
    let event = home.json(&["events", "@1"]);
    assert_eq!(
        (&event["payload"], &event["by"], &event["key"]),
        (&json!({"rows": 1}), &json!("ann"), &json!("file-1"))
    );
    assert_eq!(home.call(&["events", "@2"]).code, Some(2));
    let emitted = home.json(&["emit", "dag:orders", "3", "--key", "k"]);
    // Numbers only grow, but an event that was not stored may have taken one.
    let number = emitted["number"].as_i64().expect("it has a number");
    assert!(number > 1, "{emitted}");
    assert_eq!(emitted, json!({"number": number, "asset": "dag:orders", "key": "k", "is_new": true}));
    // Older events are on the next page.
    let page = home.call(&["events", "--limit", "1"]);
    assert!(page.stderr.contains(&format!("--before {number} shows earlier ones")), "{page:?}");
    assert_eq!(home.json(&["events", "--before", &number.to_string()]).as_array().map(Vec::len), Some(1));
    let checked = home.call(&["db", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn a_task_in_a_process_of_its_own_emits() {
    let home = Home::new();
    let output = home.call(&["run", "parts", "-q"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let events = home.json(&["events", "parts"]);
    assert_eq!((&events[1]["payload"], &events[1]["task"]), (&json!([1, 2, 3]), &json!("away")));
    // A large payload is in a file, which outlives the run.
    assert_eq!(events[0].get("payload"), None);
    assert_eq!(home.call(&["db", "prune", "--older-than", "0s"]).code, Some(0));
    let large = home.json(&["events", "@2"]);
    assert_eq!(large["payload"].as_array().map(Vec::len), Some(50_000));
    let again = home.call(&["run", "parts", "-q"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    // Of the old ones, which nobody consumes, only the newest was left.
    assert_eq!(home.json(&["events", "parts"]).as_array().map(Vec::len), Some(2));
}

/// Case 65: an attempt that fails emits nothing, and one that succeeds exactly once, wherever the
/// process is killed.
#[test]
fn every_success_has_exactly_one_event_despite_kills() {
    let seed = u64::from(std::process::id());
    let mut random = Random(seed);
    for round in 0..5 {
        killed_run(&mut random, &format!("seed {seed}, round {round}"));
    }
}

/// Case 65, with kills right before and right after a commit.
#[cfg(feature = "failpoints")]
#[test]
fn every_success_has_exactly_one_event_despite_kills_around_commits() {
    const STEPS: u64 = 30;

    for point in ["store.append", "store.appended"] {
        for hit in 1..8 {
            let (home, name) = (Home::new(), format!("{point}@{hit}"));
            let mut program = home.command(&["run", "steps", "--size", &STEPS.to_string(), "-q"]);
            let killed = program.env("TASKFLOW_FAILPOINTS", format!("{name}=kill")).output().expect("it starts");
            // On a busy machine few commits hold everything: a beginning, a part, the end.
            if hit > 3 && killed.status.success() {
                break;
            }
            assert_eq!(killed.status.signal(), Some(9), "{name}: {killed:?}");
            let stored = home.call(&["runs", "--output", "json"]);
            // At the first commit there is no run to be resumed.
            let is_there = stored.code == Some(0) && !stored.json()[0].is_null();
            let words: &[&str] = if is_there { &["resume", "-q"] } else { &["run", "steps", "--size", "30", "-q"] };
            // The run may have ended before the kill.
            if !is_there || stored.json()[0]["state"] != "success" {
                let output = home.call(words);
                assert_eq!(output.code, Some(0), "{name}: {output:?}");
            }
            assert_eq!(home.payloads("steps"), (0..STEPS).collect::<Vec<u64>>(), "{name}");
            assert_eq!(home.payloads("dag:steps"), [STEPS * (STEPS - 1) / 2], "{name}");
        }
    }
}

/// A run that is killed twice: a run whose process dies more often is not resumed.
fn killed_run(random: &mut Random, name: &str) {
    const STEPS: u64 = 300;

    let home = Home::new();
    let size = STEPS.to_string();
    let mut words = vec!["run", "steps", "--size", &size, "-q"];
    for _ in 0..2 {
        let mut program = home.command(&words);
        let program = program.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = program.spawn().expect("a built program starts");
        std::thread::sleep(Duration::from_millis(20 + random.below(200)));
        process.kill().and_then(|()| process.wait()).expect("it can be killed");
        // A run that is not stored yet is not there to be resumed.
        let runs = home.call(&["runs", "--output", "json"]);
        if runs.code != Some(0) || runs.json()[0].is_null() {
            continue;
        }
        words = vec!["resume", "-q"];
        let payloads = home.payloads("steps");
        let mut once = payloads.clone();
        once.dedup();
        assert_eq!(payloads, once, "{name}");
        let status = home.json(&["status"]);
        let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
        let is_done =
            |task: &&Value| task["id"].as_str().is_some_and(|id| id.starts_with("step[")) && task["state"] == "success";
        assert_eq!(payloads.len(), tasks.iter().filter(is_done).count(), "{name}");
    }
    if words[0] == "run" || home.json(&["runs"])[0]["state"] != "success" {
        let output = home.call(&words);
        assert_eq!(output.code, Some(0), "{name}: {output:?}");
    }
    assert_eq!(home.payloads("steps"), (0..STEPS).collect::<Vec<u64>>(), "{name}");
    // The result of the run is one event, too.
    assert_eq!(home.payloads("dag:steps"), [STEPS * (STEPS - 1) / 2], "{name}");
}

#[test]
fn a_cleared_task_emits_again() {
    let home = Home::new();
    home.call(&["run", "orders", "-q"]);
    let output = home.call(&["clear", "last", "load", "-q"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(home.json(&["events", "warehouse/orders"]).as_array().map(Vec::len), Some(2));
    assert_eq!(home.json(&["events", "dag:orders"]).as_array().map(Vec::len), Some(2));
}

/// A service that is killed when it is dropped.
struct Service(Child);

impl Service {
    fn start(home: &Home, environment: &[(&str, &Path)]) -> Self {
        let mut program = home.command(&["serve"]);
        program.envs(environment.iter().copied());
        let log = File::options().create(true).append(true).open(home.log()).expect("files can be written");
        program.stdout(Stdio::null()).stderr(log);
        Service(program.spawn().expect("a built program starts"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Home {
    fn log(&self) -> PathBuf {
        self.beside("log")
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A directory beside the home.
    fn directory(&self, name: &str) -> PathBuf {
        let path = self.beside(name);
        std::fs::create_dir_all(&path).expect("directories can be made");
        path
    }

    /// The events of an asset, oldest first.
    fn events(&self, asset: &str) -> Vec<Value> {
        let output = self.call(&["events", asset, "--limit", "100000", "--output", "json"]);
        // The service may be about to create the store.
        let mut events =
            if output.code == Some(0) { output.json().as_array().cloned().unwrap_or_default() } else { Vec::new() };
        events.reverse();
        events
    }
}

/// Case 77: a watcher that dies after its events are stored and before its source knows it causes
/// no second event.
#[test]
fn a_message_is_one_event_though_the_watcher_dies() {
    let home = Home::new();
    let queue = home.directory("queue");
    for name in ["1", "2", "3"] {
        std::fs::write(queue.join(name), format!("message {name}")).expect("files can be written");
    }
    let mut dying = Service::start(&home, &[("QUEUE", &queue), ("DIES", Path::new("1"))]);
    let status = dying.0.wait().expect("it dies");
    assert!(!status.success(), "{status}: {}", home.logged());
    let texts = |asset: &str| {
        home.events(asset)
            .iter()
            .filter_map(|event| event["payload"].as_str().map(str::to_owned))
            .collect::<Vec<String>>()
    };
    assert_eq!(texts("messages"), ["message 1", "message 2"]);
    let service = Service::start(&home, &[("QUEUE", &queue)]);
    eventually("every message is an event", || texts("messages").len() == 3);
    // Assets with the same source share a watcher.
    assert_eq!(texts("copies"), texts("messages"));
    eventually("the queue is empty", || std::fs::read_dir(&queue).is_ok_and(|mut entries| entries.next().is_none()));
    // What goes wrong is reported, and tried again.
    std::fs::write(queue.join("4"), "wrong").expect("files can be written");
    eventually("the error is reported", || home.logged().contains("the queue is out of order"));
    std::fs::write(queue.join("4"), "panic").expect("files can be written");
    eventually("the panic is reported", || home.logged().contains("the watcher panicked"));
    std::fs::write(queue.join("4"), "message 4").expect("files can be written");
    eventually("it is tried again", || texts("messages").len() == 4);
    drop(service);
    assert_eq!(texts("messages"), ["message 1", "message 2", "message 3", "message 4"]);
}

/// Case 77, with kills right before and right after the transaction of a batch.
#[cfg(feature = "failpoints")]
#[test]
fn a_message_is_one_event_though_the_service_is_killed_around_its_transaction() {
    for point in ["store.emit", "store.emitted"] {
        for hit in 1..=3 {
            let (home, failpoint) = (Home::new(), format!("{point}@{hit}=kill"));
            let queue = home.directory("queue");
            for name in ["1", "2", "3", "4", "5"] {
                std::fs::write(queue.join(name), format!("message {name}")).expect("files can be written");
            }
            let mut killed =
                Service::start(&home, &[("QUEUE", &queue), ("TASKFLOW_FAILPOINTS", Path::new(&failpoint))]);
            let status = killed.0.wait().expect("it dies");
            assert_eq!(status.signal(), Some(9), "{failpoint}: {status}: {}", home.logged());
            let service = Service::start(&home, &[("QUEUE", &queue)]);
            let is_empty = || std::fs::read_dir(&queue).is_ok_and(|mut entries| entries.next().is_none());
            eventually("the queue is empty", is_empty);
            drop(service);
            let texts =
                home.events("messages").into_iter().filter_map(|event| event["payload"].as_str().map(str::to_owned));
            let expected = ["1", "2", "3", "4", "5"].map(|name| format!("message {name}"));
            assert_eq!(texts.collect::<Vec<String>>(), expected, "{failpoint}");
        }
    }
}

/// Case 76: a file is one event, once it is complete.
#[test]
fn a_file_is_one_event_once_it_has_settled() {
    let home = Home::new();
    let landing = home.directory("landing");
    let write = |name: &str, text: &str| std::fs::write(landing.join(name), text).expect("files can be written");
    write("before.csv", "there before");
    let service = Service::start(&home, &[("LANDING", &landing)]);
    let names = || -> Vec<String> {
        let events = home.events("landed");
        let path = |event: &Value| {
            event["payload"]["path"].as_str().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned())
        };
        events.iter().filter_map(path).collect()
    };
    eventually("the first file is an event", || names() == ["before.csv"]);
    // Written bit by bit: one event, with the size at the end.
    let mut half = File::create(landing.join("half.csv")).expect("files can be written");
    for _ in 0..25 {
        half.write_all(b"half ").expect("files can be written");
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(names().len(), 1, "{:?}", names());
    }
    eventually("the file has settled", || names().len() == 2);
    assert_eq!(home.events("landed")[1]["payload"]["size"], json!(125));
    // Removed before it has settled: none. Moved into place: one.
    write("gone.csv", "gone");
    std::fs::remove_file(landing.join("gone.csv")).expect("files can be removed");
    write(".moved.tmp", "moved");
    std::fs::rename(landing.join(".moved.tmp"), landing.join("moved.csv")).expect("files can be moved");
    eventually("the moved file is an event", || names().len() == 3);
    assert_eq!(names()[1..], ["half.csv", "moved.csv"]);
    drop(service);
    // What a service has seen is not an event for the next one; what is written again is.
    write("moved.csv", "moved again");
    let _service = Service::start(&home, &[("LANDING", &landing)]);
    eventually("the file that was written again is an event", || names().len() == 4);
    assert_eq!(names()[3], "moved.csv");
    // 10,000 complete files at once.
    let many = home.directory("many");
    for number in 0..10_000 {
        std::fs::write(many.join(format!("{number}.csv")), "1").expect("files can be written");
    }
    let written = std::time::SystemTime::now();
    eventually("they have settled", || written.elapsed().is_ok_and(|age| age > Duration::from_secs(1)));
    std::fs::rename(many, landing.join("many")).expect("directories can be moved");
    eventually("10,000 files are events", || names().len() == 10_004);
    let events = home.events("landed");
    let keys: HashSet<&str> = events.iter().filter_map(|event| event["key"].as_str()).collect();
    assert_eq!(keys.len(), 10_004);
    // The events of a batch have one time.
    let times: HashSet<&str> = events[4..].iter().filter_map(|event| event["emitted"].as_str()).collect();
    assert_eq!(times.len(), 1, "one batch");
}
