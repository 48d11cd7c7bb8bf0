//! Server-sent events: exact resume, changes of other processes, the end of the service.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::Signal;
use serde_json::{Value, json};
use taskflow::journal::Journal;
use taskflow::log::LogFiles;
use taskflow_tests::common::eventually;

use crate::home::{Chunks, Response, Service};

/// An open stream.
pub(crate) struct Stream {
    head: String,
    lines: BufReader<Chunks>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    id: String,
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Stream {
    fn open(service: &Service, path: &str, last: Option<&str>) -> Self {
        let headers: Vec<_> = last.map(|id| ("last-event-id", id)).into_iter().collect();
        Stream::open_with(service, path, &headers)
    }

    #[track_caller]
    pub(crate) fn open_with(service: &Service, path: &str, headers: &[(&str, &str)]) -> Self {
        let (head, lines) = service.stream(path, headers);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Stream { head: head.to_ascii_lowercase(), lines }
    }

    /// All events up to the end of the stream.
    pub(crate) fn all(self) -> Vec<Event> {
        self.collect()
    }

    #[track_caller]
    fn wait(&mut self) -> Event {
        self.next().expect("the stream goes on")
    }
}

impl Iterator for Stream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("events are text") == 0 {
                return None;
            }
            if add(&mut event, line.trim_end_matches('\n')) {
                return Some(event);
            }
        }
    }
}

/// Adds a line to an event; whether the event is complete.
fn add(event: &mut Event, line: &str) -> bool {
    match line.split_once(": ").unwrap_or((line, "")) {
        ("", _) => return !event.data.is_empty(),
        ("id", id) => event.id = id.to_owned(),
        ("event", name) => event.name = name.to_owned(),
        ("data", data) if event.data.is_empty() => data.clone_into(&mut event.data),
        ("data", data) => event.data += &format!("\n{data}"),
        _ => {}
    }
    false
}

/// The complete events of a text.
fn events(text: &str) -> Vec<Event> {
    let (mut all, mut event) = (Vec::new(), Event::default());
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if add(&mut event, line) {
            all.push(std::mem::take(&mut event));
        }
    }
    all
}

fn greeted(service: &Service) -> i64 {
    let run = service.trigger("greeting", &json!({"name": "ada", "times": 2}));
    service.wait(run, "success");
    run
}

/// What the journal of a home says of a run.
fn entries(home: &std::path::Path, run: i64) -> Vec<Value> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let journal = Journal::open(home).await.expect("the home has a journal");
        let mut follower = journal.follow(&run.to_string(), 0).await.expect("the run is there");
        let changes = follower.refresh().await.expect("it can be read");
        changes.iter().map(|change| serde_json::to_value(change).expect("changes are JSON")).collect()
    })
}

#[test]
fn a_stream_of_a_run_that_is_cut_at_every_entry_and_resumed_equals_the_journal() {
    let service = Service::new();
    let run = greeted(&service);
    let path = format!("/api/v1/runs/{run}/stream");
    let expected = entries(&service.home(), run);
    assert!(expected.len() >= 4, "{expected:?}");
    let check = |service: &Service| {
        for after in 0..=expected.len() {
            let mut by_header = Stream::open(service, &path, Some(&after.to_string())).all();
            assert_eq!(Stream::open(service, &format!("{path}?after={after}"), None).all(), by_header);
            let end = by_header.pop().expect("a stream of an ended run ends");
            assert_eq!((&*end.name, &*end.data), ("end", r#"{"state":"success"}"#));
            let ids: Vec<String> = (after + 1..=expected.len()).map(|entry| entry.to_string()).collect();
            assert_eq!(by_header.iter().map(|event| event.id.clone()).collect::<Vec<_>>(), ids);
            let data: Vec<Value> =
                by_header.iter().map(|event| serde_json::from_str(&event.data).expect("data is JSON")).collect();
            assert_eq!(data, expected[after..]);
        }
    };
    check(&service);
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    check(&Service::over(directory, &["--bind", "127.0.0.1:0"]));
}

#[test]
fn a_stream_follows_a_run_to_its_end() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    let mut stream = Stream::open(&service, &format!("/api/v1/runs/{run}/stream"), None);
    for header in [
        "content-type: text/event-stream; charset=utf-8",
        "cache-control: private, no-cache, no-transform",
        "x-accel-buffering: no",
    ] {
        assert!(stream.head.contains(header), "{}", stream.head);
    }
    let mut first = String::new();
    stream.lines.read_line(&mut first).expect("the first line comes at once");
    assert_eq!(first, "retry: 1000\n");
    while !stream.wait().data.contains(r#""state":"running","attempts""#) {
        // The task begins.
        if service.json(&format!("/api/v1/runs/{run}/tasks/endless"))["state"] == "running" {
            break;
        }
    }
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).status, 200);
    let rest = stream.all();
    let end = rest.last().expect("the run ends");
    assert_eq!((&*end.name, &*end.data), ("end", r#"{"state":"cancelled"}"#));
    assert_eq!(rest.len(), rest.iter().map(|event| &event.id).collect::<std::collections::BTreeSet<_>>().len() + 1);
}

#[test]
fn a_stream_of_a_log_that_is_cut_at_every_byte_and_resumed_equals_the_file() {
    let service = Service::new();
    let run = greeted(&service);
    let path = format!("/api/v1/runs/{run}/tasks/greet/attempts/1/log");
    let file = file_of(&service, run, "greet");
    eventually("the log is written", || std::fs::read_to_string(&file).is_ok_and(|log| log.lines().count() == 2));
    let log = std::fs::read(&file).expect("it was written");
    let expected: Vec<Value> = service.get(&path).body.lines().map(|line| line.parse().expect("JSON")).collect();
    assert_eq!(expected.len(), 2);
    // After each byte of the file: the lines that begin there or later.
    let mut wire = HashMap::new();
    for after in 0..=log.len() {
        let mut all = Stream::open(&service, &format!("{path}?follow=true&after={after}"), None).all();
        assert_eq!(all.pop().map(|end| end.name).as_deref(), Some("end"));
        let begun = if after == 0 { 0 } else { log[..after - 1].iter().filter(|byte| **byte == b'\n').count() + 1 };
        let data: Vec<Value> = all.iter().map(|event| event.data.parse().expect("JSON")).collect();
        assert_eq!(data, expected[begun.min(expected.len())..], "after {after}");
        wire.insert(after.to_string(), all);
    }
    // After each byte of the stream: what is complete, and then what follows its last event.
    let mut text = String::new();
    let mut whole = Stream::open(&service, &format!("{path}?follow=true"), None);
    whole.lines.read_to_string(&mut text).expect("events are text");
    for cut in 0..=text.len() {
        let mut seen = events(&text[..cut]);
        seen.retain(|event| !event.id.is_empty());
        let last = seen.last().map_or("0", |event| &*event.id).to_owned();
        seen.extend(wire[&last].clone());
        let data: Vec<Value> = seen.iter().map(|event| event.data.parse().expect("JSON")).collect();
        assert_eq!(data, expected, "cut after {cut} bytes");
    }
    service.send("GET", &format!("{path}?follow=true&after=x"), &[], "").assert_problem(400, "not a place in a log");
    service.get(&format!("{path}?after=3")).assert_problem(400, "`after` is a place for `follow`");
}

/// A line of a log.
fn line_at(second: usize, message: &str) -> String {
    let at = format!("2026-01-31T06:{:02}:{:02}Z", second / 60, second % 60);
    format!("{}\n", json!({"at": at, "level": "INFO", "message": message}))
}

#[test]
fn the_stream_of_the_log_of_a_run_that_is_cut_and_resumed_has_each_line_once() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    service.open_gate();
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).status, 202);
    service.wait(run, "success");
    // Two attempts of one task, and one of another, whose lines belong between each other.
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    for (at, (task, attempt)) in [("gate", 1), ("gate", 2), ("after", 1)].into_iter().enumerate() {
        let path = LogFiles::new(service.home().join("logs")).path(&id, task, attempt);
        let lines: String = (0..600).map(|line| line_at(line * 3 + at, &format!("line {line}"))).collect();
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a home can be written");
        std::fs::write(path, lines).expect("a home can be written");
    }
    let path = format!("/api/v1/runs/{run}/log");
    let lines = |text: &str| -> Vec<Value> { text.lines().map(|line| line.parse().expect("JSON")).collect() };
    let expected = lines(&service.get(&path).body);
    assert_eq!(expected.len(), 1_800);
    let mut text = String::new();
    let mut whole = Stream::open(&service, &format!("{path}?follow=true"), None);
    whole.lines.read_to_string(&mut text).expect("events are text");
    let ends: Vec<usize> = text.match_indices("\n\n").map(|(at, _)| at).collect();
    assert!(ends.len() >= 5, "{}", ends.len());
    // Before, within and after the end of each event, and within its lines.
    let cuts = ends.iter().flat_map(|end| [end - 5_000.min(*end), end - 20.min(*end), *end, end + 1, end + 2]);
    for cut in cuts {
        let mut seen = events(&text[..cut]);
        seen.retain(|event| event.name.is_empty());
        let mut rest =
            Stream::open(&service, &format!("{path}?follow=true"), seen.last().map(|event| &*event.id)).all();
        let end = rest.pop().expect("an ended run has an end");
        assert_eq!((&*end.name, &*end.data), ("end", r#"{"state":"success"}"#));
        seen.extend(rest);
        let data: Vec<Value> = seen.iter().flat_map(|event| lines(&event.data)).collect();
        assert!(data == expected, "cut after {cut} bytes: {} lines", data.len());
    }
    let only = Stream::open(&service, &format!("{path}?follow=true&task=gate&attempt=2"), None).all();
    let expected: Vec<Value> = expected.into_iter().filter(|line| line["attempt"] == 2).collect();
    assert_eq!(only.iter().flat_map(|event| lines(&event.data)).take(600).collect::<Vec<_>>(), expected);
    service.get(&format!("{path}?follow=true&after=x")).assert_problem(400, "not a place in the log of a run");
    service.get(&format!("{path}?after=3")).assert_problem(400, "`after` is a place for `follow`");
    service.get(&format!("{path}?follow=true&task=gat")).assert_problem(404, "did you mean `gate`?");
}

#[test]
fn the_log_of_a_run_is_followed_until_the_run_ends() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    eventually("it runs", || service.json(&format!("/api/v1/runs/{run}/tasks/endless"))["state"] == "running");
    let path = format!("/api/v1/runs/{run}/log?follow=true");
    let mut stream = Stream::open(&service, &path, None);
    let file = file_of(&service, run, "endless");
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("a home can be written");
    let (one, two) = (line_at(1, "one"), line_at(2, "two"));
    // A half line is not a line.
    std::fs::write(&file, format!("{one}{}", &two[..9])).expect("a home can be written");
    let first = stream.wait();
    assert!(first.data.contains("one") && !first.data.contains("two"), "{first:?}");
    let mut log = std::fs::OpenOptions::new().append(true).open(&file).expect("it was written");
    log.write_all(&two.as_bytes()[9..]).expect("a home can be written");
    let second = stream.wait();
    assert!(second.data.contains("two"), "{second:?}");
    assert_eq!(Stream::open(&service, &path, Some(&first.id)).wait(), second);
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).status, 200);
    let end = stream.last().expect("it ends");
    assert_eq!((&*end.name, &*end.data), ("end", r#"{"state":"cancelled"}"#));
}

fn file_of(service: &Service, run: i64, task: &str) -> PathBuf {
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    LogFiles::new(service.home().join("logs")).path(&id, task, 1)
}

#[test]
fn a_log_is_followed_until_its_attempt_ends() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    eventually("it runs", || service.json(&format!("/api/v1/runs/{run}/tasks/endless"))["state"] == "running");
    let mut api = Stream::open(&service, &format!("/api/v1/runs/{run}/tasks/endless/attempts/1/log?follow=true"), None);
    let mut page = Stream::open(&service, &format!("/runs/{run}/tasks/endless/1/stream"), None);
    let file = file_of(&service, run, "endless");
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("a home can be written");
    let line =
        |message: &str| format!("{}\n", json!({"at": "2026-01-31T06:00:00Z", "level": "INFO", "message": message}));
    let (one, two) = (line("one <b>"), line("two"));
    // A half line is not a line.
    std::fs::write(&file, format!("{one}{}", &two[..9])).expect("a home can be written");
    let event = api.wait();
    assert_eq!((event.id, event.data.contains("one <b>")), (one.len().to_string(), true));
    let event = page.wait();
    assert!(event.data.contains("id=\"L1\"") && event.data.contains("one &lt;b&gt;"), "{event:?}");
    let mut log = std::fs::OpenOptions::new().append(true).open(&file).expect("it was written");
    log.write_all(&two.as_bytes()[9..]).expect("a home can be written");
    assert!(api.wait().data.contains("two"));
    assert!(page.wait().data.contains("id=\"L2\""));
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).status, 200);
    // What the task says last comes before.
    while api.wait().name != "end" {}
    while page.wait().name != "end" {}
    // The numbers go on where a page ends.
    let rest = Stream::open(&service, &format!("/runs/{run}/tasks/endless/1/stream?after={}", one.len()), None).all();
    assert!(rest[0].data.contains("id=\"L2\""), "{rest:?}");
}

#[test]
fn events_of_an_asset_are_resumed_by_their_numbers() {
    let service = Service::new();
    let emit = |payload: u64| {
        let sent = service.post("/api/v1/events", &json!({"asset": "reports", "payload": payload}));
        assert_eq!(sent.status, 201, "{sent:?}");
    };
    emit(1);
    let mut new = Stream::open(&service, "/api/v1/assets/reports/stream", None);
    let mut all = Stream::open(&service, "/api/v1/assets/reports/stream?after=0", None);
    emit(2);
    let event = new.wait();
    assert_eq!(event.id, "2");
    assert_eq!(event.data.parse::<Value>().expect("JSON")["payload"], 2);
    assert_eq!((all.wait().id, all.wait().id), ("1".to_owned(), "2".to_owned()));
    assert_eq!(Stream::open(&service, "/api/v1/assets/reports/stream", Some("1")).wait(), event);
    service.get("/api/v1/assets/nothing/stream").assert_problem(404, "nothing");
}

#[test]
fn what_another_process_does_is_seen() {
    let service = Service::new();
    let mut runs = Stream::open(&service, "/api/v1/stream?topics=runs", None);
    let mut dags = Stream::open(&service, "/api/v1/stream?topics=dag:daily,asset:reports", None);
    let ran = service.call(&["run", "greeting"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let event = runs.wait();
    assert_eq!(event.data, r#"{"topic":"run","run":1,"dag":"greeting"}"#);
    assert_eq!(service.call(&["pause", "daily"]).code, Some(0));
    assert_eq!(dags.wait().data, r#"{"topic":"dag","dag":"daily"}"#);
    assert_eq!(service.call(&["emit", "reports", "3"]).code, Some(0));
    let asset = dags.wait().data;
    assert!(asset.starts_with(r#"{"topic":"asset","asset":"reports","event":"#), "{asset}");
    // An ended run that is edited.
    let mut one = Stream::open(&service, "/api/v1/stream?topics=run:1", None);
    assert_eq!(service.call(&["mark", "success", "1", "greet", "--reason", "x"]).code, Some(0));
    assert_eq!(one.wait().data, event.data);
}

#[test]
fn a_place_that_is_gone_is_answered_with_a_reset() {
    let service = Service::new();
    greeted(&service);
    for place in ["0badcafe.1", "x"] {
        let mut stream = Stream::open(&service, &format!("/api/v1/stream?after={place}"), None);
        let event = stream.wait();
        assert_eq!(event.name, "reset");
        // The stream goes on after it, and its place is good.
        greeted(&service);
        assert!(stream.wait().data.contains("greeting"));
        let resumed = Stream::open(&service, "/api/v1/stream?topics=runs", Some(&event.id)).wait();
        assert_eq!((&*resumed.name, resumed.data.contains("greeting")), ("", true));
    }
    service.get("/api/v1/stream?topics=run").assert_problem(400, "there is no topic `run`; did you mean `runs`?");
    service.get("/api/v1/runs/77/stream").assert_problem(404, "77");
    service.get("/api/v1/runs/1/stream?after=x").assert_problem(400, "not the number of an entry");
}

#[test]
fn open_streams_end_with_the_service() {
    let mut service = Service::new();
    let run = service.trigger("forever", &json!({}));
    let paths = ["/api/v1/stream".to_owned(), format!("/api/v1/runs/{run}/stream")];
    let streams: Vec<Stream> = (0..100).map(|at| Stream::open(&service, &paths[at % 2], None)).collect();
    service.signal(Signal::TERM);
    for stream in streams {
        assert_eq!(stream.last().map(|event| event.name).as_deref(), Some("bye"));
    }
    assert_eq!(service.wait_for_end(), Some(0));
}

#[test]
fn pages_name_the_stream_that_tells_of_their_changes() {
    let service = Service::new();
    let run = greeted(&service);
    let page = service.get(&format!("/runs/{run}")).body;
    let (_, place) = page.split_once(&format!("data-live=\"run:{run}\" data-after=\"")).expect("it is live");
    let place = place.split('"').next().expect("it ends");
    let again = service.get(&format!("/runs/{run}")).body;
    assert!(again.contains(&format!("data-after=\"{}.", place.split('.').next().expect("an epoch"))), "{again}");
    // The graph is a part of the page, without a style of its own, and has the states.
    assert!(page.contains("class=\"task\" data-task=\"greet\" data-state=\"success\""), "{page}");
    assert!(page.contains("<summary>As a list</summary>"), "{page}");
    let running = service.trigger("forever", &json!({}));
    eventually("it runs", || service.json(&format!("/api/v1/runs/{running}/tasks/endless"))["state"] == "running");
    let log = service.get(&format!("/runs/{running}/tasks/endless/1")).body;
    let follows = format!("data-follow=\"/runs/{running}/tasks/endless/1/stream\" data-after=\"0\"");
    assert!(log.contains(&follows), "{log}");
    assert!(!service.get(&format!("/runs/{run}/tasks/greet/1")).body.contains("data-follow"));
}

#[test]
fn the_script_is_small_and_kept_by_browsers() {
    let service = Service::new();
    let page: Response = service.get("/");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && policy.contains("trusted-types taskflow"), "{policy}");
    let (_, rest) = page.body.split_once("<script defer src=\"").expect("it has a script");
    let script = service.get(rest.split('"').next().expect("it ends"));
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("vary"), "Accept-Encoding");
    let address = rest.split('"').next().expect("it ends");
    let tag = script.header("etag").to_owned();
    let again = service.send("GET", address, &[("if-none-match", &tag)], "");
    assert_eq!((again.status, &*again.body), (304, ""));
    let dark = service.send("GET", "/", &[("cookie", "theme=dark; tz=utc")], "").body;
    assert!(dark.contains("<html lang=\"en\" data-theme=\"dark\">") && dark.contains("data-tz=\"utc\""), "{dark}");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(script.body.as_bytes()).expect("a vector can be written");
    let compressed = gzip.finish().expect("a vector can be written").len();
    assert!(script.body.len() <= 20_000, "{} bytes", script.body.len());
    assert!(compressed <= 6_144, "{compressed} bytes compressed");
    for forbidden in ["eval(", "innerHTML", "http://", "https://"] {
        assert!(!script.body.contains(forbidden), "{forbidden}");
    }
}
