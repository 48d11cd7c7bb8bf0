//! Who asks, by their tokens, and a service with something to ask for.

use serde_json::json;
use taskflow_tests::common::eventually;

use super::routes::Case;
use crate::home::{Response, Service};

/// Who asks: a role, and for which DAGs.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) role: &'static str,
    pub(super) dags: &'static str,
    /// The name of the token.
    pub(super) name: String,
    pub(super) token: String,
}

/// The DAGs of the objects, others, and all.
pub(super) const IN: &str = "daily,reported";
pub(super) const OUT: &str = "greeting";

/// Whether a role has a right.
pub(super) fn includes(role: &str, right: &str) -> bool {
    match role {
        "viewer" => ["view", "view_logs"].contains(&right),
        "operator" => ["view", "view_logs", "view_values", "operate", "emit"].contains(&right),
        _ => role == "admin",
    }
}

impl Service {
    pub(super) fn token(&self, role: &'static str, dags: &'static str) -> Asker {
        let name = format!("{role}-{}", dags.replace(',', "-"));
        let mut words = vec!["tokens", "create", &name, "--role", role];
        if !dags.is_empty() {
            words.extend(["--dags", dags]);
        }
        let created = self.call(&words);
        assert_eq!(created.code, Some(0), "{created:?}");
        Asker { role, dags, name, token: created.stdout.trim().to_owned() }
    }

    pub(super) fn ask(&self, case: &Case, asker: Option<&Asker>) -> Response {
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

/// A service with objects of `daily` and an event of `reports`, and a user, so that others have to
/// be known.
pub(super) fn service() -> Service {
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

pub(super) fn askers(service: &Service) -> Vec<Asker> {
    let roles = ["viewer", "operator", "admin"];
    roles.iter().flat_map(|&role| [IN, OUT, ""].map(|dags| service.token(role, dags))).collect()
}
