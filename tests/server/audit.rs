//! The audit trail of the API and the pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use taskflow_tests::binaries::call_at;
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};

/// Nothing that has this text may be in the trail.
const CANARY: &str = "canary-4711-secret";

/// A service, and how much of its trail was looked at.
struct Trail {
    service: Service,
    seen: i64,
    /// The routes that were called.
    called: BTreeSet<(String, String)>,
}

impl Trail {
    fn new() -> Self {
        Trail { service: Service::new(), seen: 0, called: BTreeSet::new() }
    }

    /// The entries that are new, the oldest first.
    fn news(&self) -> Vec<Value> {
        let list = self.service.json("/api/v1/audit?limit=1000");
        let entries = list["entries"].as_array().expect("a list").iter().rev();
        entries.filter(|entry| entry["number"].as_i64() > Some(self.seen)).cloned().collect()
    }

    /// Calls a route, with the parts of its path, and checks what it leaves.
    #[track_caller]
    fn call(&mut self, method: &str, route: &str, part: &str, body: &Value, action: &str, outcome: &str) -> Response {
        self.called.insert((method.to_owned(), route.to_owned()));
        let (before, after) = (route.find('{'), route.find('}'));
        let path = match (before, after) {
            (Some(before), Some(after)) => format!("{}{part}{}", &route[..before], &route[after + 1..]),
            _ => route.to_owned(),
        };
        let headers = [("content-type", "application/json"), ("x-request-id", "call-7")];
        let response = self.service.send(method, &path, &headers, &body.to_string());
        // A run that is resumed is stored by the service.
        eventually(&format!("{method} {path} leaves a row: {response:?}"), || !self.news().is_empty());
        let news = self.news();
        let found: Vec<[&str; 2]> = news
            .iter()
            .map(|entry| ["action", "outcome"].map(|name| entry[name].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(found, [[action, outcome]], "{method} {path} {news:?} {response:?}");
        assert_eq!((&news[0]["actor"]["via"], &news[0]["peer"]), (&json!("loopback"), &json!("127.0.0.1")));
        assert_eq!(news[0]["request_id"], "call-7");
        self.seen = news[0]["number"].as_i64().expect("a number");
        assert_eq!(response.status < 300, matches!(outcome, "applied" | "unchanged"), "{response:?}");
        response
    }

    /// Starts a run, which leaves a row.
    fn trigger(&mut self, dag: &str, params: &Value, state: &str) -> String {
        let body = json!({ "params": params });
        let run =
            self.call("POST", "/api/v1/dags/{dag}/runs", dag, &body, "trigger", "applied").json()["number"].clone();
        self.service.wait(run.as_i64().expect("a number"), state);
        run.to_string()
    }
}

#[test]
fn each_route_that_changes_something_leaves_one_row_also_if_it_is_refused() {
    let mut trail = Trail::new();
    let runs = "/api/v1/dags/{dag}/runs";
    let mine = json!({"run_id": "mine"});
    trail.call("POST", runs, "greeting", &mine, "trigger", "applied");
    trail.call("POST", runs, "greeting", &mine, "trigger", "refused_state");

    let pause = "/api/v1/dags/{dag}/pause";
    let reason = json!({"reason": "migration", "by": "ada"});
    trail.call("PUT", pause, "daily", &reason, "pause", "applied");
    trail.call("PUT", pause, "daily", &reason, "pause", "refused_state");
    trail.call("DELETE", pause, "daily", &json!({}), "unpause", "applied");
    trail.call("DELETE", pause, "daily", &json!({}), "unpause", "refused_state");
    trail.call("PUT", pause, "reported", &reason, "pause", "applied");
    trail.call("DELETE", pause, "reported", &reason, "unpause", "applied");

    let gated = trail.trigger("gated", &json!({}), "failed");
    let number = gated.parse().expect("a number");
    let good = trail.trigger("greeting", &json!({"name": CANARY}), "success");
    trail.call("POST", "/api/v1/runs/{run}/retry", &gated, &json!({}), "retry", "applied");
    trail.service.wait(number, "failed");
    trail.call("POST", "/api/v1/runs/{run}/retry", &good, &json!({}), "retry", "refused_state");

    let forever = trail.trigger("forever", &json!({}), "running");
    let clear = "/api/v1/runs/{run}/clear";
    trail.call("POST", clear, &gated, &json!({"run": false, "reason": "closed"}), "clear", "applied");
    trail.call("POST", clear, &forever, &json!({}), "clear", "refused_state");

    let mark = "/api/v1/runs/{run}/mark";
    let value = |value: Value| json!({"state": "success", "tasks": ["gate"], "value": value});
    trail.call("POST", mark, &gated, &value(json!(CANARY)), "mark", "refused_state");
    trail.call("POST", mark, &gated, &value(json!(7)), "mark", "applied");

    trail.call("POST", "/api/v1/runs/{run}/resume", &gated, &json!({}), "resume", "applied");
    trail.service.wait(number, "success");
    trail.call("POST", "/api/v1/runs/{run}/resume", &gated, &json!({}), "resume", "refused_state");

    let cancel = "/api/v1/runs/{run}/cancel";
    let secret = json!({"reason": format!("its password={CANARY} is known")});
    trail.call("POST", cancel, &forever, &secret, "cancel", "applied");
    trail.service.wait(forever.parse().expect("a number"), "cancelled");
    trail.call("POST", cancel, &forever, &json!({}), "cancel", "refused_state");

    let waits = trail.trigger("approval", &json!({}), "running");
    let event = json!({"key": "approval", "value": CANARY});
    trail.call("POST", "/api/v1/runs/{run}/release", &waits, &event, "release", "applied");
    trail.call("POST", "/api/v1/runs/{run}/release", &good, &event, "release", "refused_state");

    let emission = |payload: Value| json!({"asset": "reports", "payload": payload, "key": "k"});
    trail.call("POST", "/api/v1/events", "", &emission(json!(CANARY)), "emit", "refused_state");
    trail.call("POST", "/api/v1/events", "", &emission(json!(1)), "emit", "applied");
    trail.call("POST", "/api/v1/events", "", &emission(json!(1)), "emit", "unchanged");

    let backfill = json!({"dag": "daily", "slots": ["2016-01-01/2025-12-31"], "limit": 1, "reason": "again"});
    trail.call("POST", "/api/v1/backfills", "", &backfill, "backfill", "applied");
    trail.call("POST", "/api/v1/backfills", "", &backfill, "backfill", "refused_state");
    for (verb, outcome) in
        [("pause", "applied"), ("pause", "refused_state"), ("resume", "applied"), ("pause", "applied")]
    {
        let route = format!("/api/v1/backfills/{{backfill}}/{verb}");
        trail.call("POST", &route, "1", &reason, &format!("backfills {verb}"), outcome);
    }
    trail.call("POST", "/api/v1/backfills/{backfill}/retry", "1", &json!({}), "backfills retry", "refused_state");
    let limit = json!({"limit": 2});
    trail.call("POST", "/api/v1/backfills/{backfill}/limit", "1", &limit, "backfills limit", "applied");
    let end = json!({"to": "2026-01-05"});
    trail.call("POST", "/api/v1/backfills/{backfill}/extend", "1", &end, "backfills extend", "applied");
    trail.call("POST", "/api/v1/backfills/{backfill}/cancel", "1", &json!({}), "backfills cancel", "applied");

    trail.call("POST", "/api/v1/dags/{dag}/reset-schedule", "daily", &json!({}), "reset-schedule", "refused_state");
    let old = json!({"older_than": "9000d"});
    trail.call("POST", "/api/v1/db/prune", "", &old, "db prune", "unchanged");

    let endless = trail.trigger("forever", &json!({}), "running");
    let of_run = "/api/v1/runs/{run}";
    trail.call("DELETE", of_run, &endless, &json!({}), "db prune", "refused_state");
    trail.call("DELETE", of_run, &good, &json!({}), "db prune", "applied");
    let entry = &trail.service.json("/api/v1/audit?limit=1")["entries"][0];
    let words = format!(" pruned run {good} of `greeting`");
    assert!(entry["sentence"].as_str().is_some_and(|sentence| sentence.ends_with(&words)), "{entry}");

    // A route that is new is not listed above.
    for (method, path) in ELSEWHERE {
        trail.called.insert((method.to_owned(), path.to_owned()));
    }
    let mut known = BTreeSet::new();
    for (path, methods) in trail.service.json("/api/v1/openapi.json")["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys().filter(|method| *method != "get");
        known.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    assert_eq!(trail.called, known);

    let all = trail.service.get("/api/v1/audit?limit=1000").body;
    let page = trail.service.get("/audit").body;
    for (place, text) in [("the API", &all), ("the page", &page)] {
        assert!(!text.contains(CANARY), "{place}: {text}");
    }
    assert!(all.contains("its password=*** is known"), "{all}");
}

/// Routes that leave a row for each run or DAG that they change, and those about who may use the
/// server, which have a test of their own. Those of webhooks are signed: `hooks` tests them.
const ELSEWHERE: [(&str, &str); 12] = [
    ("PUT", "/api/v1/pauses"),
    ("DELETE", "/api/v1/pauses"),
    ("POST", "/api/v1/runs:cancel"),
    ("POST", "/api/v1/runs:clear"),
    ("POST", "/api/v1/runs:mark"),
    ("POST", "/api/v1/hooks/{hook}"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/{token}"),
    ("POST", "/api/v1/users"),
    ("DELETE", "/api/v1/users/{user}"),
    ("PUT", "/api/v1/users/{user}/role"),
    ("PUT", "/api/v1/users/{user}/password"),
];

#[test]
fn each_change_of_users_and_tokens_leaves_one_row_without_secrets() {
    let service = Service::new();
    let created = service.call(&["tokens", "create", "boss", "--role", "admin"]);
    let bearer = format!("Bearer {}", created.stdout.trim());
    let ask = |method: &str, path: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("authorization", &*bearer), ("x-request-id", "call-7")];
        service.send(method, path, &headers, &body.to_string())
    };
    let trail = || {
        let list = service.send("GET", "/api/v1/audit?limit=1000", &[("authorization", &bearer)], "").json();
        list["entries"].as_array().expect("a list").clone()
    };
    // That of the command line.
    assert_eq!(trail()[0]["action"], "tokens create");
    assert_eq!(trail()[0]["actor"]["via"], "cli");
    let password = format!("{CANARY} and good words");
    let user = |role: &str| json!({"name": "lee", "password": password, "role": role, "dags": ["daily", "tag:rude"]});
    let weak = json!({"password": "short"});
    let steps = [
        (
            "POST",
            "/api/v1/users",
            user("operator"),
            "users add",
            "applied",
            "boss added the user `lee` as operator of \
            daily, operator of tag:rude",
        ),
        (
            "POST",
            "/api/v1/users",
            user("viewer"),
            "users add",
            "refused_state",
            "boss could not add the user `lee` as \
            viewer of daily, viewer of tag:rude: the user `lee` exists",
        ),
        (
            "PUT",
            "/api/v1/users/lee/role",
            json!({"role": "viewer"}),
            "users role",
            "applied",
            "boss changed the role of \
            the user `lee` to viewer",
        ),
        (
            "PUT",
            "/api/v1/users/lee/password",
            json!({"password": format!("another {password}")}),
            "users password",
            "applied",
            "boss changed the password of the user `lee`",
        ),
        (
            "PUT",
            "/api/v1/users/lee/password",
            weak,
            "users password",
            "refused_state",
            "boss could not change the \
            password of the user `lee`: the password",
        ),
        (
            "POST",
            "/api/v1/tokens",
            json!({"name": "ci", "role": "viewer", "user": "lee"}),
            "tokens create",
            "applied",
            "boss created the token `ci` of `lee` as viewer",
        ),
        (
            "POST",
            "/api/v1/tokens",
            json!({"name": "ci", "role": "viewer"}),
            "tokens create",
            "refused_state",
            "boss \
            could not create the token `ci` as viewer: the token `ci` exists",
        ),
        ("DELETE", "/api/v1/tokens/ci", json!({}), "tokens revoke", "applied", "boss revoked the token `ci`"),
        ("DELETE", "/api/v1/users/lee", json!({}), "users remove", "applied", "boss removed the user `lee`"),
    ];
    let mut tokens = vec![created.stdout.trim().to_owned()];
    for (number, (method, path, body, action, outcome, sentence)) in steps.into_iter().enumerate() {
        let response = ask(method, path, &body);
        if let Some(token) = response.json()["token"].as_str() {
            tokens.push(token.to_owned());
        }
        let trail = trail();
        assert_eq!(trail.len(), number + 2, "{method} {path}: {response:?} {trail:?}");
        let row = &trail[0];
        assert_eq!((&row["action"], &row["outcome"]), (&json!(action), &json!(outcome)), "{row} {response:?}");
        let found = row["sentence"].as_str().expect("a sentence");
        assert!(found.starts_with(sentence), "{found}");
        assert_eq!((&row["actor"]["via"], &row["request_id"]), (&json!("token"), &json!("call-7")));
    }
    let role = trail().into_iter().find(|row| row["action"] == "users role").expect("a row");
    assert_eq!(role["before"], json!({"roles": "operator of daily, operator of tag:rude"}));
    assert_eq!(role["after"], json!({"name": "lee", "roles": "viewer"}));
    // What does not exist leaves none.
    ask("DELETE", "/api/v1/users/lee", &json!({})).assert_problem(404, "there is no user `lee`");
    ask("DELETE", "/api/v1/tokens/ci", &json!({})).assert_problem(404, "there is no token `ci`");
    assert_eq!(trail().len(), 10);
    let all = json!(trail()).to_string();
    let page = service.send("GET", "/audit", &[("authorization", &bearer)], "").body;
    for text in [&all, &page] {
        assert!(!text.contains(CANARY) && !text.contains("argon2"), "{text}");
        assert!(tokens.iter().all(|token| !text.contains(token.as_str())), "{text}");
    }
    assert!(all.contains("removed the user `lee`"), "{all}");
    assert!(page.contains("removed the user <code>lee</code>"), "{page}");
}

#[test]
fn what_reads_previews_or_names_nothing_leaves_no_row() {
    let service = Service::new();
    service.get("/api/v1/dags");
    service.get("/audit");
    service.post("/api/v1/backfills?dry_run=true", &json!({"dag": "daily", "slots": ["2026-01-01"]}));
    service.post("/api/v1/runs/99/cancel", &json!({})).assert_problem(404, "there is no run");
    service.post("/api/v1/dags/daly/runs", &json!({})).assert_problem(404, "there is no DAG");
    service.post("/api/v1/dags/greeting/runs", &json!({"params": {"times": 9}})).assert_problem(422, "range");
    assert_eq!(service.json("/api/v1/audit"), json!({"entries": []}));
}

#[test]
fn the_trail_has_pages_and_filters() {
    let service = Service::new();
    for _ in 0..2 {
        service.send("PUT", "/api/v1/dags/daily/pause", &[], "");
        service.send("DELETE", "/api/v1/dags/daily/pause", &[], "");
    }
    let run = service.trigger("greeting", &json!({}));
    let numbers = |path: &str| -> Vec<i64> {
        let list = service.json(path);
        list["entries"].as_array().expect("a list").iter().filter_map(|entry| entry["number"].as_i64()).collect()
    };
    assert_eq!(numbers("/api/v1/audit"), [5, 4, 3, 2, 1]);
    assert_eq!(numbers("/api/v1/audit?dag=daily&action=pause"), [3, 1]);
    assert_eq!(numbers(&format!("/api/v1/audit?run={run}")), [5]);
    assert!(numbers("/api/v1/audit?by=nobody").is_empty());
    assert!(numbers("/api/v1/audit?since=2099-01-01").is_empty());
    let first = service.get("/api/v1/audit?limit=2&dag=daily");
    assert_eq!(first.json()["next"], 3);
    let next = first.header("link").split(['<', '>']).nth(1).expect("an address").to_owned();
    // A new row does not move the pages.
    service.send("PUT", "/api/v1/dags/daily/pause", &[], "");
    assert_eq!(numbers(&next), [2, 1]);
    service.get("/api/v1/audit?action=claer").assert_problem(400, "did you mean `clear`");
    service.get("/api/v1/audit?run=99").assert_problem(404, "there is no run `99`");
}

#[test]
fn a_deleted_run_keeps_its_rows() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let run_id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let pruned = service.call(&["db", "prune", "--older-than", "0s"]);
    assert_eq!(pruned.code, Some(0), "{pruned:?}");
    let list = service.json(&format!("/api/v1/audit?run={run_id}"));
    let sentence = list["entries"][0]["sentence"].as_str().expect("a sentence");
    assert!(sentence.ends_with(&format!("triggered run {run} of `greeting`")), "{sentence}");
    let newest = service.json("/api/v1/audit?limit=1")["entries"][0].clone();
    assert_eq!((&newest["action"], &newest["actor"]["via"]), (&json!("db prune"), &json!("cli")));
    let sentence = newest["sentence"].as_str().expect("a sentence");
    assert!(sentence.ends_with("pruned 1 run older than 0s"), "{sentence}");

    // What is known of it is at its address: by its number, and by its id, which is in the trail.
    let (at, who) = (newest["at"].as_str().expect("a time"), newest["actor"]["name"].as_str().expect("a name"));
    let when = format!("was pruned at {}Z by {who}", &at[..19]);
    for name in [&run.to_string(), &run_id] {
        let sentence = format!("run `{name}` {when}");
        service.get(&format!("/api/v1/runs/{name}")).assert_problem(410, &sentence);
        service.get(&format!("/api/v1/runs/{name}/tasks")).assert_problem(410, &sentence);
        let page = service.get(&format!("/runs/{name}"));
        assert!(page.status == 410 && page.body.contains(&when), "{page:?}");
        let status = service.call(&["status", name]);
        assert_eq!((status.code, status.stderr), (Some(2), format!("error: {sentence}\n")));
        let server = service.address.to_string();
        let status = service.call(&["status", name, "--server", &format!("http://{server}")]);
        assert_eq!((status.code, status.stderr), (Some(2), format!("error: {sentence}\n")));
    }
    service.get("/api/v1/runs/2").assert_problem(404, "there is no run `2`");
    service.get("/api/v1/runs/0").assert_problem(404, "there is no run `0`");
}

#[test]
fn a_dag_that_is_gone_with_its_runs_says_so() {
    let pages = Service::of("pages", tempfile::tempdir().expect("temporary directories can be made"), LOOPBACK);
    let run = pages.trigger("mapped", &json!({ "count": 1 }));
    pages.wait(run, "success");
    let pruned = call_at(&pages.home(), "pages", &["db", "prune", "--older-than", "0s", "--dag", "mapped"]);
    assert_eq!(pruned.code, Some(0), "{pruned:?}");
    let (_, directory) = pages.stop();
    let service = Service::over(directory, LOOPBACK);
    let sentence = "the DAG `mapped` is not in this program any more, and its runs were pruned at ";
    service.get("/api/v1/dags/mapped").assert_problem(410, sentence);
    let page = service.get("/dags/mapped");
    assert!(page.status == 410 && page.body.contains("and its runs were pruned at "), "{page:?}");
    service.get("/api/v1/dags/mappe").assert_problem(404, "there is no DAG `mappe`");
    assert_eq!(service.get("/dags/mappe").status, 404);
}

/// The entry about the pruning is older than its end, when the trail is pruned.
#[test]
fn pruning_everything_leaves_the_entry_that_says_so() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let pruned = service.post("/api/v1/db/prune", &json!({"older_than": "0s", "audit": true}));
    let counts = ["pruned", "audit"].map(|name| pruned.json()[name].clone());
    assert_eq!((pruned.status, counts), (200, [json!(1), json!(1)]), "{pruned:?}");
    let left = service.json("/api/v1/audit")["entries"].as_array().expect("a list").clone();
    let actions: Vec<_> = left.iter().map(|entry| entry["action"].as_str().unwrap_or_default()).collect();
    assert_eq!(actions, ["db prune"], "{left:?}");
    let sentence = left[0]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("1 entry of the audit trail"), "{sentence}");
}

const LOOPBACK: &[&str] = &["--bind", "127.0.0.1:0"];

/// Sends a form.
fn form(service: &Service, path: &str, body: &str) -> Response {
    service.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body)
}

#[test]
fn each_form_leaves_one_row_and_pages_show_it() {
    let service = Service::new();
    let news = |count: usize| {
        let list = service.json("/api/v1/audit?limit=1000")["entries"].as_array().expect("a list").clone();
        assert_eq!(list.len(), count, "{list:?}");
        ["action", "outcome"].map(|name| list[0][name].as_str().unwrap_or_default().to_owned())
    };
    let at = |path: &str, body: &str| form(&service, path, body).header("location").to_owned();
    assert_eq!(at("/dags/daily/pause", "reason=the+%3Cb%3Esource%3C%2Fb%3E+is+down"), "/dags/daily");
    assert_eq!(news(1), ["pause", "applied"]);
    assert_eq!(form(&service, "/dags/daily/pause", "").status, 409);
    assert_eq!(news(2), ["pause", "refused_state"]);
    form(&service, "/dags/daily/unpause", "");
    assert_eq!(news(3), ["unpause", "applied"]);
    let run = at("/dags/gated/trigger", "");
    assert_eq!(news(4), ["trigger", "applied"]);
    let number = run.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a run");
    service.wait(number, "failed");
    form(&service, &format!("{run}/retry"), "");
    assert_eq!(news(5), ["retry", "applied"]);
    service.wait(number, "failed");
    let preview = service.get(&format!("{run}/clear")).body;
    let token =
        preview.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    form(&service, &format!("{run}/clear"), &format!("token={token}&reason=closed"));
    assert_eq!(news(6), ["clear", "applied"]);
    assert_eq!(service.json("/api/v1/audit?limit=1")["entries"][0]["token"], token);
    service.wait(number, "failed");
    let forever = at("/dags/forever/trigger", "");
    let endless = forever.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a run");
    service.wait(endless, "running");
    form(&service, &format!("{forever}/cancel"), "");
    assert_eq!(news(8), ["cancel", "applied"]);
    form(&service, &format!("{run}/resume"), "");
    assert_eq!(news(9), ["resume", "refused_state"]);

    let page = service.get("/audit").body;
    let sentence = "paused <code>daily</code>, because the &lt;b&gt;source&lt;/b&gt; is down";
    assert!(page.contains(sentence), "{page}");
    assert!(page.contains("active → paused"), "{page}");
    // Checksums are on demand only.
    assert!(page.contains("<summary>Details</summary>") && page.contains("Checksum of the parameters"), "{page}");
    assert!(!page.contains("params_sha256"), "{page}");
    assert!(service.get("/dags/daily").body.contains(sentence));
    let page = service.get(&run).body;
    assert!(page.contains(&format!("cleared 2 tasks of run {number}, because closed")), "{page}");
    assert!(page.contains(&format!("/audit?run={number}")), "{page}");
    let chosen = service.get("/audit?dag=daily&action=unpause").body;
    assert!(chosen.contains("unpaused <code>daily</code>") && !chosen.contains("<code>gated</code>"), "{chosen}");
    assert!(service.get("/audit?by=nobody").body.contains("No entry matches"));
}
