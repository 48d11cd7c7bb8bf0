//! Pages of other origins. What a browser sends with their requests is known to a browser alone;
//! `server/guard.rs` has the rest.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};

use crate::home::Service;
use crate::page::Page;
use crate::site::{PASSWORD, log_in};

/// A server of somebody else, all of whose pages are this text. It ends with the test program.
fn elsewhere(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let head = BufReader::new(&client).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            head.for_each(drop);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
            let _ = write!(client, "{head}content-length: {}\r\n\r\n{page}", page.len());
        }
    });
    address
}

/// The page of somebody else with a form for each way to send one to the server at `host`.
fn page_against(host: &str) -> String {
    let form = |encoding: &str, path: &str, field: &str| {
        format!("<form method=post enctype={encoding} action={host}{path}><input name='{field}' value='\"}}'></form>")
    };
    [
        "<!doctype html><title>elsewhere</title>".to_owned(),
        form("text/plain", "/api/v1/dags/greeting/runs", r#"{"run_id": "mine", "params": {}, "x": ""#),
        form("application/x-www-form-urlencoded", "/dags/greeting/trigger", "p.name"),
        form("multipart/form-data", "/dags/daily/pause", "reason"),
    ]
    .concat()
}

/// Tries whatever a page can try against the server at `host`.
#[track_caller]
fn attack(page: &Page, host: &str) {
    page.open("/");
    let trigger = format!("{host}/api/v1/dags/greeting/runs");
    let with_cookies = "credentials: 'include'";
    let outcome = |call: &str| page.eval(&format!("{call}.then(() => 'read', () => 'refused')"));
    for method in ["POST", "PUT", "DELETE"] {
        let json = "headers: { 'content-type': 'application/json' }";
        let call = format!("fetch('{trigger}', {{ method: '{method}', body: '{{}}', {with_cookies}, {json} }})");
        assert_eq!(outcome(&call), "refused", "{call}");
    }
    assert_eq!(outcome(&format!("fetch('{host}/api/v1/dags', {{ {with_cookies} }})")), "refused");
    // Browsers send these without asking the server first, and keep the answers for themselves.
    for body in ["'{}'", "new URLSearchParams({ 'p.name': 'x' })"] {
        for path in ["/api/v1/dags/greeting/runs", "/dags/greeting/trigger", "/dags/daily/pause"] {
            let sent = format!("{{ method: 'POST', mode: 'no-cors', {with_cookies}, body: {body} }}");
            assert_ne!(outcome(&format!("fetch('{host}{path}', {sent}).then(answer => answer.json())")), "read");
        }
    }
    assert_eq!(page.eval(&format!("navigator.sendBeacon('{trigger}', '{{}}')")), true);
    let image = format!(
        "new Promise(done => {{ const image = new Image(); \
         image.onload = image.onerror = event => done(event.type); image.src = '{host}/dags/greeting/graph.svg'; }})"
    );
    assert_eq!(page.eval(&image), "error", "an image of the server is part of their page");
    for number in 0..page.count("form") {
        page.open("/");
        page.eval(&format!("document.forms[{number}].submit()"));
        page.wait_for(&format!("location.origin === '{host}' && document.readyState === 'complete'"));
        let answer = page.text("body");
        assert!(answer.contains("another origin") || answer.contains("must be JSON"), "{host} {number}: {answer}");
    }
}

/// Checks that nobody has changed anything, by what somebody sees who may read.
#[track_caller]
fn assert_untouched(read: impl Fn(&str) -> Value) {
    assert_eq!(read("/api/v1/runs"), json!([]));
    assert_eq!(read("/api/v1/dags/daily")["pause"], Value::Null);
}

/// Number 34. Without users, whoever reaches the server may do everything: their own browser, too.
#[test]
fn a_page_of_another_origin_reads_nothing_and_changes_nothing() {
    let service = Service::new();
    let port = service.address.port();
    // Another port is another origin of the same site; `localhost` is another site, too.
    for name in ["127.0.0.1", "localhost"] {
        let host = format!("http://{name}:{port}");
        attack(&Page::new(elsewhere(page_against(&host))), &host);
        assert_untouched(|path| service.json(path));
    }
}

/// Number 34. Ports share cookies, so the session goes along with the requests of the other page.
#[test]
fn a_page_of_another_origin_does_nothing_in_the_name_of_who_has_logged_in() {
    let service = Service::new();
    let kim = json!({ "name": "kim", "password": PASSWORD, "role": "admin" });
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let own = Page::new(service.address);
    log_in(&own, "kim", "/runs");
    let host = format!("http://{}", service.address);
    attack(&own.beside_at(elsewhere(page_against(&host))), &host);
    assert_untouched(|path| own.eval(&format!("fetch('{path}').then(answer => answer.json())")));
}

/// Number 34. The name of somebody else leads to this machine (DNS rebinding): for the browser,
/// their page and the server have one origin.
#[test]
fn a_foreign_name_for_this_machine_is_not_answered() {
    let service = Service::new();
    let page = Page::new(elsewhere(page_against("")));
    page.open("/");
    let origin = format!("http://evil.test:{}", service.address.port());
    page.eval(&format!("location.href = '{origin}/'"));
    page.wait_for(&format!("location.origin === '{origin}' && document.readyState === 'complete'"));
    let text = page.text("body");
    assert!(text.contains("only to the loopback names"), "{text}");
    let trigger = "'/api/v1/dags/greeting/runs', { method: 'POST', body: '{}', \
                   headers: { 'content-type': 'application/json' } }";
    for request in ["'/api/v1/runs'", "'/api/v1/stream'", "'/metrics'", trigger] {
        assert_eq!(page.eval(&format!("fetch({request}).then(answer => answer.status)")), 421, "{request}");
    }
    assert_untouched(|path| service.json(path));
}
