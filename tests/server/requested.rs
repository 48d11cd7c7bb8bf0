//! The runs that somebody has asked for, in the list of the API, on the page and on the command
//! line.

use serde_json::{Value, json};

use crate::home::Service;

/// A service with runs 1 and 3, which the account of the service has asked for, and run 2 of a
/// token.
fn service() -> (Service, String) {
    let service = Service::new();
    let account = service.trigger("greeting", &json!({}));
    let created = service.call(&["tokens", "create", "ci", "--role", "operator"]);
    let bearer = format!("Bearer {}", created.stdout.trim());
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let started = service.send("POST", "/api/v1/dags/greeting/runs", &headers, "{}");
    assert_eq!((started.status, started.json()["number"].clone()), (201, json!(2)), "{started:?}");
    let gated = service.trigger("gated", &json!({}));
    service.wait(account, "success");
    service.wait(2, "success");
    service.wait(gated, "failed");
    let trail = service.json("/api/v1/audit?run=1&action=trigger");
    let name = trail["entries"][0]["actor"]["name"].as_str().expect("the account has a name").to_owned();
    (service, name)
}

fn numbers(runs: &Value) -> Vec<i64> {
    runs.as_array().expect("a list").iter().filter_map(|run| run["number"].as_i64()).collect()
}

/// There was no such filter: the parameter and the flag were refused.
#[test]
fn runs_are_selected_by_who_has_asked_for_them() {
    let (service, account) = service();
    let account = account.replace(' ', "%20");
    for (query, expected) in [
        ("by=ci", &[2_i64][..]),
        ("by=ci&dag=gated", &[]),
        ("by=nobody", &[]),
        ("by=ci&limit=1&order=logical_date", &[2]),
        (&format!("by={account}"), &[3, 1]),
        (&format!("by={account}&state=success"), &[1]),
        ("state=success", &[2, 1]),
    ] {
        assert_eq!(numbers(&service.json(&format!("/api/v1/runs?{query}"))), expected, "{query}");
    }
    let file = service.get("/api/v1/runs.jsonl?by=ci");
    assert_eq!((file.status, file.body.lines().count()), (200, 1), "{file:?}");
    // A page leads to the next one, which begins behind it.
    let first = service.get(&format!("/api/v1/runs?by={account}&limit=1"));
    assert_eq!(numbers(&first.json()), [3]);
    let next = first.header("link").split(['<', '>']).nth(1).expect("a next page").to_owned();
    assert!(next.contains("by="), "{next}");
    let second = service.get(&next);
    assert_eq!((numbers(&second.json()), second.header("link")), (vec![1], ""));
    // In a change of several runs, `by` is who makes it, and selects nothing.
    service.post("/api/v1/runs:cancel", &json!({"by": "ci"})).assert_problem(422, "names them, or has a filter");
}

#[test]
fn the_command_line_lists_what_somebody_has_asked_for_here_and_at_a_service() {
    let (service, account) = service();
    let server = format!("http://{}", service.address);
    for (words, expected) in [
        (&["--by", "ci"][..], &[2_i64][..]),
        (&["--by", &account], &[3, 1]),
        (&["--by", &account, "--limit", "1"], &[3]),
        (&["--by", "nobody"], &[]),
    ] {
        let words = [&["runs", "--output", "json"], words].concat();
        for words in [words.clone(), [&*words, &["--server", &server]].concat()] {
            let printed = service.call(&words);
            assert_eq!((printed.code, numbers(&printed.json())), (Some(0), expected.to_vec()), "{printed:?}");
        }
    }
    let shown = service.call(&["runs", "--by", &account, "--limit", "1"]);
    assert!(shown.stderr.contains("and older runs"), "{shown:?}");
    let all = service.call(&["runs", "--by", &account, "--limit", "2"]);
    assert!(!all.stderr.contains("and older runs"), "{all:?}");
    let file = service.call(&["runs", "--by", "ci", "--format", "csv"]);
    assert_eq!(file.stdout.lines().count(), 2, "{file:?}");
}

#[test]
fn the_page_shows_what_somebody_has_asked_for_and_changes_no_others() {
    let (service, _) = service();
    let page = service.get("/runs?by=ci").body;
    assert_eq!(page.matches("<tr data-key=").count(), 1, "{page}");
    for kept in [
        "<input name=\"by\" value=\"ci\"",
        "<input type=\"hidden\" name=\"by\" value=\"ci\">",
        "href=\"/api/v1/runs.csv?by=ci\"",
        "href=\"/runs?state=failed&amp;by=ci\"",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    // Each change of any run would have it look at many runs again.
    assert!(!page.contains("data-live") && service.get("/runs").body.contains(" data-live=\"runs\""), "{page}");
    // The last page is run 1, which is not of the token. It was a dead end.
    let last = service.get("/runs?by=ci&after=2").body;
    for kept in ["No older run matches.", "<a rel=\"prev\" aria-keyshortcuts=\"[\" href=\"/runs?by=ci\">Newest</a>"] {
        assert!(last.contains(kept), "{kept}: {last}");
    }
    let form = service.get("/runs:clear?of=all&by=ci&which=all").body;
    assert!(form.contains("of 1 run"), "{form}");
    assert!(service.get("/runs?by=nobody").body.contains("No run matches."));
}
