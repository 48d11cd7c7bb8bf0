//! Every route, what it needs, and a request for it.

use self::Need::{All, AllOf, Dag, Known, List, Public, Session, Signature};

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Need {
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
    /// The same, for an object of a DAG.
    AllOf(&'static str),
    /// A session: no token has it.
    Session,
    /// A signature: nobody has the right by who they are.
    Signature,
}

/// A request for an object of the DAG `daily`, or of the asset `reports`, which starts runs of
/// `reported`.
pub(super) struct Case {
    pub(super) method: &'static str,
    /// As the table of routes has it.
    pub(super) route: &'static str,
    pub(super) need: Need,
    pub(super) path: &'static str,
    pub(super) body: &'static str,
}

pub(super) const fn case(
    method: &'static str,
    route: &'static str,
    need: Need,
    path: &'static str,
    body: &'static str,
) -> Case {
    Case { method, route, need, path, body }
}

pub(super) const fn get(route: &'static str, need: Need, path: &'static str) -> Case {
    case("GET", route, need, path, "")
}

const VIEW: Need = Dag("view");
const LOGS: Need = Dag("view_logs");
const VALUES: Need = Dag("view_values");
const OPERATE: Need = Dag("operate");
const ADMIN: Need = All("admin");

pub(super) const API: &[Case] = &[
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
    get("/api/v1/assets/{asset}", VIEW, "/api/v1/assets/reports"),
    get("/api/v1/assets/{asset}/stream", VIEW, "/api/v1/assets/reports/stream"),
    get("/api/v1/audit", All("audit"), "/api/v1/audit"),
    get("/api/v1/audit.jsonl", All("audit"), "/api/v1/audit.jsonl"),
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
    // At the end: the others need the run.
    case("DELETE", "/api/v1/runs/{run}", AllOf("admin"), "/api/v1/runs/1", ""),
];

pub(super) const PAGES: &[Case] = &[
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
