//! Programs that nobody here wrote, and that use the API: schemathesis by its document, curl by the
//! lines of the documentation.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use taskflow_tests::clients::Clients;

use crate::home::Service;

/// The document does not say which ids can exist, so an id that cannot is valid there and refused
/// by the server.
const NOT_CHECKED: &str = "positive_data_acceptance";

#[test]
fn schemathesis_finds_no_request_that_the_document_does_not_explain() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let origin = format!("http://{}", service.address);
    let folder = tempfile::tempdir().expect("temporary directories can be made");
    let output = Command::new(Clients::find().program("schemathesis"))
        .args(["run", concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json"), "--url", &origin])
        // Streams do not end by themselves.
        .args(["--exclude-path-regex", "/stream$"])
        .args(["--phases", "fuzzing", "--max-examples", "4", "--seed", "1", "--workers", "2"])
        .args(["--exclude-checks", NOT_CHECKED, "--continue-on-failure", "--warnings", "off", "--no-color"])
        // It remembers in the current directory what has failed.
        .current_dir(folder.path())
        .output()
        .expect("schemathesis starts");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let document = service.json("/api/v1/openapi.json");
    let paths = document["paths"].as_object().expect("an object").iter();
    let paths = paths.filter(|(path, _)| !path.ends_with("/stream")).map(|(_, methods)| methods);
    let methods = ["get", "post", "put", "patch", "delete"];
    let operations: usize = paths.map(|path| methods.iter().filter(|method| path.get(method).is_some()).count()).sum();
    assert!(report.contains(&format!("Tested: {operations}")), "{report}");
}

/// The documents with such lines. An alias holds for those after it.
const DOCUMENTS: [&str; 3] = ["access.md", "api.md", "server.md"];

/// The names of the documentation, and those of the fixture.
const NAMES: [(&str, &str); 8] = [
    (r#""tag": "nightly""#, r#""dags": ["daily"]"#),
    // Only what has a schedule can be paused.
    ("delays/pause", "daily/pause"),
    ("delays", "greeting"),
    (r#"{"day": "2013-01-07"}"#, r#"{"name": "Ada"}"#),
    ("runs/12", "runs/1"),
    ("load", "gate"),
    ("report", "after"),
    ("daily_report", "daily"),
];

#[test]
fn the_lines_with_curl_in_the_documentation_are_answered() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let read = |name| std::fs::read_to_string(docs.join(name)).expect("it is there");
    let document = DOCUMENTS.map(read).join("\n").replace("\\\n", " ");
    // `hooks` tests the lines about webhooks, which need a configuration.
    let (before, rest) = document.split_once("\n## Webhooks\n").expect("a section");
    let document = format!("{before}{}", rest.split_once("\n## ").expect("another section").1);
    let commands = document.lines().filter_map(|line| line.trim().strip_prefix("$ "));
    let (aliases, calls): (Vec<&str>, Vec<&str>) = commands
        .filter(|line| ["curl ", "post ", "alias "].iter().any(|word| line.starts_with(word)))
        .partition(|line| line.starts_with("alias "));
    assert!(calls.len() >= 10, "{calls:?}");
    let token = service.call(&["tokens", "create", "ci", "--role", "operator"]);
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    std::fs::write(directory.path().join("token"), token.stdout.trim()).expect("temporary files can be written");
    for call in calls {
        let call = NAMES.iter().fold(call.to_owned(), |call, (name, own)| call.replace(name, own));
        let call = call.replace("localhost:8090", &service.address.to_string());
        let script = format!("{}\n{call} --silent --show-error --output /dev/null --write-out '%{{http_code}}'", {
            aliases.join("\n")
        });
        // Streams do not end by themselves.
        let script = if call.contains(" -N ") { format!("{script} --max-time 3") } else { script };
        let output =
            Command::new("sh").args(["-c", &script]).current_dir(directory.path()).output().expect("a shell starts");
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        // 409 and 412 are about the state of the run, which the lines before have changed.
        assert!(
            (output.status.success() || output.status.code() == Some(28))
                && (status.starts_with('2') || ["409", "412"].contains(&&*status)),
            "{call}: {status} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
