//! The pages of the lists of the API, which the header `Link` leads through.

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};

/// The address in the header `Link`, if there is a next page.
fn next(page: &Response) -> Option<String> {
    let link = page.header("link");
    if link.is_empty() {
        return None;
    }
    let address = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
    Some(address.unwrap_or_else(|| panic!("{page:?}")).to_owned())
}

/// A page, which has as many entries as it may have unless it is the last one.
fn page(service: &Service, path: &str, most: usize) -> (Vec<Value>, Option<String>) {
    let page = service.get(path);
    assert_eq!(page.status, 200, "{path}: {page:?}");
    let (entries, next) = (page.json().as_array().cloned().expect("a list"), next(&page));
    assert!(entries.len() == most || (entries.len() < most && next.is_none()), "{path}: {page:?}");
    (entries, next)
}

/// All pages of so many entries.
fn pages(service: &Service, path: &str, most: usize) -> Vec<Value> {
    let first = format!("{path}{}limit={most}", if path.contains('?') { '&' } else { '?' });
    let (mut all, mut next) = page(service, &first, most);
    while let Some(address) = next {
        let entries;
        (entries, next) = page(service, &address, most);
        all.extend(entries);
    }
    all
}

/// A service of which each list has several entries.
fn service() -> Service {
    let service = Service::with_schedules();
    for name in ["b", "a", "c/d é"] {
        let event = json!({"asset": "days", "partition": "2026-01-31", "key": name});
        assert_eq!(service.post("/api/v1/events", &event).status, 201);
    }
    for slots in ["2026-01-01/2026-01-02", "2026-01-03", "2026-01-04"] {
        let backfill = json!({"dag": "daily", "slots": [slots]});
        assert_eq!(service.post("/api/v1/backfills", &backfill).status, 201);
    }
    eventually("the backfills are done", || {
        let backfills = service.json("/api/v1/backfills");
        backfills.as_array().into_iter().flatten().all(|backfill| backfill["state"] == "done")
    });
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    service
}

#[test]
fn the_pages_of_a_list_are_the_list() {
    let service = service();
    for (path, least) in [
        ("/api/v1/dags", 6),
        ("/api/v1/assets", 3),
        ("/api/v1/consumers", 1),
        ("/api/v1/approvals", 0),
        ("/api/v1/backfills", 3),
        ("/api/v1/events", 3),
        ("/api/v1/events?asset=days", 3),
        ("/api/v1/runs", 5),
        ("/api/v1/runs?dag=daily&state=success", 4),
        ("/api/v1/runs/5/tasks", 2),
        ("/api/v1/deliveries", 0),
    ] {
        let whole = service.get(path);
        assert_eq!(next(&whole), None, "{path}");
        let whole = whole.json().as_array().cloned().expect("a list");
        assert!(whole.len() >= least, "{path}: {whole:?}");
        for most in [1, 2, whole.len().max(1), 1_000] {
            assert_eq!(pages(&service, path, most), whole, "{path} by {most}");
        }
    }
}

#[test]
fn a_page_begins_after_its_place_whatever_has_come_and_gone() {
    let service = service();
    let (first, rest) = page(&service, "/api/v1/backfills?limit=2", 2);
    let rest = rest.expect("a next page");
    assert_eq!((&first[0]["number"], &first[1]["number"]), (&json!(3), &json!(2)));
    assert_eq!(service.post("/api/v1/backfills", &json!({"dag": "daily", "slots": ["2026-01-05"]})).status, 201);
    let (second, last) = page(&service, &rest, 2);
    assert_eq!((second.len(), &second[0]["number"], last), (1, &json!(1), None));
}

#[test]
fn those_who_see_a_part_of_a_list_get_full_pages_of_it() {
    let service = service();
    for name in ["viewer", "other", "third"] {
        let dags = if name == "viewer" { vec!["gated", "greeting"] } else { vec!["daily"] };
        let token = json!({"name": name, "role": "viewer", "dags": dags});
        assert_eq!(service.post("/api/v1/tokens", &token).status, 201);
    }
    let boss = json!({"name": "boss", "role": "admin"});
    let boss = service.post("/api/v1/tokens", &boss).json();
    let bearer = format!("Bearer {}", boss["token"].as_str().expect("a token"));
    let user = json!({"name": "kim", "password": "several good words", "role": "viewer", "dags": ["gated"]});
    assert_eq!(service.post("/api/v1/users", &user).status, 201);
    let ask = |path: &str, bearer: &str| service.send("GET", path, &[("authorization", bearer)], "");
    let created = ask("/api/v1/tokens?limit=2", &bearer);
    let names = |page: &Response| -> Vec<String> {
        let page = page.json();
        let all = page.as_array().expect("a list").iter();
        all.map(|token| token["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&created), ["boss", "other"]);
    let rest = ask(&next(&created).expect("a next page"), &bearer);
    assert_eq!((names(&rest), next(&rest)), (vec!["third".to_owned(), "viewer".to_owned()], None));
    let made = json!({"name": "seen", "role": "viewer", "dags": ["gated", "greeting", "daily"]}).to_string();
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let seen = service.send("POST", "/api/v1/tokens", &headers, &made).json();
    let seen = format!("Bearer {}", seen["token"].as_str().expect("a token"));
    let (mut path, mut dags) = ("/api/v1/dags?limit=2".to_owned(), Vec::new());
    loop {
        let page = ask(&path, &seen);
        let list = page.json();
        dags.extend(list.as_array().expect("a list").iter().map(|dag| dag["dag_id"].clone()));
        match next(&page) {
            Some(address) => path = address,
            None => break,
        }
        assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    }
    assert_eq!(dags, ["daily", "gated", "greeting"]);
}

#[test]
fn what_is_no_place_of_a_list_is_refused() {
    let service = service();
    for (path, after) in [
        ("/api/v1/dags", "daily"),
        ("/api/v1/dags", "[1]"),
        ("/api/v1/assets", "%5Bfalse%5D"),
        ("/api/v1/consumers", "7"),
        ("/api/v1/approvals", "%7B%7D"),
        ("/api/v1/backfills", "latest"),
        ("/api/v1/deliveries", "%5B%5D"),
        ("/api/v1/runs/5/tasks", "nothing"),
        ("/api/v1/runs", "x"),
        ("/api/v1/users", "x"),
    ] {
        let refused = service.get(&format!("{path}?after={after}"));
        refused.assert_problem(400, "`after` is not a place of a page");
    }
    // A place of another list, or one far beyond, is a place.
    assert_eq!(service.json("/api/v1/backfills?after=-9"), json!([]));
    assert_eq!(service.json("/api/v1/dags?after=%5Btrue%2C%22z%22%5D"), json!([]));
    for limit in ["0", "1001", "x"] {
        service.get(&format!("/api/v1/dags?limit={limit}")).assert_problem(400, "from 1 to 1000");
    }
}
