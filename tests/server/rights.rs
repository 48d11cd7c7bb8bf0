//! Who may do what: every route of the API and of the pages, asked by every kind of principal.
//!
//! The routes come from the program: the `OpenAPI` document and the source of the table of pages. A
//! route that is not in the tables below fails.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use taskflow_tests::binaries::call_at;
use taskflow_tests::common::eventually;

use crate::guard::assert_has_security_headers;
use crate::home::{Response, Service, sql};
use crate::schema::mistakes;

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    /// Nothing.
    Public,
    /// Somebody who is known.
    Known,
    /// A list, in which only what one may see is.
    List,
    /// A right to the DAG of the object.
    Dag(&'static str),
    /// A right to all DAGs.
    All(&'static str),
    /// A session: no token has it.
    Session,
    /// A signature: nobody has the right by who they are.
    Signature,
}

use Need::{All, Dag, Known, List, Public, Session, Signature};

/// A request for an object of the DAG `daily`, or of the asset `reports`, which starts runs of
/// `reported`.
struct Case {
    method: &'static str,
    /// As the table of routes has it.
    route: &'static str,
    need: Need,
    path: &'static str,
    body: &'static str,
}

const fn case(method: &'static str, route: &'static str, need: Need, path: &'static str, body: &'static str) -> Case {
    Case { method, route, need, path, body }
}

const fn get(route: &'static str, need: Need, path: &'static str) -> Case {
    case("GET", route, need, path, "")
}

const VIEW: Need = Dag("view");
const LOGS: Need = Dag("view_logs");
const VALUES: Need = Dag("view_values");
const OPERATE: Need = Dag("operate");
const ADMIN: Need = All("admin");

const API: &[Case] = &[
    get("/api/v1/runs.csv", List, "/api/v1/runs.csv"),
    get("/api/v1/runs.jsonl", List, "/api/v1/runs.jsonl"),
    get("/health/live", Public, "/health/live"),
    get("/health/ready", Public, "/health/ready"),
    get("/metrics", All("view"), "/metrics"),
    get("/api/v1/version", Known, "/api/v1/version"),
    get("/api/v1/openapi.json", Known, "/api/v1/openapi.json"),
    get("/api/v1/me", List, "/api/v1/me"),
    get("/api/v1/doctor", ADMIN, "/api/v1/doctor"),
    get("/api/v1/dags", List, "/api/v1/dags"),
    get("/api/v1/dags/{dag}", VIEW, "/api/v1/dags/daily"),
    get("/api/v1/dags/{dag}/graph", VIEW, "/api/v1/dags/daily/graph"),
    get("/api/v1/dags/{dag}/next", VIEW, "/api/v1/dags/daily/next"),
    get("/api/v1/dags/{dag}/slots", VIEW, "/api/v1/dags/daily/slots"),
    get("/api/v1/dags/{dag}/versions", VIEW, "/api/v1/dags/daily/versions"),
    case("POST", "/api/v1/dags/{dag}/reset-schedule", OPERATE, "/api/v1/dags/daily/reset-schedule", "{}"),
    case("PUT", "/api/v1/pauses", OPERATE, "/api/v1/pauses", r#"{"dags": ["daily"]}"#),
    case("DELETE", "/api/v1/pauses", OPERATE, "/api/v1/pauses", r#"{"dags": ["daily"]}"#),
    case("PUT", "/api/v1/dags/{dag}/pause", OPERATE, "/api/v1/dags/daily/pause", "{}"),
    case("DELETE", "/api/v1/dags/{dag}/pause", OPERATE, "/api/v1/dags/daily/pause", "{}"),
    case("POST", "/api/v1/dags/{dag}/runs", OPERATE, "/api/v1/dags/daily/runs", "{}"),
    get("/api/v1/runs", List, "/api/v1/runs"),
    get("/api/v1/runs/{run}", VIEW, "/api/v1/runs/1"),
    get("/api/v1/runs/{run}/lineage", VIEW, "/api/v1/runs/1/lineage"),
    get("/api/v1/runs/{run}/stream", VIEW, "/api/v1/runs/1/stream"),
    get("/api/v1/stream", List, "/api/v1/stream"),
    get("/api/v1/assets/{asset}/stream", VIEW, "/api/v1/assets/reports/stream"),
    get("/api/v1/audit", All("audit"), "/api/v1/audit"),
    case("POST", "/api/v1/runs:cancel", List, "/api/v1/runs:cancel", r#"{"runs": ["none"]}"#),
    case("POST", "/api/v1/runs:clear", List, "/api/v1/runs:clear", r#"{"runs": ["none"]}"#),
    case(
        "POST",
        "/api/v1/runs:mark",
        List,
        "/api/v1/runs:mark",
        r#"{"runs": ["none"], "as": "failed", "tasks": ["of_day"]}"#,
    ),
    case("POST", "/api/v1/db/prune", ADMIN, "/api/v1/db/prune", r#"{"older_than": "9000d"}"#),
    get("/api/v1/runs/{run}/tasks", VIEW, "/api/v1/runs/1/tasks"),
    get("/api/v1/runs/{run}/tasks/{task}", VIEW, "/api/v1/runs/1/tasks/of_day"),
    // It is no mapped task: those who may see it are told so.
    get("/api/v1/runs/{run}/tasks/{task}/elements", VIEW, "/api/v1/runs/1/tasks/none/elements"),
    get("/api/v1/runs/{run}/tasks/{task}/elements/summary", VIEW, "/api/v1/runs/1/tasks/none/elements/summary"),
    get("/api/v1/runs/{run}/tasks/{task}/explain", VIEW, "/api/v1/runs/1/tasks/of_day/explain"),
    get("/api/v1/runs/{run}/tasks/{task}/attempts/{attempt}/log", LOGS, "/api/v1/runs/1/tasks/of_day/attempts/1/log"),
    get("/api/v1/runs/{run}/log", LOGS, "/api/v1/runs/1/log"),
    get("/api/v1/runs/{run}/explain", VIEW, "/api/v1/runs/1/explain"),
    get("/api/v1/runs/{run}/values", VALUES, "/api/v1/runs/1/values"),
    get("/api/v1/runs/{run}/values/{task}", VALUES, "/api/v1/runs/1/values/of_day"),
    case("POST", "/api/v1/runs/{run}/cancel", OPERATE, "/api/v1/runs/1/cancel", "{}"),
    case("POST", "/api/v1/runs/{run}/resume", OPERATE, "/api/v1/runs/1/resume", "{}"),
    case("POST", "/api/v1/runs/{run}/retry", OPERATE, "/api/v1/runs/1/retry", "{}"),
    case("POST", "/api/v1/runs/{run}/clear", OPERATE, "/api/v1/runs/1/clear", r#"{"run": false, "failed": true}"#),
    case(
        "POST",
        "/api/v1/runs/{run}/mark",
        Dag("mark"),
        "/api/v1/runs/1/mark",
        r#"{"state": "failed", "tasks": ["of_day"]}"#,
    ),
    case("POST", "/api/v1/runs/{run}/release", OPERATE, "/api/v1/runs/1/release", r#"{"key": "k"}"#),
    get("/api/v1/approvals", List, "/api/v1/approvals"),
    get("/api/v1/approvals/{run}/{task}", VIEW, "/api/v1/approvals/1/of_day"),
    get("/api/v1/deadlines", List, "/api/v1/deadlines"),
    get("/api/v1/deliveries", List, "/api/v1/deliveries"),
    get("/api/v1/pools", All("view"), "/api/v1/pools"),
    // There is no such pool.
    get("/api/v1/pools/{pool}", All("view"), "/api/v1/pools/none"),
    get("/api/v1/assets", List, "/api/v1/assets"),
    get("/api/v1/events", List, "/api/v1/events"),
    case("POST", "/api/v1/events", Dag("emit"), "/api/v1/events", r#"{"asset": "reports", "payload": 1, "key": "b"}"#),
    case("POST", "/api/v1/hooks/{hook}", Signature, "/api/v1/hooks/none", "1"),
    get("/api/v1/events/{event}", VIEW, "/api/v1/events/1"),
    get("/api/v1/consumers", List, "/api/v1/consumers"),
    get("/api/v1/backfills", List, "/api/v1/backfills"),
    case("POST", "/api/v1/backfills", OPERATE, "/api/v1/backfills", r#"{"dag": "daily", "slots": ["2026-01-05"]}"#),
    get("/api/v1/backfills/{backfill}", VIEW, "/api/v1/backfills/1"),
    case("POST", "/api/v1/backfills/{backfill}/pause", OPERATE, "/api/v1/backfills/1/pause", "{}"),
    case("POST", "/api/v1/backfills/{backfill}/resume", OPERATE, "/api/v1/backfills/1/resume", "{}"),
    case("POST", "/api/v1/backfills/{backfill}/retry", OPERATE, "/api/v1/backfills/1/retry", "{}"),
    case("POST", "/api/v1/backfills/{backfill}/limit", OPERATE, "/api/v1/backfills/1/limit", r#"{"limit": 2}"#),
    case(
        "POST",
        "/api/v1/backfills/{backfill}/extend",
        OPERATE,
        "/api/v1/backfills/1/extend",
        r#"{"to": "2026-01-02"}"#,
    ),
    case("POST", "/api/v1/backfills/{backfill}/cancel", OPERATE, "/api/v1/backfills/1/cancel", "{}"),
    // Those of others; one's own ones are those of a user, and these tokens have none.
    get("/api/v1/tokens", ADMIN, "/api/v1/tokens"),
    case("POST", "/api/v1/tokens", ADMIN, "/api/v1/tokens", r#"{"name": "new", "role": "viewer"}"#),
    case("DELETE", "/api/v1/tokens/{token}", ADMIN, "/api/v1/tokens/none", "{}"),
    get("/api/v1/users", ADMIN, "/api/v1/users"),
    case(
        "POST",
        "/api/v1/users",
        ADMIN,
        "/api/v1/users",
        r#"{"name": "new", "password": "several good words", "role": "viewer"}"#,
    ),
    case("DELETE", "/api/v1/users/{user}", ADMIN, "/api/v1/users/none", "{}"),
    case("PUT", "/api/v1/users/{user}/role", ADMIN, "/api/v1/users/none/role", r#"{"role": "viewer"}"#),
    case(
        "PUT",
        "/api/v1/users/{user}/password",
        ADMIN,
        "/api/v1/users/none/password",
        r#"{"password": "several good words"}"#,
    ),
];

const PAGES: &[Case] = &[
    get("/", List, "/"),
    get("/dags", List, "/dags"),
    get("/dags/{dag}", VIEW, "/dags/daily"),
    get("/dags/{dag}/graph", VIEW, "/dags/daily/graph"),
    get("/dags/{dag}/graph.svg", VIEW, "/dags/daily/graph.svg"),
    get("/dags/{dag}/versions", VIEW, "/dags/daily/versions"),
    get("/dags/{dag}/grid", VIEW, "/dags/daily/grid"),
    get("/dags/{dag}/grid.svg", VIEW, "/dags/daily/grid.svg"),
    get("/dags/{dag}/calendar", VIEW, "/dags/daily/calendar"),
    get("/dags/{dag}/slots", VIEW, "/dags/daily/slots"),
    get("/dags/{dag}/backfills", VIEW, "/dags/daily/backfills"),
    get("/dags/{dag}/durations", VIEW, "/dags/daily/durations"),
    get("/dags/{dag}/tasks/{task}", VIEW, "/dags/daily/tasks/of_day"),
    get("/runs", List, "/runs"),
    get("/runs/{run}", VIEW, "/runs/1"),
    get("/runs/{run}/graph", VIEW, "/runs/1/graph"),
    get("/runs/{run}/graph.svg", VIEW, "/runs/1/graph.svg"),
    get("/runs/{run}/log", LOGS, "/runs/1/log"),
    get("/runs/{run}/values", VALUES, "/runs/1/values"),
    get("/runs/{run}/events", VIEW, "/runs/1/events"),
    get("/runs/{run}/tasks/{task}", VIEW, "/runs/1/tasks/of_day"),
    get("/runs/{run}/tasks/{task}/{attempt}", LOGS, "/runs/1/tasks/of_day/1"),
    get("/runs/{run}/tasks/{task}/{attempt}/stream", LOGS, "/runs/1/tasks/of_day/1/stream"),
    get("/runs/{run}/tasks/{task}/{attempt}/raw", LOGS, "/runs/1/tasks/of_day/1/raw"),
    get("/assets", List, "/assets"),
    get("/events", List, "/events"),
    get("/events/emit", Dag("emit"), "/events/emit?asset=reports"),
    case("POST", "/events/emit", Dag("emit"), "/events/emit", "asset=reports&payload=1&key=b"),
    get("/backfills", List, "/backfills"),
    get("/backfills/{number}", VIEW, "/backfills/1"),
    get("/approvals", List, "/approvals"),
    get("/approvals/{run}/{task}", VIEW, "/approvals/1/of_day"),
    case("POST", "/approvals/{run}/{task}/answer", OPERATE, "/approvals/1/of_day/answer", "answer=approved"),
    get("/deadlines", List, "/deadlines"),
    get("/pools", All("view"), "/pools"),
    get("/settings", ADMIN, "/settings"),
    get("/audit", All("audit"), "/audit"),
    get("/doctor", ADMIN, "/doctor"),
    get("/account", Known, "/account"),
    get("/users", ADMIN, "/users"),
    get("/login", Public, "/login"),
    case("POST", "/login", Public, "/login", "name=none&password=wrong"),
    // There are users already.
    get("/setup", Public, "/setup"),
    case("POST", "/setup", Public, "/setup", "token=x"),
    case("POST", "/logout", Known, "/logout", ""),
    get("/runs:clear", List, "/runs:clear?of=all&type=backfill"),
    case("POST", "/runs:clear", List, "/runs:clear", "run=1&token=x"),
    get("/runs:cancel", List, "/runs:cancel?of=all&type=backfill"),
    case("POST", "/runs:cancel", List, "/runs:cancel", "run=1"),
    get("/dags:pause", List, "/dags:pause?of=all&q=d"),
    case("POST", "/dags:pause", List, "/dags:pause", "dag=daily"),
    get("/dags:unpause", List, "/dags:unpause?of=all&q=d"),
    case("POST", "/dags:unpause", List, "/dags:unpause", "dag=daily"),
    get("/dags/{dag}/trigger", OPERATE, "/dags/daily/trigger"),
    case("POST", "/dags/{dag}/trigger", OPERATE, "/dags/daily/trigger", ""),
    get("/dags/{dag}/pause", OPERATE, "/dags/daily/pause"),
    case("POST", "/dags/{dag}/pause", OPERATE, "/dags/daily/pause", ""),
    get("/dags/{dag}/unpause", OPERATE, "/dags/daily/unpause"),
    case("POST", "/dags/{dag}/unpause", OPERATE, "/dags/daily/unpause", ""),
    get("/dags/{dag}/backfill", OPERATE, "/dags/daily/backfill"),
    case("POST", "/dags/{dag}/backfill", OPERATE, "/dags/daily/backfill", "from=2026-01-05&to=2026-01-06"),
    get("/dags/{dag}/reset-schedule", OPERATE, "/dags/daily/reset-schedule"),
    case("POST", "/dags/{dag}/reset-schedule", OPERATE, "/dags/daily/reset-schedule", ""),
    get("/backfills/{number}/pause", OPERATE, "/backfills/1/pause"),
    case("POST", "/backfills/{number}/pause", OPERATE, "/backfills/1/pause", ""),
    get("/backfills/{number}/resume", OPERATE, "/backfills/1/resume"),
    case("POST", "/backfills/{number}/resume", OPERATE, "/backfills/1/resume", ""),
    get("/backfills/{number}/limit", OPERATE, "/backfills/1/limit"),
    case("POST", "/backfills/{number}/limit", OPERATE, "/backfills/1/limit", "limit=2"),
    get("/backfills/{number}/extend", OPERATE, "/backfills/1/extend"),
    case("POST", "/backfills/{number}/extend", OPERATE, "/backfills/1/extend", "to=2026-01-02"),
    get("/backfills/{number}/retry", OPERATE, "/backfills/1/retry"),
    case("POST", "/backfills/{number}/retry", OPERATE, "/backfills/1/retry", ""),
    get("/backfills/{number}/cancel", OPERATE, "/backfills/1/cancel"),
    case("POST", "/backfills/{number}/cancel", OPERATE, "/backfills/1/cancel", ""),
    get("/runs/{run}/cancel", OPERATE, "/runs/1/cancel"),
    case("POST", "/runs/{run}/cancel", OPERATE, "/runs/1/cancel", ""),
    get("/runs/{run}/clear", OPERATE, "/runs/1/clear"),
    case("POST", "/runs/{run}/clear", OPERATE, "/runs/1/clear", "token=x"),
    get("/runs/{run}/mark", Dag("mark"), "/runs/1/mark"),
    case("POST", "/runs/{run}/mark", Dag("mark"), "/runs/1/mark", "token=x&tasks=of_day&state=failed&reason=y"),
    get("/runs/{run}/release", OPERATE, "/runs/1/release"),
    case("POST", "/runs/{run}/release", OPERATE, "/runs/1/release", "key=k"),
    case("POST", "/runs/{run}/retry", OPERATE, "/runs/1/retry", ""),
    case("POST", "/runs/{run}/resume", OPERATE, "/runs/1/resume", ""),
    case("POST", "/account/confirm", Session, "/account/confirm", "password=x"),
    // Without a provider, and without the feature, there is nobody to lead to.
    get("/login/oidc", Public, "/login/oidc"),
    get("/login/oidc/callback", Public, "/login/oidc/callback"),
    case("POST", "/account/password", Session, "/account/password", "current=x&password=y"),
    case("POST", "/account/sessions/end", Session, "/account/sessions/end", "id=x"),
    case("POST", "/account/tokens", ADMIN, "/account/tokens", "name=page&role=viewer"),
    case("POST", "/account/tokens/revoke", ADMIN, "/account/tokens/revoke", "name=none"),
    case("POST", "/users/add", ADMIN, "/users/add", "name=page&role=viewer&password=several+good+words"),
    case("POST", "/users/role", ADMIN, "/users/role", "name=none&role=viewer"),
    case("POST", "/users/password", ADMIN, "/users/password", "name=none&password=several+good+words"),
    case("POST", "/users/remove", ADMIN, "/users/remove", "name=none"),
];

/// Whether a role has a right.
fn includes(role: &str, right: &str) -> bool {
    match role {
        "viewer" => ["view", "view_logs"].contains(&right),
        "operator" => ["view", "view_logs", "view_values", "operate", "emit"].contains(&right),
        _ => role == "admin",
    }
}

/// Who asks: a role, and for which DAGs.
#[derive(Clone, Debug)]
struct Asker {
    role: &'static str,
    dags: &'static str,
    /// The name of the token.
    name: String,
    token: String,
}

/// The DAGs of the objects, others, and all.
const IN: &str = "daily,reported";
const OUT: &str = "greeting";

impl Service {
    fn token(&self, role: &'static str, dags: &'static str) -> Asker {
        let name = format!("{role}-{}", dags.replace(',', "-"));
        let mut words = vec!["tokens", "create", &name, "--role", role];
        if !dags.is_empty() {
            words.extend(["--dags", dags]);
        }
        let created = self.call(&words);
        assert_eq!(created.code, Some(0), "{created:?}");
        Asker { role, dags, name, token: created.stdout.trim().to_owned() }
    }

    fn ask(&self, case: &Case, asker: Option<&Asker>) -> Response {
        let media_type = if case.route.starts_with("/api") { "application/json" } else { FORM };
        let bearer = asker.map(|asker| format!("Bearer {}", asker.token)).unwrap_or_default();
        let mut headers = vec![("content-type", media_type)];
        if asker.is_some() {
            headers.push(("authorization", &bearer));
        }
        self.send(case.method, case.path, &headers, case.body)
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// What must come of a request.
#[derive(Debug, PartialEq)]
enum Expected {
    /// Anything but a refusal. `true`: a list without the DAG.
    Allowed(bool),
    Unknown,
    Forbidden,
    NotFound,
}

fn expected(need: Need, asker: Option<&Asker>) -> Expected {
    if need == Signature {
        return Expected::Unknown;
    }
    let Some(Asker { role, dags, .. }) = asker else {
        return if need == Public { Expected::Allowed(true) } else { Expected::Unknown };
    };
    let is_out = *dags == OUT;
    match need {
        Public | Known => Expected::Allowed(false),
        List => Expected::Allowed(is_out),
        Dag(_) if is_out => Expected::NotFound,
        Dag(right) if includes(role, right) => Expected::Allowed(false),
        All(right) if dags.is_empty() && includes(role, right) => Expected::Allowed(false),
        Dag(_) | All(_) | Session | Signature => Expected::Forbidden,
    }
}

#[track_caller]
fn check(case: &Case, asker: Option<&Asker>, response: &Response) {
    let about = format!("{} {} as {asker:?}: {response:?}", case.method, case.path);
    let is_page = !case.route.starts_with("/api") && !case.route.starts_with("/health") && case.route != "/metrics";
    match expected(case.need, asker) {
        Expected::Unknown if is_page && case.method == "GET" => {
            assert_eq!(response.status, 303, "{about}");
            assert!(response.header("location").starts_with("/login"), "{about}");
        }
        Expected::Unknown => assert_eq!(response.status, 401, "{about}"),
        Expected::Forbidden => {
            assert_eq!(response.status, 403, "{about}");
            assert!(is_page || response.json()["next"].is_string(), "{about}");
        }
        Expected::NotFound => assert_eq!(response.status, 404, "{about}"),
        Expected::Allowed(without) => {
            // The task asks nothing.
            let asks_nothing = case.path.contains("/approvals/");
            let has_no_provider = case.route.starts_with("/login/");
            let is_missing = case.path.contains("none") || case.route == "/setup" || asks_nothing || has_no_provider;
            assert!(response.status != 403 && (response.status != 404 || is_missing), "{about}");
            assert!(response.status != 401 || case.route == "/login", "{about}");
            // Who is known is led on from the log-in page.
            let is_shown = response.status == 200 || case.route == "/login";
            assert!(case.method != "GET" || is_missing || is_shown, "{about}");
            for name in ["daily", "reported"].into_iter().filter(|_| without && case.method == "GET") {
                assert!(!response.body.contains(name), "{name}: {about}");
            }
        }
    }
    if !matches!(expected(case.need, asker), Expected::Allowed(_)) {
        for name in ["of_day", "2026-01-0"] {
            assert!(!response.body.contains(name), "{name}: {about}");
        }
    }
    assert!(response.header("vary").contains("Cookie, Authorization"), "{about}");
    let cache = response.header("cache-control");
    assert!(cache.contains("private") || cache.contains("no-store"), "{about}");
    assert_has_security_headers(response);
}

/// A service with objects of `daily` and an event of `reports`, and a user, so that others have to
/// be known.
fn service() -> Service {
    let service = Service::new();
    let backfill = json!({"dag": "daily", "slots": ["2026-01-01"]});
    assert_eq!(service.post("/api/v1/backfills", &backfill).status, 201);
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let event = service.post("/api/v1/events", &json!({"asset": "reports", "payload": 3, "key": "a"}));
    assert_eq!(event.status, 201, "{event:?}");
    let kim = json!({"name": "kim", "password": "several good words", "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    service
}

fn askers(service: &Service) -> Vec<Asker> {
    let roles = ["viewer", "operator", "admin"];
    roles.iter().flat_map(|&role| [IN, OUT, ""].map(|dags| service.token(role, dags))).collect()
}

/// The routes of the pages, as their table has them.
fn page_routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../taskflow-core/src/server/pages/routes.rs");
    let mut routes = BTreeSet::new();
    for call in source.split(".route(\"").skip(1) {
        let (path, rest) = call.split_once('"').expect("a path ends");
        let handlers = rest.split(".route(").next().unwrap_or_default().split(";\n").next().unwrap_or_default();
        for (word, method) in [("get(", "GET"), ("post(", "POST")] {
            if handlers.contains(word) {
                routes.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    routes
}

fn listed(cases: &[Case]) -> BTreeSet<(String, String)> {
    cases.iter().map(|case| (case.method.to_owned(), case.route.to_owned())).collect()
}

#[test]
fn every_route_has_an_expected_right() {
    let service = Service::new();
    let document = service.json("/api/v1/openapi.json");
    let operations = document["paths"].as_object().expect("an object").iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("an object").keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    assert_eq!(operations.collect::<BTreeSet<_>>(), listed(API));
    assert_eq!(page_routes(), listed(PAGES));
}

/// First all that must be refused, which must change nothing, then all that is allowed.
fn matrix(cases: &[Case]) {
    let service = service();
    let askers = askers(&service);
    let admin = askers.iter().find(|asker| asker.role == "admin" && asker.dags.is_empty()).expect("an admin");
    let everyone: Vec<Option<&Asker>> = std::iter::once(None).chain(askers.iter().map(Some)).collect();
    let changeable = ["/api/v1/runs", "/api/v1/runs/1", "/api/v1/backfills", "/api/v1/users", "/api/v1/events"];
    let read = |path| service.ask(&get("/api", Known, path), Some(admin));
    let state = || changeable.map(|path| read(path).body);
    let document = read("/api/v1/openapi.json").json();
    let before = state();
    for is_allowed in [false, true] {
        for case in cases {
            // A cookie is not involved, so nothing has to log out.
            for asker in &everyone {
                if matches!(expected(case.need, *asker), Expected::Allowed(_)) == is_allowed {
                    let response = service.ask(case, *asker);
                    check(case, *asker, &response);
                    if case.route.starts_with("/api") {
                        assert_eq!(mistakes(&document, case.method, case.route, &response), [""; 0], "{response:?}");
                    }
                }
            }
        }
        if !is_allowed {
            assert_eq!(state(), before, "what was refused has changed nothing");
            every_refused_change_is_in_the_trail(&service, cases, &askers, admin);
        }
    }
}

/// Who was refused a change, as far as it is theirs to see or not: reading, and requests of nobody,
/// leave nothing.
fn every_refused_change_is_in_the_trail(service: &Service, cases: &[Case], askers: &[Asker], admin: &Asker) {
    let trail = service.ask(&get("/api", Known, "/api/v1/audit?limit=1000"), Some(admin)).json();
    // Deliveries to webhooks have no principal.
    let is_refused = |row: &&Value| row["outcome"] == "refused_right" && row["actor"]["via"] != "webhook";
    let refused = trail["entries"].as_array().expect("a list").iter().filter(is_refused);
    let found: Vec<[&str; 2]> =
        refused.map(|row| [&row["actor"]["name"], &row["action"]].map(|text| text.as_str().expect("a text"))).collect();
    let mut expected = BTreeSet::new();
    for case in cases.iter().filter(|case| case.method != "GET") {
        for asker in askers {
            if matches!(self::expected(case.need, Some(asker)), Expected::Forbidden | Expected::NotFound) {
                expected.insert([asker.name.clone(), action(case)]);
            }
        }
    }
    let found: BTreeSet<[String; 2]> = found.into_iter().map(|row| row.map(str::to_owned)).collect();
    assert_eq!(found, expected);
}

/// What a case asks for, in the words of the command line.
fn action(case: &Case) -> String {
    let words: Vec<&str> = case.path.trim_start_matches("/api/v1").split(['/', ':']).collect();
    let last = words.last().copied().unwrap_or_default();
    match (case.method, words[1]) {
        ("DELETE", "pauses" | "dags") => "unpause".to_owned(),
        ("PUT", "pauses") => "pause".to_owned(),
        (_, "dags") if last == "runs" => "trigger".to_owned(),
        (_, "events") => "emit".to_owned(),
        (_, "backfills") if last == "backfills" => "backfill".to_owned(),
        (_, "backfills") => format!("backfills {last}"),
        (_, "db") => "db prune".to_owned(),
        ("DELETE", kind @ "users") => format!("{kind} remove"),
        ("DELETE", kind @ "tokens") => format!("{kind} revoke"),
        ("POST", "users") if last == "users" => "users add".to_owned(),
        ("POST", "tokens") => "tokens create".to_owned(),
        (_, "users") => format!("users {last}"),
        (_, "approvals") => "release".to_owned(),
        (_, "account") => match last {
            "confirm" => "log-in",
            "password" => "users password",
            "revoke" => "tokens revoke",
            "end" => "log-out",
            _ => "tokens create",
        }
        .to_owned(),
        _ => last.to_owned(),
    }
}

#[test]
fn whoever_is_refused_again_and_again_does_not_fill_the_trail() {
    let service = service();
    let (viewer, admin) = (service.token("viewer", IN), service.token("admin", ""));
    let ask = |asker: &Asker, case: &Case| service.ask(case, Some(asker));
    let pause = case("PUT", "/api", Known, "/api/v1/dags/daily/pause", "{}");
    for _ in 0..100 {
        ask(&viewer, &pause).assert_problem(403, "does not have the right `operate`");
    }
    // Another way to ask for the same.
    let many = case("PUT", "/api", Known, "/api/v1/pauses", r#"{"dags": ["daily", "reported"]}"#);
    ask(&viewer, &many).assert_problem(403, "does not have the right `operate`");
    let rows = || {
        let trail = ask(&admin, &get("/api", Known, "/api/v1/audit?by=viewer-daily-reported")).json();
        trail["entries"].as_array().expect("a list").clone()
    };
    // A minute may have begun in between.
    let found = rows();
    assert!((1..=2).contains(&found.len()), "{found:?}");
    let first = found.last().expect("an entry");
    let sentence = "viewer-daily-reported may not pause `daily`: `viewer-daily-reported` does not have the right \
                    `operate` for the DAG `daily`";
    assert_eq!(first["sentence"], sentence);
    assert_eq!((&first["dag_id"], &first["actor"]["via"]), (&json!("daily"), &json!("token")));
    // Another action is another entry.
    ask(&viewer, &case("POST", "/api", Known, "/api/v1/runs/1/cancel", "{}"));
    assert_eq!(
        rows()[0]["sentence"].as_str().map(|text| &text[..41]),
        Some("viewer-daily-reported may not cancel run ")
    );
}

#[test]
fn every_route_of_the_api_is_for_those_who_have_its_right() {
    matrix(API);
}

#[test]
fn every_page_is_for_those_who_have_its_right() {
    matrix(PAGES);
}

#[test]
fn the_dag_of_an_object_decides_whatever_the_request_says() {
    let service = service();
    let operator = service.token("operator", OUT);
    let send = |method: &'static str, path: &'static str, body: &'static str| {
        service.ask(&case(method, "/api", Known, path, body), Some(&operator))
    };
    // Ids of the other DAG in the query and in the body.
    assert_eq!(send("GET", "/api/v1/runs?dag=daily", "").json(), json!([]));
    assert_eq!(send("GET", "/api/v1/backfills?dag=daily", "").json(), json!([]));
    assert_eq!(send("GET", "/api/v1/events?asset=reports", "").json(), json!([]));
    send("GET", "/api/v1/consumers?dag=daily", "").assert_problem(404, "there is no DAG `daily`");
    let backfill = r#"{"dag": "daily", "slots": ["2026-01-05"]}"#;
    send("POST", "/api/v1/backfills?dry_run", backfill).assert_problem(404, "there is no DAG `daily`");
    send("POST", "/api/v1/events", r#"{"asset": "reports", "payload": 1}"#).assert_problem(404, "reports");
    // The same answer as for what does not exist, without a hint at what does.
    let unknown = |path: &'static str| {
        let problem = send("GET", path, "").json();
        (problem["detail"].to_string().replace(|c: char| c.is_ascii_digit(), ""), problem["candidates"].clone())
    };
    assert_eq!(unknown("/api/v1/runs/1"), unknown("/api/v1/runs/9"));
    assert_eq!(unknown("/api/v1/backfills/1"), unknown("/api/v1/backfills/9"));
    assert_eq!(unknown("/api/v1/events/1"), unknown("/api/v1/events/9"));
    assert_eq!(unknown("/api/v1/runs/daily").1, Value::Null);
    assert_eq!(unknown("/api/v1/dags/dail").1, Value::Null);
    assert_eq!(send("POST", "/api/v1/dags/greeting/runs", "{}").status, 201);
    assert_eq!(send("GET", "/api/v1/runs", "").json().as_array().map(Vec::len), Some(1));
}

/// Gives a run the id that somebody has chosen for it when every id was allowed: the run is as old
/// as stores without checksums.
fn give_id(home: &Path, run: i64, id: &str) {
    let statements = [
        format!("UPDATE heads SET last = {run} WHERE run = 0"),
        format!("DELETE FROM heads WHERE run = {run}"),
        format!("UPDATE segments SET checksum = NULL, data_checksum = NULL WHERE id >> 32 = {run}"),
        format!(
            "UPDATE runs SET run_id = '{id}', info = json_set(info, '$.run_id', '{id}'), checksum_info = NULL, \
             checksum_params = NULL WHERE number = {run}"
        ),
    ];
    let changed = statements.map(|statement| sql(home, &statement));
    assert_eq!((changed[0], changed[3]), (1, 1));
}

/// Run 1 is of `daily`, and run 2 of `greeting` has the id `1`, then `last`. Each change of run 2
/// was one of run 1, and the pages of run 2 showed run 1.
#[test]
fn a_right_to_a_run_whose_id_names_another_run_is_no_right_to_that_one() {
    let service = service();
    let (operator, admin) = (service.token("operator", OUT), service.token("admin", ""));
    let send = |asker: &Asker, method: &'static str, path: &'static str, body: &'static str| {
        service.ask(&case(method, "/api", Known, path, body), Some(asker))
    };
    let seen = |path: &'static str| send(&operator, "GET", path, "").json();
    assert_eq!(send(&operator, "POST", "/api/v1/dags/greeting/runs", "{}").json()["number"], 2);
    eventually("it has ended", || seen("/api/v1/runs/2")["state"] == "success");
    let daily = send(&admin, "GET", "/api/v1/runs/1", "").json();
    give_id(&service.home(), 2, "1");
    let run = seen("/api/v1/runs/2");
    assert_eq!((&run["number"], &run["dag_id"], &run["run_id"]), (&json!(2), &json!("greeting"), &json!("1")));
    assert_eq!(seen("/api/v1/runs/2/tasks/greet")["state"], "success");
    assert_eq!(seen("/api/v1/runs/2/lineage")["number"], 2);
    assert_eq!(send(&operator, "GET", "/api/v1/runs/1", "").status, 404);
    let several = send(&operator, "POST", "/api/v1/runs:clear?dry_run", r#"{"dag": "greeting"}"#).json();
    assert_eq!((&several["runs"][0]["run"], &several["runs"][0]["tasks"]), (&json!("2"), &json!(["greet"])));
    let cleared = send(&operator, "POST", "/api/v1/runs/2/clear", r#"{"run": false}"#).json();
    assert_eq!((&cleared["number"], &cleared["tasks"]), (&json!(2), &json!(["greet"])), "{cleared}");
    let preview = send(&operator, "POST", "/api/v1/runs/2/cancel?dry_run", "{}").json();
    assert_eq!((&preview["number"], &preview["tasks"]), (&json!(2), &json!(["greet"])), "{preview}");
    let (bearer, token) = (format!("Bearer {}", operator.token), preview["token"].as_str().expect("a token"));
    let token = format!("\"{token}\"");
    let headers = [("content-type", "application/json"), ("authorization", &*bearer), ("if-match", &*token)];
    let cancelled = service.send("POST", "/api/v1/runs/2/cancel", &headers, "{}");
    assert_eq!((cancelled.status, &cancelled.json()["number"]), (200, &json!(2)), "{cancelled:?}");
    assert_eq!(send(&admin, "GET", "/api/v1/runs/1", "").json(), daily);
    // The newest run is another one of `daily`.
    assert_eq!(send(&admin, "POST", "/api/v1/dags/daily/runs", "{}").json()["number"], 3);
    give_id(&service.home(), 2, "last");
    assert_eq!(seen("/api/v1/runs/2")["dag_id"], "greeting");
    assert_eq!(send(&operator, "POST", "/api/v1/runs/2/clear?dry_run", "{}").json()["number"], 2);
}

/// A service whose run 2, of this DAG, was queued with the id `1` and has ended, as has run 1.
fn with_a_run_whose_id_is_1(dag: &str) -> Service {
    let service = Service::new();
    assert_eq!(service.trigger("greeting", &json!({})), 1);
    service.wait(1, "success");
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    let home = directory.path().join("home");
    let queued = call_at(&home, "server", &["trigger", dag]);
    assert_eq!(queued.code, Some(0), "{queued:?}");
    give_id(&home, 2, "1");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    service.wait(2, "success");
    service
}

/// Run 2 has the id `1`, and run 1 has ended. The service claimed run 1, and run 2 stayed queued.
#[test]
fn a_queued_run_whose_id_names_another_run_is_started() {
    let service = with_a_run_whose_id_is_1("greeting");
    assert_eq!(service.json("/api/v1/runs/2")["run_id"], "1");
}

/// Run 2 has the id `1`. It emitted an event and triggered run 3: the pages of both led to run 1.
#[test]
fn a_link_to_a_run_whose_id_names_another_run_leads_to_that_run() {
    let service = with_a_run_whose_id_is_1("reporter");
    assert_eq!(service.trigger("greeting", &json!({})), 3);
    service.wait(3, "success");
    give_id(&service.home(), 3, "child");
    let triggered_by = "UPDATE runs SET info = json_set(info, '$.triggered_by', \
                        json('{\"run_id\": \"1\", \"task_id\": \"count_reports\"}')) WHERE number = 3";
    assert_eq!(sql(&service.home(), triggered_by), 1);
    assert_eq!(service.json("/api/v1/runs/3")["triggered_by"]["run_id"], "1");
    let events = service.get("/events");
    assert!(events.body.contains("<a href=\"/runs/2\">count_reports</a>"), "{events:?}");
    // Nothing else on the page of run 3 leads to a run of this DAG.
    let triggered = service.get("/runs/3");
    assert!(triggered.body.contains("href=\"/runs/2\""), "{triggered:?}");
}

#[test]
fn pages_of_a_list_are_full_for_those_who_see_a_part_of_it() {
    let service = Service::new();
    for dag in ["greeting", "daily", "greeting", "daily", "greeting", "daily"] {
        service.trigger(dag, &json!({}));
    }
    let kim = json!({"name": "kim", "password": "several good words", "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let viewer = service.token("viewer", OUT);
    let bearer = format!("Bearer {}", viewer.token);
    let (mut path, mut numbers) = ("/api/v1/runs?limit=2".to_owned(), Vec::new());
    loop {
        let page = service.send("GET", &path, &[("authorization", &bearer)], "");
        assert_eq!(page.status, 200, "{page:?}");
        let runs = page.json();
        numbers.push(runs.as_array().expect("a list").iter().map(|run| run["number"].clone()).collect::<Vec<_>>());
        match page.header("link").strip_prefix('<').and_then(|link| link.split_once('>')) {
            Some((next, _)) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(json!(numbers), json!([[5, 3], [1]]));
}

#[test]
fn a_viewer_is_shown_no_action_and_no_value() {
    let service = service();
    let (viewer, operator) = (service.token("viewer", IN), service.token("operator", IN));
    let page = |asker: &Asker, path: &'static str| service.ask(&get("/page", Known, path), Some(asker)).body;
    for (path, action) in [("/dags/daily", "Trigger…"), ("/runs/1", "Clear…")] {
        assert!(page(&operator, path).contains(action), "{path}");
        assert!(!page(&viewer, path).contains(action), "{path}");
    }
    // What the task returned: its day.
    let value = |asker: &Asker| page(asker, "/runs/1/tasks/of_day").contains("view_values");
    assert!(value(&viewer) && !value(&operator));
    let event = |asker: &Asker| service.ask(&get("/api", Known, "/api/v1/events/1"), Some(asker)).json();
    assert_eq!((&event(&viewer)["payload"], &event(&operator)["payload"]), (&Value::Null, &json!("2026-01-01")));
    // Who looks is in the corner; only an admin is led to the users.
    assert!(page(&viewer, "/").contains("viewer-daily-reported") && !page(&viewer, "/").contains("href=\"/users\""));
}

#[test]
fn an_asset_names_no_dag_that_may_not_be_seen() {
    let service = Service::new();
    let run = service.trigger("reporter", &json!({}));
    service.wait(run, "success");
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let kim = json!({"name": "kim", "password": "several good words", "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let (all, some) = (service.token("viewer", ""), service.token("viewer", "reported"));
    let ask = |asker: &Asker, path: &'static str| service.ask(&get("/api", Known, path), Some(asker));
    for path in ["/api/v1/assets", "/api/v1/events", "/api/v1/events/1", "/assets", "/events"] {
        let (whole, part) = (ask(&all, path), ask(&some, path));
        assert_eq!((whole.status, part.status), (200, 200), "{path}: {part:?}");
        assert!(whole.body.contains("count_reports"), "{path}: {whole:?}");
        for name in ["reporter", "count_reports", &id] {
            assert!(!part.body.contains(name), "{name}: {path}: {part:?}");
        }
    }
}

#[test]
fn both_the_dag_and_the_run_of_a_trail_have_to_be_seen() {
    let service = service();
    let run = service.call(&["trigger", "greeting"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let admin = service.token("admin", OUT);
    let status = |path: &'static str| service.ask(&get("/page", Known, path), Some(&admin)).status;
    assert_eq!(status("/audit?dag=greeting"), 200);
    // A run of `daily`.
    assert_eq!((status("/audit?run=1"), status("/audit?dag=greeting&run=1")), (404, 404));
    assert_eq!(status("/audit?dag=daily"), 404);
}

#[test]
fn no_handler_gets_the_state_without_who_asks() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../taskflow-core/src/server");
    let mut read = 0;
    for folder in ["api", "pages"] {
        for entry in std::fs::read_dir(server.join(folder)).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            let Ok(source) = std::fs::read_to_string(&path) else { continue };
            // A `Visitor` has the state and the principal.
            assert!(!source.contains("State<") && !source.contains("extract::State"), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 30, "{read}");
}

#[test]
fn addresses_that_are_not_public_are_closed_also_where_there_is_nothing() {
    let service = service();
    for path in [
        "/nothing",
        "/login/x",
        "/setup/x",
        "/loginx",
        "/health/live/x",
        "/health",
        "/static",
        "/dags.css",
        "/runs/1.svg",
        "/LOGIN",
        "//login",
        "/./login",
        "/%6cogin",
        "/api/v1/nothing",
        "/api/v1/dags/",
        "/api/v1/dags.json",
        "/metrics/",
        "/users/add",
    ] {
        let response = service.get(path);
        assert!(matches!(response.status, 303 | 401), "{path}: {response:?}");
        assert!(response.status == 401 || response.header("location").starts_with("/login"), "{path}: {response:?}");
    }
    for path in ["/static/x", "/static/../runs/1", "/static/%2e%2e/runs/1"] {
        assert_eq!(service.get(path).status, 404, "{path}");
    }
    service.send("POST", "/api/v1/nothing", &[], "").assert_problem(401, "has to know who asks");
}
