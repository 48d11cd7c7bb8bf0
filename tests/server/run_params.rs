//! The runs with a value of a parameter, in the list of the API, on the page and on the command
//! line.

use serde_json::{Value, json};

use crate::home::Service;

/// A service with three runs of a DAG with the parameters `name` and `times`, and run 4 of a DAG
/// without any.
fn service() -> Service {
    let service = Service::new();
    for params in [json!({"name": "ada", "times": 3}), json!({"name": "ada"}), json!({"name": "5,6 & 7"})] {
        let run = service.trigger("greeting", &params);
        service.wait(run, "success");
    }
    let gated = service.trigger("gated", &json!({}));
    service.wait(gated, "failed");
    service
}

fn numbers(runs: &Value) -> Vec<i64> {
    runs.as_array().expect("a list").iter().filter_map(|run| run["number"].as_i64()).collect()
}

/// There was no such filter: `param.name` was refused as a parameter that does not exist.
#[test]
fn runs_are_selected_by_the_values_of_their_parameters() {
    let service = service();
    for (query, expected) in [
        ("param.name=ada", &[2_i64, 1][..]),
        ("param.name=%22ada%22", &[2, 1]),
        ("param.name=ada&param.times=3", &[1]),
        ("param.times=3.0", &[1]),
        // The default of run 2 and 3 is a value as any other.
        ("param.times=2&param.times=3", &[3, 2, 1]),
        ("param.name=5,6%20%26%207", &[3]),
        ("param.name=ada&dag=greeting&state=success&order=logical_date", &[2, 1]),
        ("param.name=ada&state=failed", &[]),
        ("param.name=nobody", &[]),
        ("param.nam=ada", &[]),
        ("param.name=ada&dag=gone", &[]),
    ] {
        assert_eq!(numbers(&service.json(&format!("/api/v1/runs?{query}"))), expected, "{query}");
    }
    let unknown = service.get("/api/v1/runs?param.nam=ada&dag=greeting");
    unknown.assert_problem(422, "the DAG `greeting` has no parameter `nam`; it has `name`, `times`");
    service.get("/api/v1/runs?param.nam=ada&dag=gated").assert_problem(422, "no parameter `nam`; it has none");
    service.get("/api/v1/runs?param.=ada").assert_problem(400, "there is no query parameter `param.`");
    let file = service.get("/api/v1/runs.jsonl?param.name=ada");
    assert_eq!((file.status, file.body.lines().count()), (200, 2), "{file:?}");
    // A page leads to the next one, which begins behind it and selects the same.
    let first = service.get("/api/v1/runs?param.name=ada&limit=1");
    assert_eq!(numbers(&first.json()), [2]);
    let next = first.header("link").split(['<', '>']).nth(1).expect("a next page").to_owned();
    assert!(next.contains("param.name=ada"), "{next}");
    let second = service.get(&next);
    assert_eq!((numbers(&second.json()), second.header("link")), (vec![1], ""));
}

/// A viewer may not read values, an operator may. The list would tell a viewer which value a
/// parameter has.
#[test]
fn only_who_may_read_values_selects_runs_by_them() {
    let service = service();
    let list = |role: &str, query: &str| {
        let created = service.call(&["tokens", "create", &format!("{role}{}", query.len()), "--role", role]);
        let bearer = format!("Bearer {}", created.stdout.trim());
        service.send("GET", &format!("/api/v1/runs?{query}"), &[("authorization", &bearer)], "")
    };
    assert_eq!(numbers(&list("operator", "param.name=ada").json()), [2, 1]);
    assert_eq!(numbers(&list("viewer", "state=success").json()), [3, 2, 1]);
    assert_eq!(numbers(&list("viewer", "param.name=ada").json()), [0_i64; 0]);
    list("viewer", "param.name=ada&dag=greeting").assert_problem(403, "does not have the right `view_values`");
}

/// There was no `--param`.
#[test]
fn the_command_line_lists_runs_with_a_value_here_and_at_a_service() {
    let service = service();
    let server = format!("http://{}", service.address);
    let both = |words: &[&str]| [service.call(words), service.call(&[words, &["--server", &server]].concat())];
    for (words, expected) in [
        (&["--param", "name=ada"][..], &[2_i64, 1][..]),
        (&["--param", "name=ada", "--param", "times=3"], &[1]),
        (&["--param", "times=2", "--param", "times=3", "--limit", "2"], &[3, 2]),
        (&["--param", "name=5,6 & 7", "--dag", "greeting"], &[3]),
        (&["--param", "a=b=c&d"], &[]),
    ] {
        for printed in both(&[&["runs", "--output", "json"], words].concat()) {
            assert_eq!((printed.code, numbers(&printed.json())), (Some(0), expected.to_vec()), "{printed:?}");
        }
    }
    for refused in both(&["runs", "--dag", "greeting", "--param", "nam=ada"]) {
        assert!(refused.code != Some(0) && refused.stderr.contains("it has `name`, `times`"), "{refused:?}");
    }
    let refused = service.call(&["runs", "--param", "name"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("NAME=VALUE"), "{refused:?}");
    let file = service.call(&["runs", "--param", "name=ada", "--format", "csv"]);
    assert_eq!(file.stdout.lines().count(), 3, "{file:?}");
}

/// The page had no such field.
#[test]
fn the_page_shows_runs_with_a_value_and_changes_no_others() {
    let service = service();
    let page = service.get("/runs?param=name%3Dada").body;
    assert_eq!(page.matches("<tr data-key=").count(), 2, "{page}");
    for kept in [
        "<input name=\"param\" value=\"name=ada\"",
        "<input type=\"hidden\" name=\"param\" value=\"name=ada\">",
        "href=\"/api/v1/runs.csv?param.name=ada\"",
        "href=\"/runs?state=failed&amp;param=name%3Dada\"",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    // Each change of any run would have it look at many runs again.
    assert!(!page.contains("data-live"), "{page}");
    let form = service.get("/runs:clear?of=all&param=name%3Dada&which=all").body;
    assert!(form.contains("of 2 runs"), "{form}");
    for (query, mistake) in [
        ("param=name", "`name` is not a parameter with its value, such as month=2013-01."),
        ("param=nam%3Dada&dag=greeting", "The DAG `greeting` has no parameter `nam`; it has `name`, `times`."),
    ] {
        let page = service.get(&format!("/runs?{query}")).body;
        assert!(page.contains(mistake) && page.contains("aria-invalid=\"true\""), "{mistake}: {page}");
        assert_eq!(page.matches("<tr data-key=").count(), 0, "{page}");
    }
}
