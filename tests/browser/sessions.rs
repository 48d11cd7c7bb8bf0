//! Who sees what: sessions that end, and those who may only look.

use serde_json::json;

use crate::home::Service;
use crate::page::Page;
use crate::site::{PASSWORD, log_in, walk};

/// A server with a run, and the admin `kim`, so that everybody has to be known.
fn with_kim() -> Service {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let kim = json!({ "name": "kim", "password": PASSWORD, "role": "admin" });
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    service
}

/// A part of number 24.
#[test]
fn a_log_out_ends_all_tabs_and_the_way_back_shows_nothing() {
    let service = with_kim();
    let page = Page::new(service.address);
    log_in(&page, "kim", "/runs/1");
    let other = page.beside();
    other.open("/runs");
    assert!(other.text("main").contains("greeting"));
    page.open("/dags");
    page.follow("form[action$='/logout'] button");
    assert_eq!(page.address(), "/login");
    other.wait_for("location.pathname === '/login'");
    assert!(other.address().contains("next=%2Fruns"), "{}", other.address());
    assert!(!other.text("main").contains("greeting"));
    page.back();
    page.wait_for("location.pathname === '/login' && location.search === '?next=%2Fdags'");
    page.wait_for("document.readyState === 'complete'");
    assert!(!page.text("main").contains("greeting"));
}

/// A part of number 24.
#[test]
fn a_role_that_is_taken_away_is_gone_from_an_open_page() {
    let service = with_kim();
    let page = Page::new(service.address);
    page.hasten();
    log_in(&page, "kim", "/runs/1");
    assert_eq!(page.count("main a[href$='/clear']"), 1);
    // Without a user, nobody would have to be known.
    let lee = json!({ "name": "lee", "password": PASSWORD, "role": "admin" });
    let added = page.eval(&format!(
        "fetch('/api/v1/users', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, \
         body: JSON.stringify({lee}) }}).then(answer => answer.status)"
    ));
    assert_eq!(added, 201);
    assert_eq!(service.call(&["users", "role", "kim", "viewer"]).code, Some(0));
    page.wait_for("document.querySelector(\"main a[href$='/clear']\") === null");
    assert!(page.text("main").contains("greeting"), "it may be looked at");
    assert_eq!(service.call(&["users", "role", "kim", "viewer", "--dags", "daily"]).code, Some(0));
    page.wait_for("document.querySelector('main .code')?.innerText === '404'");
    assert!(!page.text("main").contains("greeting"), "{}", page.text("main"));
    assert_eq!(service.call(&["users", "remove", "kim"]).code, Some(0));
    page.wait_for("location.pathname === '/login'");
}

/// A part of number 24, of two tabs that present a token with each request. They do not hasten: a
/// network may present few wrong tokens.
#[test]
fn a_token_that_is_revoked_ends_all_tabs_and_the_way_back_shows_nothing() {
    let service = with_kim();
    let created = service.call(&["tokens", "create", "look", "--role", "viewer"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let bearer = format!("Bearer {}", created.stdout.trim());
    let page = Page::new(service.address);
    let other = page.beside();
    for tab in [&page, &other] {
        tab.send_header("authorization", &bearer);
    }
    let has_ended = "document.readyState === 'complete' && document.querySelector('main .code')?.innerText === '401'";
    let shows_nothing = |tab: &Page| {
        tab.wait_for(has_ended);
        let text = tab.eval("document.documentElement.outerHTML");
        assert!(!text.as_str().unwrap_or_default().contains("greeting"), "{text}");
        assert_eq!(tab.eval("'live' in document.body.dataset"), false, "it has no stream");
    };
    page.open("/dags");
    page.open("/runs/1");
    other.open("/runs");
    for tab in [&page, &other] {
        assert!(tab.text("main").contains("greeting"), "{}", tab.text("main"));
        tab.assert_clean();
    }
    assert_eq!(service.call(&["tokens", "revoke", "look"]).code, Some(0));
    shows_nothing(&page);
    shows_nothing(&other);
    page.back();
    page.wait_for("location.pathname === '/dags'");
    shows_nothing(&page);
}

/// Number 25.
#[test]
fn who_may_look_at_one_dag_is_shown_no_action_and_nothing_of_other_dags() {
    let service = with_kim();
    let created = service.call(&["tokens", "create", "look", "--role", "viewer", "--dags", "greeting"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let bearer = format!("Bearer {}", created.stdout.trim());
    let page = Page::new(service.address);
    page.send_header("authorization", &bearer);
    let kinds = walk(&page, &["/", "/runs", "/dags", "/runs/1", "/assets", "/backfills", "/account"], |path| {
        assert_eq!(page.count("main form[method=post], main [data-dialog]"), 0, "{path} has an action");
        let text = page.eval("document.documentElement.outerHTML");
        let text = text.as_str().unwrap_or_default();
        // The other DAGs of the program, a task and an asset of theirs.
        for name in ["gated", "approval\"", "forever", "slow_to_end", "daily", "reporter", "of_day", "warehouse/"] {
            assert!(!text.contains(name), "{path} names `{name}`");
        }
        page.assert_clean();
    });
    for kind in ["/dags/{}", "/runs/{}", "/runs/{}/tasks/{}", "/runs/{}/tasks/{}/{}"] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
    for path in ["/runs/1/clear", "/runs/1/retry", "/runs/1/cancel", "/dags/greeting/trigger"] {
        let forged = page
            .eval(&format!("fetch('{path}', {{ method: 'POST', body: new URLSearchParams() }}).then(r => r.status)"));
        assert_eq!(forged, 403, "{path}");
    }
    let runs = page.eval("fetch('/api/v1/runs').then(r => r.json()).then(runs => runs.length)");
    assert_eq!(runs, 1);
}
