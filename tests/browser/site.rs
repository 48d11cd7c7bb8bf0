//! A server with something of everything, and a way through all of its pages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};
use taskflow_tests::binaries::program;
use tempfile::TempDir;

use crate::home::Service;
use crate::page::Page;

/// What must not have an effect, wherever a person or a program can write something.
pub(crate) const PAYLOAD: &str = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onfocus=alert(3) autofocus x=\" {{7*7}} \
     javascript:alert(4)";

/// The server of `fixtures/pages.rs` without runs.
pub(crate) fn empty() -> Service {
    over(tempfile::tempdir().expect("temporary directories can be made"))
}

fn over(directory: TempDir) -> Service {
    Service::of("pages", directory, &["--bind", "127.0.0.1:0"])
}

/// Homes of programs with much of something, which are made once for this test program.
static HOMES: LazyLock<Homes> = LazyLock::new(Homes::new);

struct Homes {
    directory: PathBuf,
    /// By what they have.
    made: Mutex<BTreeMap<String, Arc<OnceLock<PathBuf>>>>,
    /// A shell removes the directory when this ends, which is when this program has ended.
    _guard: ChildStdin,
}

impl Homes {
    #[allow(clippy::zombie_processes, reason = "it ends after this program")]
    fn new() -> Homes {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("homes-{}", std::process::id()));
        let mut shell = Command::new("sh")
            .args(["-c", "cat; rm -rf \"$1\"", "sh"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        Homes { directory, made: Mutex::default(), _guard: shell.stdin.take().expect("it is piped") }
    }

    /// The home that a program fills with these runs.
    fn of(&self, filler: &str, runs: &[&str]) -> PathBuf {
        let name = format!("{filler}-{}", runs.join("-"));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let once = Arc::clone(made.entry(name.clone()).or_default());
        // Others may be made beside it.
        drop(made);
        let make = || {
            let home = self.directory.join(name);
            let filled = program(filler).arg("fill").arg(&home).args(runs).status().expect("a built program starts");
            assert!(filled.success(), "{runs:?}");
            home
        };
        once.get_or_init(make).clone()
    }
}

/// The server of `fixtures/large.rs` over a home of its own, which has runs such as `warehouse=3`.
pub(crate) fn large(runs: &[&str]) -> Service {
    filled("large", runs)
}

/// The server of `fixtures/thousand.rs`, over a home of its own in which each DAG has run.
pub(crate) fn thousand() -> Service {
    filled("thousand", &[])
}

fn filled(program: &str, runs: &[&str]) -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let mut copy = Command::new("cp");
    copy.args(["-r", "--reflink=auto"]).arg(HOMES.of(program, runs)).arg(directory.path().join("home"));
    assert!(copy.status().expect("`cp` starts").success());
    Service::of(program, directory, &["--bind", "127.0.0.1:0"])
}

/// A server whose runs have succeeded, failed, been cancelled, and wait; with events, a backfill
/// and a pause, all with [`PAYLOAD`] as the words of the people.
pub(crate) fn full() -> Service {
    let service = empty();
    let failed = service.trigger("hostile", &json!({ "text": PAYLOAD }));
    let mapped = service.trigger("mapped", &json!({ "count": 20, "customer": PAYLOAD }));
    let cancelled = service.trigger("waiting", &json!({}));
    for dag in ["skipping", "waiting", "asking", "daily_report"] {
        service.trigger(dag, &json!({}));
    }
    let talking = service.trigger("talking", &json!({}));
    service.wait(failed, "failed");
    service.wait(mapped, "failed");
    service.wait(talking, "success");
    let words = json!({ "reason": PAYLOAD, "by": PAYLOAD });
    change(&service, "POST", &format!("/api/v1/runs/{cancelled}/cancel"), &words);
    service.wait(cancelled, "cancelled");
    change(&service, "PUT", "/api/v1/dags/orders_hourly/pause", &words);
    let event = json!({
        "asset": "warehouse/orders", "payload": 17, "partition": "2026-01-30", "key": PAYLOAD, "by": PAYLOAD,
    });
    change(&service, "POST", "/api/v1/events", &event);
    let mark = json!({ "state": "success", "tasks": ["fails"], "value": 7, "reason": PAYLOAD, "by": PAYLOAD });
    let marked = service.trigger("hostile", &json!({}));
    service.wait(marked, "failed");
    change(&service, "POST", &format!("/api/v1/runs/{marked}/mark"), &mark);
    let backfill = json!({
        "dag": "daily_report", "slots": ["2026-01-01/2026-01-03"], "reason": PAYLOAD, "by": PAYLOAD,
    });
    change(&service, "POST", "/api/v1/backfills", &backfill);
    service
}

#[track_caller]
fn change(service: &Service, method: &str, path: &str, body: &Value) {
    let response = service.send(method, path, &[("content-type", "application/json")], &body.to_string());
    assert!((200..300).contains(&response.status), "{path}: {response:?}");
}

/// The password of all users of these tests.
pub(crate) const PASSWORD: &str = "several good words";

/// Opens an address as a user, who has to log in first.
#[track_caller]
pub(crate) fn log_in(page: &Page, name: &str, wanted: &str) {
    page.open(wanted);
    assert!(page.address().starts_with("/login"), "{}", page.address());
    page.fill("[name=name]", name);
    page.fill("[name=password]", PASSWORD);
    page.follow(".form button");
    assert_eq!(page.address(), wanted);
}

/// How many addresses of one kind a walk opens: the first is often a special case.
const OF_A_KIND: usize = 2;

/// Where a walk through a [`full`] server begins: at home, at a DAG that is paused, at a run that
/// has failed and at one that has not ended, and at pages that forms lead to.
pub(crate) const BEGINNINGS: [&str; 7] = [
    "/",
    "/dags/orders_hourly",
    "/runs/1",
    "/runs/5",
    "/runs:clear?run=1&run=2&run=99",
    "/runs:cancel?of=all&dag=waiting",
    "/dags:pause?dag=ad_spend&dag=orders_hourly",
];

/// Opens these pages of a server and those that their links lead to, and so on, and calls `look` on
/// each. Of pages of one kind, such as runs, it opens a few. Returns the kinds.
pub(crate) fn walk(page: &Page, beginnings: &[&str], mut look: impl FnMut(&str)) -> BTreeSet<String> {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut next: VecDeque<String> = beginnings.iter().map(|&path| path.to_owned()).collect();
    let mut known: BTreeSet<String> = next.iter().cloned().collect();
    while let Some(path) = next.pop_front() {
        let of_kind = kinds.entry(kind(&path)).or_default();
        *of_kind += 1;
        if *of_kind > OF_A_KIND {
            continue;
        }
        page.open(&path);
        let is_page = page.eval("document.contentType") == "text/html";
        if is_page {
            look(&path);
        } else {
            // A graph or the text of a log, which leads nowhere.
            page.assert_clean();
            continue;
        }
        // What a browser saves is no page.
        let links = page.strings(
            "Array.from(document.links, a => a.origin === location.origin && !a.hasAttribute('download') \
             ? a.pathname + a.search : '')",
        );
        next.extend(links.into_iter().filter(|link| !link.is_empty() && known.insert(link.clone())));
    }
    kinds.into_keys().collect()
}

/// An address without what its names are: `/runs/{}/tasks/{}?q`.
pub(crate) fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut kind = String::new();
    let mut after_list = false;
    for part in path.split('/').skip(1) {
        let is_list = ["dags", "runs", "tasks", "backfills", "assets"].contains(&part);
        let is_name = after_list || part.bytes().all(|byte| byte.is_ascii_digit());
        kind += if is_name && !part.is_empty() { "/{}" } else { "/" };
        kind += if is_name { "" } else { part };
        after_list = is_list && !is_name;
    }
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    if names.is_empty() { kind } else { format!("{kind}?{}", names.join("&")) }
}
