//! A server below a base path, and the browser of `serve --open`.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use serde_json::json;
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::common::eventually;

use crate::home::{Service, command};

const BASE: &str = "/team/dags";

fn service() -> Service {
    Service::with(&["--bind", "127.0.0.1:0", "--base-path", BASE])
}

/// The values of attributes that are addresses.
fn links(html: &str) -> Vec<String> {
    let mut links = Vec::new();
    for name in ["href=\"", "src=\"", "action=\"", "formaction=\""] {
        for (place, _) in html.match_indices(name) {
            let rest = &html[place + name.len()..];
            let link = rest.split('"').next().unwrap_or_default();
            links.push(link.replace("&amp;", "&").replace("&#38;", "&"));
        }
    }
    links
}

#[test]
fn every_address_of_every_page_lies_below_the_base_path() {
    let service = service();
    assert!(service.printed.contains(&format!("/{}", &BASE[1..])), "{}", service.printed);
    let trigger = |dag: &str| {
        let answer = service.post(&format!("{BASE}/api/v1/dags/{dag}/runs"), &json!({}));
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    trigger("greeting");
    trigger("gated");
    eventually("they have ended", || {
        let runs = service.json(&format!("{BASE}/api/v1/runs?state=success,failed"));
        runs.as_array().is_some_and(|runs| runs.len() == 2)
    });
    let (mut seen, mut open) = (BTreeSet::new(), VecDeque::from([BASE.to_owned()]));
    while let Some(address) = open.pop_front() {
        let response = service.get(&address);
        // The target of a form.
        if response.header("allow") == "POST" {
            continue;
        }
        assert_eq!(response.status, 200, "{address}: {response:?}");
        if !response.header("content-type").starts_with("text/html") {
            continue;
        }
        for link in links(&response.body) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.starts_with('?') {
                continue;
            }
            let is_below = path == BASE || path.strip_prefix(BASE).is_some_and(|rest| rest.starts_with(['/', '?']));
            assert!(is_below, "{address} has a link to {link}");
            // What changes something takes a form.
            let is_form = ["/retry", "/resume"].iter().any(|end| path.ends_with(end));
            if !is_form && seen.len() < 300 && seen.insert(path.to_owned()) {
                open.push_back(path.to_owned());
            }
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    assert!(seen.iter().any(|path| path.ends_with("/app.css")), "{seen:?}");
}

#[test]
fn what_lies_outside_of_the_base_path_is_answered_with_the_address_that_is_right() {
    let service = service();
    for path in ["/", "/api/v1/dags", "/health/live", "/team", "/team/dagsx", "/team/dagsx/api/v1/dags", "/metrics"] {
        let refused = service.get(path);
        refused.assert_problem(404, "there is nothing at this address");
        assert_eq!(refused.json()["next"], format!("the addresses of this server begin with {BASE}"), "{path}");
    }
    let page = service.send("GET", "/runs", &[("accept", "text/html")], "");
    assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"), "{page:?}");
    assert!(page.body.contains(&format!("href=\"{BASE}/dags\"")), "{page:?}");
    for path in ["", "/", "/dags", "/health/live", "/metrics", "/api/v1/version"] {
        assert_eq!(service.get(&format!("{BASE}{path}")).status, 200, "{path}");
    }
    // Nothing climbs out of it.
    for path in ["/../api/v1/dags", "/%2e%2e/api/v1/dags", "//api/v1/dags"] {
        assert_eq!(service.get(&format!("{BASE}{path}")).status, 404, "{path}");
    }
}

#[test]
fn forms_pages_of_lists_and_the_client_keep_the_base_path() {
    let service = service();
    let origin = format!("http://{}", service.address);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", &*origin),
        ("sec-fetch-site", "same-origin"),
    ];
    let sent = service.send("POST", &format!("{BASE}/dags/greeting/trigger"), &headers, "name=ada&times=1");
    assert_eq!((sent.status, sent.header("location")), (303, "/team/dags/runs/1"), "{sent:?}");
    assert_eq!(service.post(&format!("{BASE}/api/v1/dags/greeting/runs"), &json!({})).status, 201);
    let page = service.get(&format!("{BASE}/api/v1/runs?limit=1"));
    let next = page.header("link");
    assert!(next.starts_with("</team/dags/api/v1/runs?limit=1&after="), "{page:?}");
    let next = next.trim_start_matches('<').split('>').next().expect("an address");
    assert_eq!(service.json(next)[0]["number"], 1);
    let document = service.json(&format!("{BASE}/api/v1/openapi.json"));
    assert_eq!(document["servers"], json!([{"url": BASE}]));
    for address in [format!("{origin}{BASE}"), format!("{origin}{BASE}/"), format!("{origin}{BASE}/api/v1")] {
        let output: ProgramOutput =
            program("server").args(["runs", "--server", &address]).output().expect("a built program starts").into();
        assert!(output.code == Some(0) && output.stdout.contains("greeting"), "{output:?}");
    }
    let output: ProgramOutput =
        program("server").args(["runs", "--server", &origin]).output().expect("a built program starts").into();
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("the addresses of this server begin with /team/dags"), "{output:?}");
}

#[test]
fn a_base_path_that_is_none_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for wrong in ["team", "/a//b", "/..", "/a b", "/a?b"] {
        let output: ProgramOutput =
            command(directory.path()).args(["--base-path", wrong]).output().expect("a built program starts").into();
        assert_eq!(output.code, Some(2), "{wrong}: {output:?}");
        assert!(output.stderr.contains("a base path begins with `/`"), "{wrong}: {output:?}");
    }
}

/// A directory with an `xdg-open` that writes its argument into a file.
fn opener(directory: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = directory.join("bin");
    std::fs::create_dir(&folder).expect("a directory is made");
    for name in ["xdg-open", "open"] {
        let script = folder.join(name);
        let text =
            format!("#!/bin/sh\nprintf '%s' \"$1\" > '{0}/new' && mv '{0}/new' '{0}/opened'\n", directory.display());
        std::fs::write(&script, text).expect("a file is written");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("it can be called");
    }
    folder
}

#[test]
fn the_browser_opens_the_pages_once_they_are_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = opener(directory.path());
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut child = command(directory.path())
        .args(["--bind", "127.0.0.1:0", "--open", "--base-path", "/a/b"])
        .env("PATH", path)
        .spawn()
        .expect("a built program starts");
    let opened = directory.path().join("opened");
    eventually("a browser is opened", || opened.exists());
    let address = std::fs::read_to_string(&opened).expect("an address");
    child.kill().expect("it is running");
    child.wait().expect("a child can be waited for");
    assert!(address.starts_with("http://127.0.0.1:") && address.ends_with("/a/b/"), "{address}");
}

#[test]
fn without_a_browser_the_address_is_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let nothing = directory.path().join("nothing");
    // `env`, which starts the program, is found by its path.
    let program = command(directory.path());
    let arguments: Vec<_> = program.get_args().map(ToOwned::to_owned).collect();
    let mut program = std::process::Command::new("/usr/bin/env");
    program.args(arguments).args(["--bind", "127.0.0.1:0", "--open"]);
    program.env("TASKFLOW_HOME", directory.path().join("home")).env("PATH", nothing);
    program.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = program.spawn().expect("a built program starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("it is piped")));
    let warned = lines.find_map(|line| line.ok().filter(|line| line.contains("no browser was opened")));
    child.kill().expect("it is running");
    child.wait().expect("a child can be waited for");
    let warned = warned.expect("it says so");
    assert!(warned.contains("is not installed; the address is http://127.0.0.1:"), "{warned}");
}
