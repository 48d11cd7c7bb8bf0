//! A secret in the parameters, the environment, the values, the messages, the logs and the reasons
//! of a run, looked for in everything that the server shows.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use serde_json::{Value, json};

use crate::home::{Response, Service};
use crate::openapi::filled;
use crate::streams::Stream;

const SECRET: &str = "canary-91b3f0a2c4d5e6f7";

/// Where it may be found, by those who may read values: what a task returns and what it is given
/// is stored and shown unchanged.
const ALLOWED: [&str; 5] = [
    "/api/v1/runs/{run}/values",
    "/api/v1/runs/{run}/values/{task}",
    // The form that starts the run again, with its parameters.
    "/dags/carrying/trigger",
    "/runs/1/tasks/reveals",
    "/runs/1/values",
];

/// A service whose runs have left the secret wherever they can.
fn service() -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let home = directory.path().join("home");
    std::fs::create_dir_all(&home).expect("directories can be made");
    let config = "[secrets]\ntoken = { env = \"GUARDED_TOKEN\" }\n";
    std::fs::write(home.join("taskflow.toml"), config).expect("files can be written");
    let service = Service::with_environment("guarded", directory, &[("GUARDED_TOKEN", SECRET)]);
    let run = service.trigger("carrying", &json!({ "given": SECRET }));
    service.wait(run, "failed");
    let reason = json!({ "reason": format!("try {SECRET} again") });
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/retry"), &reason).status, 202);
    service.wait(run, "failed");
    let mark = json!({ "state": "skipped", "tasks": ["refuses"], "reason": SECRET });
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/mark"), &mark).status, 200);
    service.wait(run, "success");
    // What is refused is in the trail too.
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/cancel"), &reason).status, 409);
    let kim = json!({ "name": "kim", "password": "several good words", "role": "admin" });
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    service
}

/// What somebody finds it in.
struct Crawl<'s> {
    service: &'s Service,
    role: &'static str,
    bearer: String,
    found: BTreeSet<(&'static str, String)>,
    looked: usize,
}

impl Crawl<'_> {
    fn get(&self, path: &str) -> Response {
        self.service.send("GET", path, &[("authorization", &self.bearer)], "")
    }

    fn look(&mut self, place: &str, text: &str) {
        self.looked += 1;
        if text.contains(SECRET) {
            self.found.insert((self.role, place.to_owned()));
        }
    }

    /// Every route of the API that reads.
    fn api(&mut self) {
        let document = self.get("/api/v1/openapi.json").json();
        let paths = document["paths"].as_object().expect("an object");
        for (route, operations) in paths.iter().filter(|(_, operations)| operations["get"].is_object()) {
            let is_stream = operations["get"]["responses"]["2XX"]["content"].get("text/event-stream").is_some();
            let read = |path: &str| self.get(path).json();
            for path in filled(&read, route) {
                // Of streams of what goes on, only the head can be read.
                let response = if is_stream { self.get(&format!("{path}?after=0")) } else { self.get(&path) };
                assert!(response.status < 500, "{path}: {response:?}");
                self.look(route, &format!("{:?}{}", response.headers, response.body));
            }
        }
        let followed = [
            "/api/v1/runs/1/stream",
            "/api/v1/runs/1/log?follow=true",
            "/api/v1/runs/1/tasks/reveals/attempts/1/log?follow=true",
            "/runs/1/tasks/reveals/1/stream",
        ];
        for path in followed {
            let stream = Stream::open_with(self.service, path, &[("authorization", &self.bearer)]);
            let text: String = stream.all().into_iter().map(|event| event.data).collect();
            assert!(!text.is_empty(), "{path}");
            self.look(path, &text);
        }
    }

    /// All pages that links lead to, and those that nothing leads to.
    fn pages(&mut self) {
        let mut open: VecDeque<String> = ["/", "/runs/1", "/settings", "/users", "/audit", "/doctor", "/nothing"]
            .into_iter()
            .chain(["/runs/1/graph.svg", "/runs/1/tasks/reveals/1/raw", "/runs?q=canary"])
            .map(str::to_owned)
            .collect();
        let mut known: BTreeSet<String> = open.iter().cloned().collect();
        while let Some(path) = open.pop_front() {
            let page = self.get(&path);
            assert!(page.status < 500, "{path}: {page:?}");
            self.look(path.split('?').next().unwrap_or_default(), &format!("{:?}{}", page.headers, page.body));
            for link in page.body.split("href=\"").skip(1) {
                let link = link.split('"').next().unwrap_or_default().split('#').next().unwrap_or_default();
                let link = link.replace("&amp;", "&");
                let is_page = link.starts_with('/') && !link.starts_with("/static/");
                if is_page && known.len() < 300 && known.insert(link.clone()) {
                    open.push_back(link);
                }
            }
        }
        assert!(known.len() > 30, "{known:?}");
    }
}

/// The files below a directory that have it.
fn files_with_it(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory is read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with_it(&path));
        } else if std::fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(SECRET)) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_secret_is_nowhere_it_must_not_be() {
    let mut service = service();
    let mut found = BTreeSet::new();
    for role in ["viewer", "operator", "admin"] {
        let created = service.call_of("guarded", &["tokens", "create", role, "--role", role]);
        assert_eq!(created.code, Some(0), "{created:?}");
        let bearer = format!("Bearer {}", created.stdout.trim());
        let mut crawl = Crawl { service: &service, role, bearer, found: BTreeSet::new(), looked: 0 };
        crawl.api();
        crawl.pages();
        assert!(crawl.looked > 80, "{}", crawl.looked);
        found.extend(crawl.found);
    }
    let expected = ["operator", "admin"].iter().flat_map(|role| ALLOWED.map(|place| (*role, place.to_owned())));
    assert_eq!(found, expected.collect::<BTreeSet<_>>());
    // The trail and the edits have the reasons without it.
    let reasons = service.call_of("guarded", &["audit", "--output", "json"]);
    assert!(reasons.stdout.contains("try *** again") && !reasons.stdout.contains(SECRET), "{reasons:?}");
    assert_eq!(files_with_it(&service.home().join("logs")), [""; 0]);
    let printed = service.lines_so_far().join("\n");
    assert!(!printed.contains(SECRET) && !service.printed.contains(SECRET), "{printed}");
}

#[test]
fn a_dag_with_the_name_of_another_thing_is_a_dag() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("guarded", directory, &["--bind", "127.0.0.1:0"]);
    let kim = json!({ "name": "kim", "password": "several good words", "role": "admin" });
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    for dag in ["all", "configs", "health", "metrics", "stream"] {
        let created = service.call_of("guarded", &["tokens", "create", dag, "--role", "admin", "--dags", dag]);
        assert_eq!(created.code, Some(0), "{created:?}");
        let bearer = format!("Bearer {}", created.stdout.trim());
        let ask = |method: &str, path: &str, body: &str| {
            let headers = [("authorization", &*bearer), ("content-type", "application/json")];
            service.send(method, path, &headers, body)
        };
        // A grant for it is a grant for it, and for nothing that is called so.
        let dags = ask("GET", "/api/v1/dags", "").json();
        let seen: Vec<&Value> = dags.as_array().expect("a list").iter().map(|dag| &dag["dag_id"]).collect();
        assert_eq!(seen, [dag], "{dags}");
        let started = ask("POST", &format!("/api/v1/dags/{dag}/runs"), "{}");
        assert_eq!(started.status, 201, "{started:?}");
        assert_eq!(ask("GET", &format!("/dags/{dag}"), "").status, 200);
        assert_eq!(ask("GET", &format!("/api/v1/dags/{dag}/graph"), "").status, 200);
        ask("GET", "/api/v1/dags/carrying", "").assert_problem(404, "there is no DAG");
        for path in ["/metrics", "/api/v1/users", "/api/v1/doctor", "/api/v1/audit", "/api/v1/pools"] {
            ask("GET", path, "").assert_problem(403, "");
        }
        let runs = ask("GET", "/api/v1/runs", "").json();
        assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
    }
    // And nobody without a right gets at it because of its name.
    for path in ["/dags/all", "/dags/health", "/api/v1/dags/metrics", "/api/v1/dags/stream", "/api/v1/dags/health/next"]
    {
        let refused = service.get(path);
        assert!(matches!(refused.status, 303 | 401), "{path}: {refused:?}");
    }
}
