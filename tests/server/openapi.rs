//! What the `OpenAPI` document says about answers, compared with real ones.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};
use crate::schema::mistakes;

/// Routes that answer with any JSON: the value of a task.
const ANY_JSON: &[&str] = &["/api/v1/runs/{run}/values/{task}"];

/// Answers that were looked at.
struct Walk {
    document: Value,
    /// The routes of those with the content of their schema.
    answered: BTreeSet<(String, String)>,
    mistakes: BTreeSet<String>,
}

impl Walk {
    fn new(service: &Service) -> Self {
        let document = service.json("/api/v1/openapi.json");
        Walk { document, answered: BTreeSet::new(), mistakes: BTreeSet::new() }
    }

    /// The routes that answer a method with documents.
    fn routes(&self, method: &str) -> BTreeSet<(String, String)> {
        let paths = self.document["paths"].as_object().expect("an object");
        let answers =
            |operations: &Value| operations[method]["responses"]["2XX"]["content"].get("application/json").is_some();
        let routes = paths.iter().filter(|(_, operations)| answers(operations));
        routes.map(|(path, _)| (method.to_uppercase(), path.clone())).collect()
    }

    fn look(&mut self, method: &str, route: &str, response: &Response) {
        if (200..300).contains(&response.status) {
            self.answered.insert((method.to_owned(), route.to_owned()));
        }
        self.mistakes.extend(mistakes(&self.document, method, route, response));
    }

    /// Asks for a change, which is made.
    #[track_caller]
    fn change(&mut self, service: &Service, method: &str, route: &str, path: &str, body: &Value) -> Value {
        let headers = [("content-type", "application/json")];
        let response = service.send(method, &format!("/api/v1{path}"), &headers, &body.to_string());
        assert!((200..300).contains(&response.status), "{path}: {response:?}");
        self.look(method, &format!("/api/v1{route}"), &response);
        response.json()
    }

    /// Reads every route that answers with documents, for everything that the home has.
    fn read_all(&mut self, service: &Service) {
        for (_, route) in self.routes("get") {
            for path in filled(&|path| service.json(path), &route) {
                let response = service.get(&path);
                assert!(response.status < 500, "{path}: {response:?}");
                self.look("GET", &route, &response);
            }
        }
    }

    fn assert_without_mistakes(&self) {
        assert!(self.mistakes.is_empty(), "{:#?}", self.mistakes);
    }
}

/// The addresses of a route, with all queries that change the form of its answer. `read` reads the
/// lists of what there is.
pub(crate) fn filled(read: &dyn Fn(&str) -> Value, route: &str) -> Vec<String> {
    let list = |path: &str, member: &str| -> Vec<String> {
        let all = read(path);
        let all = all.as_array().cloned().unwrap_or_default();
        all.iter().map(|item| item[member].to_string().trim_matches('"').to_owned()).collect()
    };
    let mut paths = vec![route.to_owned()];
    let mut fill = |name: &str, values: &dyn Fn(&str) -> Vec<String>| {
        if route.contains(name) {
            let filled = paths.iter().flat_map(|path| {
                let values = values(path);
                values.into_iter().map(|value| path.replace(name, &value)).collect::<Vec<_>>()
            });
            paths = filled.collect();
        }
    };
    let with_runs: BTreeSet<String> = list("/api/v1/runs", "dag_id").into_iter().collect();
    let dags = read("/api/v1/dags");
    let scheduled = dags.as_array().expect("a list").iter().find(|dag| dag["schedule"].is_string());
    let scheduled = scheduled.map(|dag| dag["dag_id"].as_str().expect("an id").to_owned());
    fill("{dag}", &|_| with_runs.iter().chain(&scheduled).cloned().collect());
    fill("{run}", &|_| list("/api/v1/runs", "number"));
    fill("{task}", &|path| {
        let run = path.split('/').find(|word| word.parse::<i64>().is_ok()).expect("it has a run");
        let mut tasks = list(&format!("/api/v1/runs/{run}/tasks"), "id");
        if path.contains("/elements") {
            // The task of all elements.
            tasks = tasks.iter().filter_map(|task| Some(task.split_once('[')?.0.to_owned())).collect();
            tasks.dedup();
        }
        tasks.truncate(12);
        tasks.into_iter().map(|task| task.replace('[', "%5B").replace(']', "%5D")).collect()
    });
    fill("{attempt}", &|_| vec!["1".to_owned(), "2".to_owned()]);
    fill("{asset}", &|_| list("/api/v1/assets", "name").iter().map(|name| name.replace('/', "%2F")).collect());
    fill("{event}", &|_| list("/api/v1/events", "number"));
    fill("{backfill}", &|_| list("/api/v1/backfills", "number"));
    fill("{pool}", &|_| {
        let pools = read("/api/v1/pools")["pools"].clone();
        pools.as_array().expect("a list").iter().map(|pool| pool["pool"].as_str().expect("a name").to_owned()).collect()
    });
    let queries: &[&str] = match route {
        "/api/v1/dags/{dag}/slots" => &["", "?from=2026-01-01T00:00:00Z&to=2026-01-20T00:00:00Z"],
        "/api/v1/runs/{run}/values" | "/api/v1/runs/{run}/values/{task}" => &["", "?preview=20"],
        "/api/v1/audit" => &["", "?limit=2"],
        _ => &[""],
    };
    paths.iter().flat_map(|path| queries.iter().map(move |query| format!("{path}{query}"))).collect()
}

#[test]
fn answers_are_what_the_document_says() {
    let service = Service::with_schedules();
    let mut walk = Walk::new(&service);
    let of = |dag: &str| format!("/dags/{dag}/runs");
    let runs = "/dags/{dag}/runs";
    let good = service.trigger("greeting", &json!({"name": "ada", "times": 3}));
    service.wait(good, "success");
    let (bad, mended) = (service.trigger("gated", &json!({})), service.trigger("gated", &json!({})));
    service.wait(bad, "failed");
    service.wait(mended, "failed");
    let number = |document: &Value| document["number"].as_i64().expect("a number");
    let endless = number(&walk.change(&service, "POST", runs, &of("forever"), &json!({})));
    let stopped = service.trigger("forever", &json!({}));
    let asking = service.trigger("approval", &json!({}));
    eventually("they run", || {
        let waits = |run: i64, state: &str| service.json(&format!("/api/v1/runs/{run}/tasks"))[0]["state"] == state;
        waits(endless, "running") && waits(stopped, "running") && waits(asking, "deferred")
    });
    let backfill = json!({"dag": "daily", "slots": ["2026-01-01/2026-01-03", "2098-12-30/2099-01-01"], "limit": 2});
    let preview = walk.change(&service, "POST", "/backfills", "/backfills?dry_run=true", &backfill);
    assert!(preview["token"].is_string(), "{preview}");
    walk.change(&service, "POST", "/backfills", "/backfills", &backfill);
    walk.change(&service, "POST", "/backfills/{backfill}/pause", "/backfills/1/pause", &json!({"reason": "wait"}));
    let event = json!({"asset": "reports", "payload": 3, "key": "a"});
    walk.change(&service, "POST", "/events", "/events", &event);
    walk.change(&service, "POST", "/events", "/events", &event);
    walk.change(&service, "POST", "/events", "/events", &json!({"asset": "days", "partition": "2026-01-31"}));
    let reporter = service.trigger("reporter", &json!({}));
    service.wait(reporter, "success");
    eventually("the events start runs", || {
        let runs = service.json("/api/v1/runs?dag=reported&state=success");
        runs.as_array().is_some_and(|runs| !runs.is_empty())
    });
    walk.read_all(&service);

    let until = json!({"reason": "a", "until": "2099-01-01T00:00:00Z"});
    walk.change(&service, "PUT", "/dags/{dag}/pause", "/dags/daily/pause", &until);
    walk.change(&service, "PUT", "/pauses", "/pauses", &json!({"dags": ["daily", "reported"]}));
    let cancel = format!("/runs/{stopped}/cancel");
    walk.change(&service, "POST", "/runs/{run}/cancel", &format!("{cancel}?dry_run=true"), &json!({}));
    walk.change(&service, "POST", "/runs/{run}/cancel", &cancel, &json!({}));
    service.wait(stopped, "cancelled");
    let of_asking = format!("/runs/{asking}/release");
    walk.change(&service, "POST", "/runs/{run}/release", &of_asking, &json!({"key": "other"}));
    let clear = format!("/runs/{good}/clear");
    let tasks = json!({"tasks": ["greet"], "downstream": true});
    walk.change(&service, "POST", "/runs/{run}/clear", &format!("{clear}?dry_run=true"), &tasks);
    walk.change(&service, "POST", "/runs/{run}/clear", &clear, &json!({"run": false}));
    walk.read_all(&service);
    walk.change(&service, "POST", "/runs/{run}/resume", &format!("/runs/{good}/resume"), &json!({}));
    service.wait(good, "success");
    service.open_gate();
    let retry = format!("/runs/{mended}/retry");
    walk.change(&service, "POST", "/runs/{run}/retry", &format!("{retry}?dry_run=true"), &json!({}));
    walk.change(&service, "POST", "/runs/{run}/retry", &retry, &json!({"reason": "b"}));
    service.wait(mended, "success");
    let mark = json!({"state": "skipped", "tasks": ["gate"], "reason": "c"});
    walk.change(&service, "POST", "/runs/{run}/mark", &format!("/runs/{bad}/mark?dry_run=true"), &mark);
    walk.change(&service, "POST", "/runs/{run}/mark", &format!("/runs/{bad}/mark"), &mark);
    let all = json!({"runs": [good.to_string(), bad.to_string(), "none"], "failed": true});
    walk.change(&service, "POST", "/runs:clear", "/runs:clear?dry_run=true", &all);
    walk.change(&service, "POST", "/runs:cancel", "/runs:cancel", &json!({"runs": [good.to_string(), "none"]}));
    let marks = json!({"runs": [bad.to_string()], "as": "failed", "tasks": ["gate"]});
    walk.change(&service, "POST", "/runs:mark", "/runs:mark", &marks);
    walk.change(&service, "DELETE", "/pauses", "/pauses", &json!({"dags": ["reported"]}));
    walk.change(&service, "DELETE", "/dags/{dag}/pause", "/dags/daily/pause", &json!({"catchup": "none"}));
    walk.change(&service, "POST", "/backfills/{backfill}/limit", "/backfills/1/limit", &json!({"limit": 1}));
    walk.change(&service, "POST", "/backfills/{backfill}/extend", "/backfills/1/extend", &json!({"to": "2026-01-04"}));
    walk.change(&service, "POST", "/backfills/{backfill}/resume", "/backfills/1/resume", &json!({}));
    walk.change(&service, "POST", "/backfills/{backfill}/cancel", "/backfills/1/cancel", &json!({"running": true}));
    let prune = json!({"older_than": "9000d"});
    walk.change(&service, "POST", "/db/prune", "/db/prune?dry_run=true", &json!({"older_than": "0s"}));
    walk.change(&service, "POST", "/db/prune", "/db/prune", &prune);
    walk.change(&service, "DELETE", "/runs/{run}", &format!("/runs/{stopped}"), &json!({}));
    let token = json!({"name": "ci", "role": "viewer", "dags": ["daily", "tag:polite", "team_a.*"]});
    walk.change(&service, "POST", "/tokens", "/tokens", &token);
    walk.change(&service, "POST", "/tokens", "/tokens", &json!({"name": "all", "role": "admin", "lasts": true}));
    walk.read_all(&service);
    walk.change(&service, "DELETE", "/tokens/{token}", "/tokens/ci", &json!({}));
    walk.assert_without_mistakes();
}

/// A service of a fixture.
fn of(program: &str) -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    Service::of(program, directory, &["--bind", "127.0.0.1:0"])
}

#[test]
fn answers_about_elements_questions_and_pools_are_what_the_document_says() {
    let service = of("pages");
    let mut walk = Walk::new(&service);
    let mapped = service.trigger("mapped", &json!({"count": 100}));
    let hostile = service.trigger("hostile", &json!({}));
    service.wait(mapped, "failed");
    service.wait(hostile, "failed");
    for dag in ["asking", "waiting"] {
        service.trigger(dag, &json!({}));
    }
    eventually("both ask, and a task is to be retried", || {
        let questions = service.json("/api/v1/approvals");
        let tasks = service.json("/api/v1/runs/4/tasks").to_string();
        questions.as_array().is_some_and(|all| all.len() == 2) && tasks.contains("up_for_retry")
    });
    walk.read_all(&service);
    let limits = of("limits");
    let directory = tempfile::tempdir().expect("it can be made");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let params = json!({"name": "a", "log": at("log"), "go": at("go")});
    for _ in 0..2 {
        limits.trigger("spreading", &params);
    }
    eventually("one has the pool", || limits.json("/api/v1/pools")["pools"][0]["waiting"].to_string().contains("why"));
    for (route, path) in [("/api/v1/pools", "/api/v1/pools"), ("/api/v1/pools/{pool}", "/api/v1/pools/desk")] {
        walk.look("GET", route, &limits.get(path));
    }
    std::fs::write(at("go"), "").expect("temporary files can be written");
    walk.assert_without_mistakes();
    let read: BTreeSet<_> = walk.answered.iter().filter(|(method, _)| method == "GET").cloned().collect();
    assert_eq!(read, {
        let mut all = walk.routes("get");
        // Of backfills there is none here.
        all.remove(&("GET".to_owned(), "/api/v1/backfills/{backfill}".to_owned()));
        all
    });
}

#[test]
fn every_document_has_a_schema() {
    let service = Service::new();
    let document = service.json("/api/v1/openapi.json");
    let mut without = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("an object") {
        for operation in operations.as_object().expect("an object").values() {
            for content in operation["responses"]["2XX"]["content"].as_object().expect("an object").values() {
                if content["schema"].as_object().is_none_or(serde_json::Map::is_empty) {
                    without.push(&**path);
                }
            }
        }
    }
    assert_eq!(without, ANY_JSON);
    // Documents are named once: whatever is referred to is there, and says what its members are.
    let schemas = document["components"]["schemas"].as_object().expect("an object");
    assert!(schemas.len() > 60, "{}", schemas.len());
    for (name, schema) in schemas {
        let is_described = schema["properties"].is_object() || schema["enum"].is_array();
        assert!(is_described, "{name}: {schema}");
    }
}
