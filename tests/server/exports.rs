//! The list of runs and the audit trail as files: CSV for spreadsheets, JSON Lines for programs.

use serde_json::{Value, json};

use crate::home::{Response, Service};

/// A service with two runs that succeeded and one that failed. The id of one is a formula to a
/// spreadsheet.
fn service() -> Service {
    let service = Service::new();
    for (dag, run_id, state) in [
        ("greeting", "=HYPERLINK(\"x\",1)", "success"),
        ("gated", "plain", "failed"),
        ("greeting", "@SUM(A1)", "success"),
    ] {
        let started = service.post(&format!("/api/v1/dags/{dag}/runs"), &json!({ "run_id": run_id }));
        assert_eq!(started.status, 201, "{started:?}");
        service.wait(started.json()["number"].as_i64().expect("a number"), state);
    }
    service
}

/// A file that a browser saves under this name.
#[track_caller]
fn file(response: &Response, media_type: &str, name: &str) -> String {
    assert_eq!((response.status, response.header("content-type")), (200, media_type), "{response:?}");
    assert_eq!(response.header("content-disposition"), format!("attachment; filename=\"{name}\""));
    response.body.clone()
}

/// The names of the columns, and the rows.
fn table(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().expect("it has names").iter().map(str::to_owned).collect();
    let cells = |row: Result<csv::StringRecord, csv::Error>| {
        row.expect("rows are as long as the names").iter().map(str::to_owned).collect()
    };
    (names, reader.records().map(cells).collect())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn a_list_of_runs_is_the_same_as_a_document_and_as_a_file() {
    let service = service();
    for query in ["", "?dag=greeting", "?state=failed,cancelled", "?order=logical_date&limit=2", "?run_type=scheduled"]
    {
        let runs = service.json(&format!("/api/v1/runs{query}"));
        let runs = runs.as_array().expect("a list");
        let jsonl = service.get(&format!("/api/v1/runs.jsonl{query}"));
        assert_eq!(&lines(&file(&jsonl, "application/jsonl", "runs.jsonl")), runs, "{query}");
        let csv = file(&service.get(&format!("/api/v1/runs.csv{query}")), "text/csv; charset=utf-8", "runs.csv");
        let (names, rows) = table(&csv);
        assert_eq!(rows.len(), runs.len(), "{query}: {csv}");
        for (row, run) in rows.iter().zip(runs) {
            for (name, cell) in names.iter().zip(row) {
                let shown = match &run[name] {
                    Value::Null => String::new(),
                    Value::String(text) if text.starts_with(['=', '@']) => format!("'{text}"),
                    Value::String(text) => text.clone(),
                    Value::Object(counts) => {
                        counts.iter().map(|(state, count)| format!("{state}={count}")).collect::<Vec<_>>().join(" ")
                    }
                    other => other.to_string(),
                };
                assert_eq!(*cell, shown, "{name} of {run}");
            }
        }
    }
    // All of them, where a page has 50.
    assert_eq!(service.get("/api/v1/runs.csv").body.lines().count(), 4);
    assert!(!service.get("/api/v1/runs.csv").body.contains("\n="));
    service.get("/api/v1/runs.csv?state=faild").assert_problem(400, "did you mean `failed`");
    service.get("/api/v1/runs.csv?after=1.1").assert_problem(400, "there is no query parameter `after`");
    let head = service.send("HEAD", "/api/v1/runs.csv", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
}

/// Three rows about runs and one about a pause. The trail was there in pages only.
#[test]
fn the_audit_trail_is_the_same_as_a_list_and_as_a_file() {
    let service = service();
    let paused = service.send("PUT", "/api/v1/dags/daily/pause", &[("content-type", "application/json")], "{}");
    assert_eq!(paused.status, 200, "{paused:?}");
    for query in [
        "",
        "?dag=greeting",
        "?about=daily",
        "?run=plain",
        "?action=trigger&limit=2",
        "?before=3",
        "?by=lee",
        "?since=2020-01-01T00:00:00Z&until=2099-01-01T00:00:00Z",
        "?until=2020-01-01T00:00:00Z",
    ] {
        let list = service.json(&format!("/api/v1/audit{query}"));
        let text = service.get(&format!("/api/v1/audit.jsonl{query}"));
        assert_eq!(json!(lines(&file(&text, "application/jsonl", "audit.jsonl"))), list["entries"], "{query}");
    }
    assert_eq!(service.get("/api/v1/audit.jsonl").body.lines().count(), 4);
    service.get("/api/v1/audit.jsonl?action=claer").assert_problem(400, "did you mean `clear`");
    service.get("/api/v1/audit.jsonl?about=nobody").assert_problem(404, "nobody");
}

#[test]
fn the_page_of_runs_leads_to_the_files_of_what_it_shows() {
    let service = service();
    let page = service.get("/runs?state=failed&dag=gated&type=manual").body;
    for (ending, words) in [("csv", "CSV"), ("jsonl", "JSON Lines")] {
        let address = format!("/api/v1/runs.{ending}?state=failed&dag=gated&run_type=manual");
        let link = format!("<a download href=\"{}\">{words}</a>", address.replace('&', "&amp;"));
        assert!(page.contains(&link), "{link}: {page}");
        let file = service.get(&address);
        assert!(file.status == 200 && file.body.contains("plain") && !file.body.contains("greeting"), "{file:?}");
    }
    // A state that does not exist leaves nothing out there, and would be an error here.
    assert!(service.get("/runs?state=faild").body.contains("href=\"/api/v1/runs.csv\""));
    assert!(!service.get("/runs?state=queued").body.contains("/api/v1/runs.csv"), "there is nothing to save");
}

/// Three runs, two of one DAG. The page did not say how many there are.
#[test]
fn the_page_of_runs_says_how_many_runs_match_on_each_of_its_pages() {
    let service = service();
    for (query, count) in [
        ("", "3 runs. Download all as "),
        ("?dag=greeting", "2 runs. Download all as "),
        ("?state=failed", "1 run. Download all as "),
        // Behind the newest run, and of the whole list.
        ("?after=3", "3 runs. Download all as "),
        ("?dag=greeting&type=manual&after=3", "2 runs. Download all as "),
        ("?state=success&since=2000-01-01&logical_since=2000-01-01&after=3", "2 runs. Download all as "),
    ] {
        let page = service.get(&format!("/runs{query}")).body;
        assert!(page.contains(&format!("<span class=\"soft\">{count}")), "{query}: {page}");
    }
    // Whoever sees some DAGs is told of their runs.
    let created = service.call(&["tokens", "create", "few", "--role", "viewer", "--dags", "greeting"]);
    let bearer = format!("Bearer {}", created.stdout.trim());
    let seen = service.send("GET", "/runs?after=3", &[("authorization", &bearer)], "");
    assert!(seen.body.contains("2 runs. Download all as "), "{seen:?}");
}

/// Three runs, two of one DAG. The API had no such parameter, and no such header.
#[test]
fn the_api_says_how_many_runs_match_if_it_is_asked() {
    let service = service();
    for (query, count) in [
        ("count=true", "3"),
        ("count=true&limit=1", "3"),
        ("count=true&limit=1&dag=greeting", "2"),
        ("count=true&state=queued", "0"),
        ("count=false", ""),
        ("limit=1", ""),
        // A list that is whole is counted; of another one, the runs would be looked at twice.
        ("count=true&param.name=world", "2"),
        ("count=true&param.name=world&limit=1", ""),
    ] {
        let page = service.get(&format!("/api/v1/runs?{query}"));
        assert_eq!((page.status, page.header("total-count")), (200, count), "{query}: {page:?}");
        assert_eq!(page.header("total-count-more"), "", "{query}");
    }
    // The count is that of the whole list on each of its pages.
    let first = service.get("/api/v1/runs?count=true&limit=2");
    let next = first.header("link").split(['<', '>']).nth(1).expect("a next page").to_owned();
    let second = service.get(&next);
    assert_eq!((second.json().as_array().map(Vec::len), second.header("total-count")), (Some(1), "3"), "{second:?}");
    // Whoever sees some DAGs is told of their runs.
    let created = service.call(&["tokens", "create", "few", "--role", "viewer", "--dags", "greeting"]);
    let bearer = format!("Bearer {}", created.stdout.trim());
    let seen = service.send("GET", "/api/v1/runs?count=true&limit=1", &[("authorization", &bearer)], "");
    assert_eq!(seen.header("total-count"), "2", "{seen:?}");
}

/// The three runs were created today. The page had no field for a time.
#[test]
fn the_page_of_runs_shows_those_of_a_time_and_changes_no_others() {
    let service = service();
    let page = |query: &str| service.get(&format!("/runs?{query}")).body;
    let shown = |query: &str| page(query).matches("<tr data-key=").count();
    for (query, count) in [
        ("since=2000-01-01", 3),
        ("before=2000-01-01", 0),
        ("since=2000-01-01&dag=gated", 1),
        ("logical_since=2000-01-01T06:00:00Z&logical_before=2199-01-01", 3),
        ("logical_since=2199-01-01", 0),
    ] {
        assert_eq!(shown(query), count, "{query}");
    }
    // Files, states and the change of all that match keep it.
    let of_century = page("since=2000-01-01");
    for kept in [
        "href=\"/api/v1/runs.csv?since=2000-01-01T",
        "href=\"/runs?state=failed&amp;since=2000-01-01\"",
        "<input type=\"hidden\" name=\"since\" value=\"2000-01-01\">",
        "<details class=\"dates\" open>",
    ] {
        assert!(of_century.contains(kept), "{kept}: {of_century}");
    }
    assert!(service.get("/runs:clear?of=all&since=2000-01-01&which=all").body.contains("of 3 runs"));
    // What is no time matches nothing: a change would be of all runs of the DAG otherwise.
    let mistake = "`soon` is neither a day such as 2026-01-31 nor a time";
    let wrong = page("dag=greeting&since=soon");
    assert!(wrong.contains(mistake) && wrong.contains("value=\"soon\""), "{wrong}");
    assert_eq!(shown("dag=greeting&since=soon"), 0);
    let refused = service.get("/runs:clear?of=all&dag=greeting&since=soon&which=all").body;
    assert!(refused.contains(mistake) && !refused.contains("of 2 runs"), "{refused}");
}

#[test]
fn the_command_line_prints_the_same_files() {
    let service = service();
    let server = format!("http://{}", service.address);
    for format in ["csv", "jsonl"] {
        for (words, query) in [(&[][..], ""), (&["--dag", "greeting", "--limit", "1"], "?dag=greeting&limit=1")] {
            let expected = service.get(&format!("/api/v1/runs.{format}{query}")).body;
            let words = [&["runs", "--format", format], words].concat();
            for words in [words.clone(), [&*words, &["--server", &server]].concat()] {
                let printed = service.call(&words);
                assert_eq!((printed.code, &printed.stdout), (Some(0), &expected), "{words:?} {printed:?}");
            }
        }
    }
}

/// Whoever sees some DAGs gets a file of their runs.
#[test]
fn a_file_has_the_runs_that_whoever_asks_may_see() {
    let service = service();
    let created = service.call(&["tokens", "create", "few", "--role", "viewer", "--dags", "gated"]);
    let bearer = format!("Bearer {}", created.stdout.trim());
    let ask = |path: &str| service.send("GET", path, &[("authorization", &bearer)], "");
    for path in ["/api/v1/runs.csv", "/api/v1/runs.jsonl"] {
        let seen = ask(path);
        assert!(seen.status == 200 && seen.body.contains("plain"), "{path}: {seen:?}");
        for hidden in ["greeting", "HYPERLINK", "SUM"] {
            assert!(!seen.body.contains(hidden), "{path}: {seen:?}");
        }
        let other = ask(&format!("{path}?dag=greeting"));
        assert!(!other.body.contains("HYPERLINK"), "{other:?}");
    }
}
