//! What many open tabs cost the service: memory, and the time of its runs. No browser takes part:
//! it would compete with the service. `docs/performance.md` has the results.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskflow_tests::common::PATIENCE;

use crate::budgets::{instant, number, row, sorted, table, whole};
use crate::home::Service;

/// A page that a tab shows, and the topics of its stream.
#[derive(Clone, Copy)]
struct Shown {
    path: &'static str,
    topics: &'static str,
}

const GRID: Shown = Shown { path: "/dags/warehouse/grid?runs=50", topics: "dag:warehouse" };
const RUNS: Shown = Shown { path: "/runs", topics: "runs" };
const HOME: Shown = Shown { path: "/", topics: "runs,dags,backfills" };

/// What tabs do with what they are told.
#[derive(Clone, Copy, PartialEq)]
enum Tabs {
    /// They hear it.
    Hear,
    /// They read their pages at first and again, as the script of the pages does.
    Read,
}

const AS_A_BROWSER: [(&str, &str); 1] = [("accept-encoding", "gzip")];

/// Follows a stream to its end. Says when it begins.
fn follow(service: &Service, shown: Shown, tabs: Tabs, mut stream: &TcpStream, begins: Sender<()>) {
    let (mut started, mut took, mut part) = (Instant::now(), Duration::ZERO, [0; 16 << 10]);
    let mut begins = Some(begins);
    if tabs == Tabs::Read {
        let _ = service.send("GET", shown.path, &AS_A_BROWSER, "");
    }
    while let Ok(read @ 1..) = stream.read(&mut part) {
        if let Some(begins) = begins.take() {
            // Nobody waits for it any more if another one has failed.
            let _ = begins.send(());
        }
        let told = String::from_utf8_lossy(&part[..read]).contains("data: {\"topic\"");
        if told && tabs == Tabs::Read {
            let pause = Duration::from_millis(200).max(took * 2);
            sleep(pause.saturating_sub(started.elapsed()));
            started = Instant::now();
            let _ = service.send("GET", shown.path, &AS_A_BROWSER, "");
            took = started.elapsed();
        }
    }
}

/// Calls a function while so many tabs are open, which show these pages by turns.
fn beside<T>(service: &Service, count: usize, pages: &[Shown], tabs: Tabs, meanwhile: impl FnOnce() -> T) -> T {
    scope(|scope| {
        let (begins, begun) = mpsc::channel();
        let mut streams = Streams(Vec::new());
        for &shown in pages.iter().cycle().take(count) {
            let mut stream = service.connect();
            let (topics, host) = (shown.topics, service.address);
            write!(stream, "GET /api/v1/stream?topics={topics} HTTP/1.1\r\nhost: {host}\r\n\r\n").expect("it listens");
            let (reader, begins) = (stream.try_clone().expect("a socket has several handles"), begins.clone());
            scope.spawn(move || follow(service, shown, tabs, &reader, begins));
            streams.0.push(stream);
        }
        drop(begins);
        assert_eq!(begun.iter().count(), count, "all streams are open");
        meanwhile()
    })
}

/// They end with it, also if a measure fails: whoever follows one would wait for ever.
struct Streams(Vec<TcpStream>);

impl Drop for Streams {
    fn drop(&mut self) {
        for stream in &self.0 {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A line of what the system knows of the memory of a process, in MB.
fn memory(service: &Service, line: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.process())).expect("Linux has it");
    let found = status.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(':'));
    let kilobytes = found.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.expect("a number") * 1_024.0 / 1e6
}

/// The seconds of the processor that the service has taken, its threads together.
fn processor(service: &Service) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.process())).expect("Linux has it");
    // The name of the program may have spaces, and ends with the last parenthesis. The 14th and the
    // 15th field are times of the program and of the kernel for it, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0).sum()
}

#[test]
#[ignore = "it measures memory, and makes a home of 50 runs"]
fn the_cost_of_clients() {
    const CLIENTS: usize = 100;

    let (service, _) = whole();
    table();
    let begun = memory(&service, "VmRSS");
    let page = service.get(GRID.path);
    assert_eq!(page.status, 200, "{page:?}");
    let before = memory(&service, "VmRSS");
    let (open, busy) = beside(&service, CLIENTS, &[GRID], Tabs::Read, || {
        let open = memory(&service, "VmRSS");
        // Each change lets all of them read the page again, and no run takes memory meanwhile.
        let json = [("content-type", "application/json")];
        for _ in 0..3 {
            for (method, body) in [("PUT", r#"{"reason":"a measure"}"#), ("DELETE", "{}")] {
                let done = service.send(method, "/api/v1/dags/warehouse/pause", &json, body);
                assert_eq!(done.status, 200, "{done:?}");
                sleep(Duration::from_secs(3));
            }
        }
        (open, memory(&service, "VmRSS"))
    });
    let peak = memory(&service, "VmHWM");
    row(
        &format!("memory of the service with {CLIENTS} tabs on the grid of 5,000 tasks"),
        &format!(
            "{begun:.0} MB at first, {before:.0} MB after one page; {open:.0} MB ({:+.0}) with all open, {busy:.0} MB \
             ({:+.0}) after six changes, {peak:.0} MB at the peak",
            open - before,
            busy - before,
        ),
        "+50 MB",
    );
}

/// How many milliseconds the service takes for so many runs of 5,000 tasks at once, by its own
/// times; and how many of the processor.
fn work(service: &Service, runs: usize) -> [f64; 2] {
    let before = processor(service);
    for _ in 0..runs {
        service.trigger("warehouse", &json!({}));
    }
    let path = format!("/api/v1/runs?dag=warehouse&limit={runs}");
    let start = Instant::now();
    let list = loop {
        assert!(start.elapsed() < PATIENCE, "the runs do not end");
        // Seldom, and a short list: this reader is not to be measured.
        sleep(Duration::from_millis(100));
        let list = service.json(&path);
        if runs_of(&list).iter().all(|run| run["ended"].is_string()) {
            break list;
        }
    };
    let times = |name: &str| sorted(runs_of(&list).iter().map(|run| instant(&run[name])));
    [times("ended")[runs - 1] - times("created")[0], 1_000.0 * (processor(service) - before)]
}

fn runs_of(list: &Value) -> &Vec<Value> {
    list.as_array().expect("a list")
}

#[test]
#[ignore = "it measures times, and makes a home of 50 runs"]
fn the_cost_of_readers() {
    const READERS: usize = 200;
    const TARGET: f64 = 4_000.0;

    let (service, _) = whole();
    let turns = number("TASKFLOW_TIMES", 5).max(1);
    table();
    work(&service, 1);
    // Enough of them for some seconds of work.
    let runs = (TARGET / work(&service, 1)[0]).ceil().clamp(1.0, 40.0) as usize;
    let pages = [GRID, RUNS, HOME];
    let (mut alone, mut hearing, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    // By turns, so that all see the same load of the machine.
    for _ in 0..turns {
        alone.push(work(&service, runs));
        hearing.push(beside(&service, READERS, &pages, Tabs::Hear, || work(&service, runs)));
        reading.push(beside(&service, READERS, &pages, Tabs::Read, || work(&service, runs)));
    }
    let [alone, hearing, reading] =
        [alone, hearing, reading].map(|all| [0, 1].map(|which| sorted(all.iter().map(|took| took[which]))[turns / 2]));
    let told = |took: [f64; 2]| {
        let more = |which: usize| 100.0 * (took[which] / alone[which] - 1.0);
        format!("{:.0} ms ({:+.1} %), the processor {:.0} ms ({:+.1} %)", took[0], more(0), took[1], more(1))
    };
    row(&format!("{runs} runs of 5,000 tasks"), &told(alone), "");
    row(&format!("the same beside {READERS} streams of the grid, the runs and the home page"), &told(hearing), "+5 %");
    row(&format!("the same beside {READERS} tabs that also read these pages again"), &told(reading), "");
}
