//! Programs that nobody here wrote, and that use the API: schemathesis by its document, a client
//! that is generated from it, curl by the lines of the documentation.

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

/// Starts a run, waits for it and reads what it has done, with the types of the client. A token
/// that was used is refused.
const USE: &str = r#"
import sys
from client import Client
from client.api.default import get_runs, get_runs_run, post_dags_dag_runs, post_runs_run_clear
from client.api.default import get_runs_run_tasks_task_attempts_attempt_log as get_log
from client.models import ClearPreview, Cleared, PostDagsDagRunsBody, PostDagsDagRunsBodyParams
from client.models import PostRunsRunClearBody, Problem, RunState, RunStatus, RunSummaryDocument, TaskState

def ended(client, run, attempts):
    while True:
        status = get_runs_run.sync(run, client=client, wait="30s")
        assert isinstance(status, RunStatus), status
        if status.state == RunState.SUCCESS and len(status.tasks[0].attempts) == attempts:
            return status

with Client(base_url=sys.argv[1]) as client:
    params = PostDagsDagRunsBodyParams.from_dict({"name": "ada", "times": 3})
    started = post_dags_dag_runs.sync("greeting", client=client, body=PostDagsDagRunsBody(params=params))
    assert isinstance(started, RunSummaryDocument), started
    run = str(started.number)
    status = ended(client, run, 1)
    assert status.run_id == started.run_id and status.ended >= status.created, status
    task = status.tasks[0]
    assert (task.id, task.attempts[0].state) == ("greet", TaskState.SUCCESS), task
    assert [run.run_id for run in get_runs.sync(client=client, dag="greeting")] == [started.run_id]
    log = get_log.sync(run, task.id, 1, client=client)
    assert "greeting <b>ada</b>" in log, log

    body = PostRunsRunClearBody(tasks=[task.id], reason="again")
    preview = post_runs_run_clear.sync(run, client=client, body=body, dry_run=True)
    assert isinstance(preview, ClearPreview) and preview.tasks == [task.id], preview
    token = f'"{preview.token}"'
    done = post_runs_run_clear.sync(run, client=client, body=body, if_match=token)
    assert isinstance(done, Cleared) and done.tasks == preview.tasks, done
    assert ended(client, run, 2).edits[0].reason == "again"
    late = post_runs_run_clear.sync_detailed(run, client=client, body=body, if_match=token)
    assert late.status_code == 412 and isinstance(late.parsed, Problem), late
    print(late.parsed.detail)
"#;

#[test]
fn a_generated_client_starts_a_run_and_reads_it() {
    let service = Service::new();
    let origin = format!("http://{}", service.address);
    let folder = tempfile::tempdir().expect("temporary directories can be made");
    // Formatting what nobody reads takes a program of its own.
    let config = folder.path().join("config.yml");
    std::fs::write(&config, "post_hooks: []\n").expect("temporary files can be written");
    let generated = Command::new(Clients::find().program("openapi-python-client"))
        .args(["generate", "--url", &format!("{origin}/api/v1/openapi.json"), "--meta", "none"])
        .arg("--config")
        .arg(&config)
        .arg("--output-path")
        .arg(folder.path().join("client"))
        .output()
        .expect("the generator starts");
    // It says what it leaves out.
    let said = String::from_utf8_lossy(&generated.stdout);
    assert!(generated.status.success() && !said.contains("WARNING"), "{said}");
    let used = Command::new(Clients::find().program("python"))
        .args(["-c", USE, &origin])
        .env("PYTHONPATH", folder.path())
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&used.stdout);
    assert!(used.status.success(), "{said}{}", String::from_utf8_lossy(&used.stderr));
    assert!(said.trim().ends_with("preview it again"), "{said}");
    assert_eq!(service.json("/api/v1/runs/1")["edits"].as_array().map(Vec::len), Some(1));
}

/// The documents with such lines. An alias holds for those after it.
const DOCUMENTS: [&str; 3] = ["access.md", "api.md", "server.md"];

/// The names of the documentation, and those of the fixture.
const NAMES: [(&str, &str); 9] = [
    (r#""tag": "nightly""#, r#""dags": ["daily"]"#),
    // Only what has a schedule can be paused.
    ("delays/pause", "daily/pause"),
    ("delays", "greeting"),
    ("param.month=2013-01", "param.name=Ada"),
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
