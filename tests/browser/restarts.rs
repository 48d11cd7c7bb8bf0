//! The server ends and another one takes its place; connections end early.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::nginx::Nginx;
use crate::page::Page;
use crate::proxy::Proxy;

/// Number 23.
#[test]
fn a_page_comes_back_by_itself_when_the_server_does() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let address = service.address;
    let page = Page::new(address);
    page.hasten();
    page.open(&format!("/runs/{run}"));
    page.eval("window.isFirst = true");
    page.fill("main [name=q]", "gat");
    let list = page.beside();
    list.hasten();
    list.open("/runs");
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    page.wait_for("document.querySelector('#live').textContent.startsWith('◌ reconnecting since')");
    let service = Service::over(directory, &["--bind", &address.to_string()]);
    page.wait_for("document.querySelector('#live').dataset.state === 'on'");
    service.open_gate();
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).status, 202);
    page.wait_for("document.title.startsWith('✓')");
    list.wait_for("document.querySelector('main tbody .mark').getAttribute('aria-label') === 'success'");
    assert_eq!(page.eval("document.querySelector('main [name=q]').value"), "gat");
    assert_eq!(page.eval("document.activeElement.name"), "q");
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    // The browser says on its console that it could not connect, and nothing else.
    let others = |problem: &String| !problem.contains("ERR_") && !problem.contains("EventSource");
    assert_eq!(page.problems().into_iter().filter(others).collect::<Vec<_>>(), Vec::<String>::new());
}

/// A part of number 29: below a base path, behind a proxy that ends streams.
#[test]
fn a_page_below_a_base_path_is_live_through_a_proxy_that_ends_streams() {
    let service = Service::with(&["--bind", "127.0.0.1:0", "--base-path", "/team/dags"]);
    let proxy = Proxy::cutting(3, 1_000..1_500, service.address);
    let page = Page::new(proxy.address);
    page.hasten();
    page.open("/team/dags/runs");
    for count in 1..=20 {
        assert_eq!(service.post("/team/dags/api/v1/dags/greeting/runs", &json!({})).status, 201);
        page.wait_for(&format!("document.querySelectorAll('main tbody tr').length === {count}"));
    }
    assert_eq!(proxy.left(), 0, "streams were cut");
    page.follow("main tbody .name");
    page.wait_for("document.title.startsWith('✓')");
    assert!(page.address().starts_with("/team/dags/runs/"), "{}", page.address());
}

/// A part of number 29.
#[test]
fn a_page_behind_a_proxy_that_holds_streams_back_asks_for_itself() {
    let service = Service::new();
    let proxy = Proxy::holding(service.address);
    let page = Page::new(proxy.address);
    page.hasten();
    page.open("/runs");
    // The clock of the page stands still, so a run that takes long is not a silence of the stream.
    page.eval("(() => { window.isFirst = true; window.clock = Date.now(); Date.now = () => window.clock; })()");
    eventually("it has a stream", || !proxy.held().is_empty());
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let told = format!(r#""topic":"run","run":{run},"#);
    eventually("the stream has told of it", || proxy.held().contains(&told));
    assert_eq!(page.count("main tbody tr"), 0, "the page was not told");
    // No word of the stream for half a minute.
    page.eval("window.clock += 30000");
    page.wait_for("document.querySelectorAll('main tbody tr').length === 1");
    page.wait_for("document.querySelector('#live').textContent === '◌ every 5 s'");
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}

/// A part of number 29: nginx as it is without `proxy_buffering off`, which compresses all that it
/// passes on and ends what is silent for 30 seconds.
#[test]
fn a_page_below_a_base_path_is_live_through_nginx_that_compresses_streams() {
    let service = Service::with(&["--bind", "127.0.0.1:0", "--base-path", "/team/dags"]);
    let nginx = Nginx::start(|address| {
        format!(
            "server {{\nlisten {address};\ngzip on;\ngzip_types *;\ngzip_min_length 1;\n\
             location /team/dags/ {{\nproxy_pass http://{};\nproxy_http_version 1.1;\n\
             proxy_set_header Connection \"\";\nproxy_set_header Host $http_host;\n\
             proxy_buffering on;\nproxy_read_timeout 30s;\n}}\n}}\n",
            service.address
        )
    });
    let page = Page::new(nginx.address);
    page.hasten();
    page.open("/team/dags/runs");
    // The clock of the page stands still, so it never asks for itself: what it learns, the stream
    // has told.
    page.eval("(() => { window.isFirst = true; window.clock = Date.now(); Date.now = () => window.clock; })()");
    page.wait_for("document.querySelector('#live').dataset.state === 'on'");
    for count in 1..=3 {
        assert_eq!(service.post("/team/dags/api/v1/dags/greeting/runs", &json!({})).status, 201);
        page.wait_for(&format!("document.querySelectorAll('main tbody tr').length === {count}"));
    }
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
    // The stream did come compressed.
    let other = page.beside();
    other.open("/team/dags/runs");
    let coding = other.eval(
        "fetch('/team/dags/api/v1/stream?topics=runs').then(answer => { \
         const coding = answer.headers.get('content-encoding'); answer.body.cancel(); return coding; })",
    );
    assert_eq!(coding, "gzip");
}
