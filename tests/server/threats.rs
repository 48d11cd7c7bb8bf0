//! Classes of attacks that have broken other schedulers, against every route of the table: a new
//! route is attacked too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::home::{Response, Service};

/// In a file beside the home. No answer has it.
const CANARY: &str = "canary-5d41402abc4b2a76";

/// What is no id of anything, as it stands in an address.
const SEGMENTS: &[&str] = &[
    "..",
    ".",
    "%2e%2e",
    "%2E%2E%2F%2E%2E%2Fcanary",
    "..%2Fcanary",
    "..%2F..%2Fcanary",
    "..%5Ccanary",
    "%2Fetc%2Fpasswd",
    "a%2Fb",
    "%252e%252e%252fcanary",
    "%25%32%65%25%32%65",
    "%00",
    "1%00.log",
    "a%0Ab",
    "a%0D%0Ax-injected:%201",
    "%ff",
    "%c0%ae%c0%ae%c0%afcanary",
    "%E2%80%A5",
    "%EF%BC%8E%EF%BC%8E%EF%BC%8Fcanary",
    "1;cat%20canary",
    "1'%20OR%20'1'='1",
    "-1",
    "99999999999999999999999999",
    "%F0%9F%92%A9",
];

/// A method, a path with names in braces, and the names of the parameters of its query.
struct Operation {
    method: String,
    path: String,
    query: Vec<(String, Value)>,
}

/// Every operation of the `OpenAPI` document, which is made from the table of routes.
fn operations(service: &Service) -> Vec<Operation> {
    let document = service.json("/api/v1/openapi.json");
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("an object") {
        for (method, operation) in operations.as_object().expect("an object") {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let of_query = parameters.filter(|parameter| parameter["in"] == "query");
            let query = of_query
                .filter_map(|parameter| Some((parameter["name"].as_str()?.to_owned(), parameter["schema"].clone())));
            let query = query.collect();
            all.push(Operation { method: method.to_uppercase(), path: path.clone(), query });
        }
    }
    assert!(all.len() > 40, "{}", all.len());
    all
}

/// The path with values that there are.
fn filled(path: &str) -> String {
    let dag = if path.contains("next") || path.contains("slots") { "daily" } else { "greeting" };
    let path = path.replace("{dag}", dag).replace("{run}", "1").replace("{task}", "greet");
    let path = path.replace("{asset}", "reports").replace("{pool}", "default");
    path.replace("{attempt}", "1").replace("{event}", "1").replace("{backfill}", "1").replace("{number}", "1")
}

/// The method and the path of every page and form whose address has a parameter, as their table has
/// them.
fn pages() -> Vec<(&'static str, &'static str)> {
    let table = include_str!("../../taskflow-core/src/server/pages/routes.rs");
    let mut all = Vec::new();
    for route in table.split(".route(\"").skip(1) {
        let (path, handlers) = route.split_once('"').expect("a path is a text");
        let handlers = handlers.split("\n}").next().unwrap_or_default();
        for (method, word) in [("GET", "get("), ("POST", "post(")] {
            if path.contains('{') && handlers.contains(word) {
                all.push((method, path));
            }
        }
    }
    assert!(all.len() > 40 && all.contains(&("POST", "/runs/{run}/retry")), "{all:?}");
    all
}

/// The body of a change, with what its route needs: it is refused because of its address.
fn body_for(path: &str) -> &'static str {
    match path.rsplit('/').next() {
        Some("role") => "{\"role\": \"viewer\"}",
        Some("password") => "{\"password\": \"correct horse battery staple\"}",
        _ => "{}",
    }
}

/// A service with a run, an event, a backfill, and a canary around its home.
fn service() -> Service {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    assert_eq!(service.post("/api/v1/events", &json!({"asset": "reports", "payload": 3})).status, 201);
    let home = service.home();
    let around = home.parent().expect("a home lies in a directory");
    for place in [around, &home, &home.join("logs")] {
        std::fs::create_dir_all(place).expect("directories can be made");
        std::fs::write(place.join("canary"), CANARY).expect("files can be written");
    }
    service
}

/// All files below a directory, with their sizes. Without those of the store, which readers touch.
fn files(directory: &Path) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory is read").flatten() {
            let (path, data) = (entry.path(), entry.metadata().expect("a file has data"));
            match data.is_dir() {
                true => open.push(path),
                false if path.to_string_lossy().contains(".db") => {}
                false => drop(files.insert(path.display().to_string(), data.len())),
            }
        }
    }
    files
}

#[track_caller]
fn assert_harmless(what: &str, response: &Response) {
    assert!(!response.body.contains(CANARY) && !response.body.contains("root:"), "{what}: {response:?}");
    assert!(!response.headers.contains_key("x-injected"), "{what}: {response:?}");
    assert!((400..500).contains(&response.status), "{what}: {response:?}");
}

/// Threat 10, for every parameter of every address: of the API, of the pages and of their forms.
#[test]
fn no_segment_of_an_address_leads_out_of_the_home() {
    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    let service = service();
    let around = service.home().parent().expect("a directory").to_owned();
    let before = files(&around);
    let api = operations(&service).into_iter().map(|operation| (operation.method, operation.path, JSON));
    let pages = pages().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned(), FORM));
    let (mut count, mut names) = (0, BTreeSet::new());
    for (method, path, media_type) in api.chain(pages) {
        for name in path.split('/').filter(|segment| segment.starts_with('{') && segment.ends_with('}')) {
            names.insert(name.to_owned());
            for segment in SEGMENTS {
                let attacked = filled(&path.replace(name, segment));
                let body = match (&*method, media_type) {
                    ("GET", _) => "",
                    (_, FORM) => "reason=none",
                    _ => body_for(&path),
                };
                let response = service.send(&method, &attacked, &[("content-type", media_type)], body);
                assert_harmless(&format!("{method} {attacked}"), &response);
                count += 1;
            }
        }
    }
    let expected = [
        "{asset}",
        "{attempt}",
        "{backfill}",
        "{dag}",
        "{event}",
        "{hook}",
        "{number}",
        "{pool}",
        "{run}",
        "{task}",
        "{token}",
        "{user}",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(count > 2_000, "{count}");
    let long = "a".repeat(5_000);
    service.get(&format!("/api/v1/runs/{long}")).assert_problem(400, "this is not the id of a run");
    assert_eq!(files(&around), before, "nothing was written");
    assert_eq!(service.json("/api/v1/runs").as_array().map(Vec::len), Some(1));
}

#[test]
fn ids_in_bodies_are_those_of_addresses() {
    let service = service();
    for id in ["../x", "a/b", "a\\b", "%2e%2e", "a\0b", "a\nb", "", "..", &"a".repeat(600)] {
        service.post("/api/v1/dags/greeting/runs", &json!({"run_id": id})).assert_problem(400, "not the id of a run");
        let answer = service.post("/api/v1/runs:cancel", &json!({"runs": [id]}));
        assert_eq!(answer.json()["runs"][0]["outcome"], "refused", "{id:?}: {answer:?}");
        let answer = service.send(
            "PUT",
            "/api/v1/pauses",
            &[("content-type", "application/json")],
            &json!({"dags": [id]}).to_string(),
        );
        assert!(matches!(answer.status, 400 | 404), "{id:?}: {answer:?}");
    }
}

#[test]
fn a_change_takes_json_and_nothing_else() {
    let service = service();
    // A body of a webhook is not read without a signature.
    let changes = operations(&service).into_iter();
    for Operation { method, path, .. } in changes.filter(|all| all.method != "GET" && !all.path.contains("{hook}")) {
        let path = filled(&path);
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/merge-patch+json",
            "text/plain; application/json",
            "",
        ] {
            let response = service.send(&method, &path, &[("content-type", media_type)], "{}");
            assert_eq!(response.status, 415, "{method} {path} {media_type}: {response:?}");
        }
        let response = service.send(&method, &path, &[], "{}");
        assert_eq!(response.status, 415, "{method} {path}: {response:?}");
        for body in ["[]", "3", "null", "{} {}", "{\"a\":", "\u{feff}{}", &"[".repeat(100_000)] {
            let response = service.send(&method, &path, &[("content-type", "application/json")], body);
            assert_eq!(response.status, 400, "{method} {path}: {response:?}");
        }
    }
    assert_eq!(service.json("/api/v1/runs").as_array().map(Vec::len), Some(1));
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let service = service();
    for Operation { method, path, .. } in operations(&service).into_iter().filter(|all| all.method != "GET") {
        let path = filled(&path);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: 1073741824\r\n\r\n{{"
        );
        service.raw(head.as_bytes()).assert_problem(413, "at most 1.0 MiB");
    }
}

#[test]
fn a_query_that_is_too_large_or_hostile_is_refused() {
    let service = service();
    let reads = operations(&service).into_iter().filter(|all| all.method == "GET" && !all.path.starts_with("/health"));
    for Operation { path, query, .. } in reads {
        let path = filled(&path);
        let many = "a&".repeat(1_000);
        let response = service.get(&format!("{path}?{many}"));
        assert_eq!(response.status, 400, "{path}: {response:?}");
        let million = format!("{path}?{}", "limit=1&".repeat(1_000_000));
        let response = service.raw(format!("GET {million} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        assert!(matches!(response.status, 414 | 431 | 0), "{path}: {}", response.status);
        for (name, schema) in query {
            for value in ["'%20OR%20'1'='1", "1;DROP%20TABLE%20runs", "%00", "%2527", "..%2F..%2Fcanary", "-1e999"] {
                let response = service.get(&format!("{path}?{name}={value}"));
                // A text may be anything: then nothing matches it.
                let is_text = schema["type"] == "string" || schema["type"] == "array";
                assert!(response.status == 200 && is_text || (400..500).contains(&response.status), "{response:?}");
                assert!(!response.body.contains(CANARY), "{path}?{name}={value}");
            }
        }
    }
    assert_eq!(service.json("/api/v1/runs?dag='%20OR%20'1'='1"), json!([]));
    assert_eq!(service.json("/api/v1/runs").as_array().map(Vec::len), Some(1));
}

/// Threat 19. December 2261 is the last month of the calendar: its page collected days until the
/// memory was full. The largest numbers overflowed.
#[test]
fn the_ends_of_the_calendar_and_of_numbers_are_places_like_others() {
    const MOST: u64 = u64::MAX;
    let service = service();
    for month in ["2261-12", "2261-11", "1678-01", "2262-01", "1677-12", "9999-12", "-009999-01", "0000-01", "x"] {
        for by in ["", "&by=hour", "&from=9999-12-31&to=-009999-01-01"] {
            let page = service.get(&format!("/dags/daily/calendar?month={month}{by}"));
            assert_eq!(page.status, 200, "{month}{by}: {page:?}");
        }
    }
    let last = service.get("/dags/daily/calendar?month=2261-12");
    assert!(last.body.contains("December 2261"), "{last:?}");
    for path in [
        format!("/runs/1?from={MOST}"),
        format!("/runs/1?from={MOST}&order=longest"),
        format!("/dags/greeting/grid?from={MOST}"),
        format!("/runs/1/tasks/greet/1?from={MOST}&to={MOST}"),
        format!("/runs/1/tasks/greet/1?lines=1-{MOST}"),
        format!("/dags/daily/slots?before={MOST}"),
        format!("/audit?before={MOST}"),
        format!("/events?before={}", i64::MIN),
    ] {
        let page = service.get(&path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
    }
}

/// Requests whose end two programs could see in different places. What follows would start a run.
#[test]
fn no_request_hides_behind_another() {
    let service = Service::new();
    let hidden = "POST /api/v1/dags/greeting/runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let size = hidden.len();
    let post = "POST /api/v1/dags/greeting/pause HTTP/1.1\r\nhost: localhost\r\n";
    let get = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n";
    let set = [
        // Two lengths.
        format!("{post}content-length: 0\r\ncontent-length: {size}\r\n\r\n{hidden}"),
        format!("{post}content-length: {size}\r\ncontent-length: 0\r\n\r\n{hidden}"),
        format!("{post}content-length: 0, {size}\r\n\r\n{hidden}"),
        // Lengths that are none.
        format!("{post}content-length: +0\r\n\r\n{hidden}"),
        format!("{post}content-length: -1\r\n\r\n{hidden}"),
        format!("{post}content-length: 0x0\r\n\r\n{hidden}"),
        format!("{post}content-length: 0 0\r\n\r\n{hidden}"),
        format!("{post}content-length: 99999999999999999999\r\n\r\n{hidden}"),
        // Codings that are none.
        format!("{post}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post}transfer-encoding: identity\r\n\r\n{hidden}"),
        // Sizes of chunks that are none.
        format!("{post}transfer-encoding: chunked\r\n\r\n-1\r\n\r\n{hidden}"),
        format!("{post}transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n{hidden}"),
        format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n{hidden}"),
        format!("{post}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n{hidden}"),
        // Spaces and lines in the wrong places.
        format!("{post}content-length : 0\r\n\r\n{hidden}"),
        format!("{post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{post}x: a\r\n content-length: {size}\r\n\r\n{hidden}"),
        format!("{post}x: a\rcontent-length: {size}\r\n\r\n{hidden}"),
        format!("{post}x: a\0b\r\n\r\n{hidden}"),
        format!("{post} content-length: {size}\r\n\r\n{hidden}"),
        // Versions and targets.
        format!("GET /health/live HTTP/1.1 HTTP/1.1\r\nhost: localhost\r\n\r\n{hidden}"),
        format!("GET /health/live HTTP/2.0\r\nhost: localhost\r\n\r\n{hidden}"),
        "GET http://evil.test/ HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "CONNECT evil.test:80 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        format!("{get}upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQ\r\n\r\n"),
    ];
    // Until the server closes the connection, at the latest after its limit for the head of a
    // request.
    let ask = |bytes: &str| {
        let mut stream = service.connect();
        let _ = stream.write_all(bytes.as_bytes());
        let mut answers = Vec::new();
        let _ = stream.read_to_end(&mut answers);
        String::from_utf8_lossy(&answers).into_owned()
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> = set.iter().map(|bytes| scope.spawn(|| ask(bytes))).collect();
        asked.into_iter().map(|asked| asked.join().expect("a client ends")).collect()
    });
    for (bytes, answers) in set.iter().zip(&answers) {
        assert!(!answers.contains("HTTP/1.1 201") && !answers.contains("HTTP/1.1 101"), "{bytes:?}: {answers}");
        // One answer, and the connection ends: nobody reads what follows as a request.
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{bytes:?}: {answers}");
    }
    // With a length and chunks, the chunks count, for everybody: there is one answer.
    let both = format!("{post}content-length: {size}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(ask(&both).matches("HTTP/1.1 ").count(), 1);
    assert_eq!(service.json("/api/v1/runs"), json!([]), "nothing was started");
    assert_eq!(service.get("/health/live").status, 200);
}

/// Threat 19. Each of them has a socket and has sent half of a head.
#[test]
fn a_thousand_clients_that_send_their_heads_slowly_keep_nobody_out() {
    const CLIENTS: usize = 1_000;
    let service = service();
    let half = "GET /api/v1/dags HTTP/1.1\r\nhost: local";
    let mut slow: Vec<_> = (0..CLIENTS).map(|_| service.connect()).collect();
    for stream in &mut slow {
        stream.write_all(half.as_bytes()).expect("it reads");
    }
    // Others are answered, and work goes on.
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    assert_eq!(service.get("/health/live").status, 200);
    // Each is asked to go, at the latest after the limit for the head of a request.
    for stream in &mut slow {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    drop(slow);
    assert_eq!(service.get("/api/v1/dags").status, 200);
}

/// Threat 19. What is searched for is text: there is no pattern that takes for ever.
#[test]
fn a_search_takes_text_and_no_pattern() {
    let service = service();
    let long = service.trigger("greeting", &json!({"name": "a".repeat(5_000)}));
    service.wait(long, "success");
    for (text, is_found) in [
        ("greeting", true),
        ("%3Cb%3Ea", true),
        ("(a%2B)%2B%24", false),
        ("(a%7Ca)*b", false),
        (".*", false),
        ("%5Cw", false),
        ("%5B", false),
        (&*"a".repeat(4_000), true),
        (&*"a%2B".repeat(1_000), false),
    ] {
        let found = service.get(&format!("/api/v1/runs/{long}/log?q={text}"));
        assert_eq!((found.status, found.body.is_empty()), (200, !is_found), "{text}: {}", found.body.len());
        let page = service.get(&format!("/runs/{long}/log?q={text}"));
        assert_eq!(page.status, 200, "{text}");
    }
}

/// Threat 18. What runs is compiled: a request names a DAG of the program, and gives it values of
/// the types of its parameters. Texts that other systems evaluate stay texts.
#[test]
fn a_request_starts_no_code_but_that_of_the_program() {
    let service = service();
    let json_type = [("content-type", "application/json")];
    // There is no address that takes a definition.
    for (method, path) in [
        ("POST", "/api/v1/dags"),
        ("PUT", "/api/v1/dags"),
        ("PUT", "/api/v1/dags/greeting"),
        ("POST", "/api/v1/dags/new"),
        ("POST", "/api/v1/dags/new/runs"),
        ("PUT", "/api/v1/settings"),
    ] {
        let response = service.send(method, path, &json_type, "{}");
        assert!(matches!(response.status, 404 | 405), "{method} {path}: {response:?}");
    }
    // Nor does the body that starts a run.
    for member in ["spec", "dag", "tasks", "command", "image", "script", "env", "conf"] {
        let response = service.post("/api/v1/dags/greeting/runs", &json!({ member: "sleep 1" }));
        response.assert_problem(400, &format!("there is no member `{member}`"));
    }
    let proof = service.directory().join("proof");
    for text in [
        format!("$(touch {})", proof.display()),
        format!("`touch {}`", proof.display()),
        format!("; touch {}", proof.display()),
        "{{ 7 * 7 }}".to_owned(),
        "{{ conn.warehouse.password }}".to_owned(),
        "${HOME} %HOME% {name}".to_owned(),
        "__import__('os').getpid()".to_owned(),
    ] {
        let run = service.trigger("greeting", &json!({ "name": text, "times": 1 }));
        service.wait(run, "success");
        assert_eq!(service.json(&format!("/api/v1/runs/{run}/values/greet")), json!([format!("hello {text}")]));
    }
    assert!(!proof.exists(), "no shell has seen it");
}

/// Threat 13. Whom the server asks stands in the code and in the configuration. Whoever adds a
/// field with an address says here why it leads nowhere.
#[test]
fn no_request_names_an_address_that_the_server_would_ask() {
    let service = service();
    let document = service.json("/api/v1/openapi.json");
    let mut names = BTreeSet::new();
    for operations in document["paths"].as_object().expect("an object").values() {
        for operation in operations.as_object().expect("an object").values() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            names.extend(parameters.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)));
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["properties"];
            names.extend(body.as_object().into_iter().flat_map(|body| body.keys().cloned()));
        }
    }
    assert!(names.len() > 40 && names.contains("params") && names.contains("reason"), "{names:?}");
    for word in ["url", "uri", "addr", "host", "endpoint", "callback", "target", "proxy", "port"] {
        let named: Vec<&String> =
            names.iter().filter(|name| name.split('_').any(|part| part.starts_with(word))).collect();
        assert!(named.is_empty(), "{named:?}");
    }
}

/// Threat 22. A spreadsheet would calculate with what begins with `=`. The list of runs is the only
/// answer that it opens, and quotes such cells: `exports` has the tests. Whoever adds another one
/// quotes them too, and says so here.
#[test]
fn no_other_answer_is_a_table_for_a_spreadsheet() {
    const KINDS: [&str; 6] = [
        "application/json",
        "application/jsonl",
        "application/problem+json",
        "image/svg+xml",
        "text/event-stream",
        "text/plain",
    ];
    let service = service();
    let document = service.json("/api/v1/openapi.json");
    let mut kinds = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().expect("an object") {
        for operation in operations.as_object().expect("an object").values() {
            for response in operation["responses"].as_object().expect("an object").values() {
                for kind in response["content"].as_object().into_iter().flat_map(serde_json::Map::keys) {
                    kinds.insert(kind.clone(), path.clone());
                }
            }
        }
    }
    assert!(kinds.len() > 3, "{kinds:?}");
    for (kind, path) in &kinds {
        let is_quoted = (&**kind, &**path) == ("text/csv", "/api/v1/runs.csv");
        assert!(is_quoted || KINDS.contains(&&**kind), "{path} answers with {kind}");
    }
    // Whatever a client would like to have.
    for path in ["/api/v1/runs", "/api/v1/audit", "/api/v1/runs/1/log", "/runs", "/audit"] {
        for wanted in ["text/csv", "application/vnd.ms-excel"] {
            let answer = service.send("GET", path, &[("accept", wanted)], "");
            let kind = answer.header("content-type");
            assert!(!kind.contains("csv") && !kind.contains("excel"), "{path}: {kind}");
        }
    }
}

/// The statements of the store are constants, or are put together of constants: sqlx takes a text
/// that is made at run time only in `AssertSqlSafe`. Whoever adds one looks at it, and counts it
/// here.
#[test]
fn statements_are_made_of_constants() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../taskflow-core/src/store");
    let mut open = vec![store];
    let (mut counts, mut direct) = (BTreeMap::new(), Vec::new());
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("the sources are here").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "tests" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).expect("a source is text");
                let asserted = text.matches("AssertSqlSafe(").count();
                if asserted > 0 {
                    counts.insert(name.clone(), asserted);
                }
                let made = |line: &&str| line.contains("query") && line.contains("format!");
                direct.extend(text.lines().filter(made).map(|line| format!("{name}: {}", line.trim())));
            }
        }
    }
    assert_eq!(
        direct,
        ["upkeep.rs: let query = sqlx::query(AssertSqlSafe(format!(\"{question} LIMIT {FINDINGS}\")));"]
    );
    let expected: BTreeMap<String, usize> = KNOWN.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
    assert_eq!(counts, expected);
}

/// By file.
const KNOWN: &[(&str, usize)] = &[
    ("append.rs", 1),
    ("claim.rs", 1),
    ("damage.rs", 3),
    ("deliveries.rs", 1),
    ("read.rs", 1),
    ("schema.rs", 1),
    ("script.rs", 1),
    ("upkeep.rs", 1),
];
