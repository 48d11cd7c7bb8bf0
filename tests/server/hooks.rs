//! Webhooks: signed requests of other systems emit events. The signatures are those of openssl.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use taskflow_tests::binaries::program;

use crate::home::{self, Response, Service};

/// Nothing that the server shows has it.
const SECRET: &str = "canary-7b52009b64fd0a2a";
const CONFIG: &str = r#"
[webhooks.partner]
asset = "reports"
secret = "partner"

[webhooks.code]
asset = "reports"
secret = "partner"
scheme = "github"

[webhooks.pushes]
asset = "reports"
secret = "partner"
scheme = "github"
events = ["push"]

[webhooks.payments]
asset = "payments"
secret = "partner"
scheme = "stripe"

[webhooks.days]
asset = "days"
secret = "partner"
partition = "/about/day"

[secrets]
partner = { file = "partner.secret" }
"#;

/// A service with the webhooks of [`CONFIG`], and `more` settings.
fn service(more: &str, flags: &[&str]) -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    configure(directory.path(), &format!("{CONFIG}{more}"));
    Service::over(directory, &[&["--bind", "127.0.0.1:0"], flags].concat())
}

fn configure(directory: &Path, toml: &str) {
    let home = directory.join("home");
    std::fs::create_dir_all(&home).expect("directories can be made");
    std::fs::write(home.join("taskflow.toml"), toml).expect("files can be written");
    std::fs::write(home.join("partner.secret"), format!("{SECRET}\n")).expect("files can be written");
}

/// What openssl makes of a text, with its arguments.
fn openssl(words: &[&str], text: &str) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends").stdout
}

fn hex_hmac(text: &str) -> String {
    let output = openssl(&["dgst", "-sha256", "-hmac", SECRET, "-r"], text);
    String::from_utf8_lossy(&output).split(' ').next().expect("a digest").to_owned()
}

fn base64_hmac(text: &str) -> String {
    let hex = hex_hmac(text);
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"));
    let script = bytes.map(|byte| format!("\\{byte:03o}")).collect::<String>();
    let output = Command::new("sh").args(["-c", &format!("printf '{script}' | base64")]).output().expect("a shell");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}

type Headers = Vec<(&'static str, String)>;

/// The headers of a delivery of the scheme `standard`.
fn standard(id: &str, time: u64, body: &str) -> Headers {
    let signature = base64_hmac(&format!("{id}.{time}.{body}"));
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

fn github(id: &str, kind: &str, body: &str) -> Headers {
    vec![
        ("x-github-delivery", id.to_owned()),
        ("x-github-event", kind.to_owned()),
        ("x-hub-signature-256", format!("sha256={}", hex_hmac(body))),
    ]
}

fn deliver(service: &Service, name: &str, headers: &Headers, body: &str) -> Response {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers.iter().map(|(name, value)| (*name, &**value)));
    service.send("POST", &format!("/api/v1/hooks/{name}"), &all, body)
}

fn events(service: &Service, asset: &str) -> Vec<Value> {
    let events = service.json(&format!("/api/v1/events?asset={asset}"));
    events.as_array().expect("a list").clone()
}

fn trail(service: &Service) -> Vec<Value> {
    let list = service.json("/api/v1/audit?limit=1000");
    list["entries"].as_array().expect("a list").iter().rev().cloned().collect()
}

#[test]
fn a_signed_delivery_emits_one_event_however_often_it_comes_also_after_a_restart() {
    let service = service("", &[]);
    let delivery = standard("msg_1", now(), "7");
    let first = deliver(&service, "partner", &delivery, "7");
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.json(), json!({"number": 1, "asset": "reports", "key": "partner:msg_1", "is_new": true}));
    let again = deliver(&service, "PARTNER", &delivery, "7");
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"), "{again:?}");
    // Another body under the id of a delivery that is known, signed again.
    let other = deliver(&service, "partner", &standard("msg_1", now(), "8"), "8");
    assert_eq!((other.status, &other.json()["number"]), (200, &json!(1)), "{other:?}");
    let [event] = &events(&service, "reports")[..] else { panic!("one event") };
    assert_eq!((&event["payload"], &event["by"]), (&json!(7), &json!("webhook partner")), "{event}");
    let trail: Vec<[Value; 3]> = trail(&service)
        .iter()
        .map(|entry| [&entry["actor"]["name"], &entry["actor"]["via"], &entry["outcome"]].map(Clone::clone))
        .collect();
    let row = |outcome: &str| ["partner", "webhook", outcome].map(Value::from);
    assert_eq!(trail, [row("applied"), row("unchanged"), row("unchanged")]);
    let (_, directory) = service.stop();
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    assert_eq!(deliver(&service, "partner", &delivery, "7").status, 200);
    assert_eq!(deliver(&service, "partner", &standard("msg_2", now(), "9"), "9").status, 201);
    assert_eq!(events(&service, "reports").len(), 2);
}

#[test]
fn a_delivery_that_arrives_many_times_at_once_emits_one_event() {
    let service = service("", &[]);
    let delivery = standard("msg_1", now(), "7");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            (0..20).map(|_| scope.spawn(|| deliver(&service, "partner", &delivery, "7").status)).collect();
        asked.into_iter().map(|asked| asked.join().expect("a client ends")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 201)), "{statuses:?}");
    assert_eq!(events(&service, "reports").len(), 1);
}

#[test]
fn whatever_is_wrong_with_a_delivery_the_answer_is_the_same_and_nothing_is_emitted() {
    let service = service("", &[]);
    let good = standard("msg_1", now(), "7");
    let with = |index: usize, value: &str| {
        let mut headers = good.clone();
        value.clone_into(&mut headers[index].1);
        headers
    };
    let without = |index: usize| {
        let mut headers = good.clone();
        headers.remove(index);
        headers
    };
    let flipped = |signature: &str| match signature.strip_prefix("v1,A") {
        Some(rest) => format!("v1,B{rest}"),
        None => format!("v1,A{}", &signature[4..]),
    };
    let cases = [
        ("an unknown name", "partnr", good.clone(), "7"),
        ("a hostile name", "%1b%5b31m%0aerror:", good.clone(), "7"),
        ("a name of another scheme", "code", good.clone(), "7"),
        ("another body", "partner", good.clone(), "8"),
        ("a longer body", "partner", good.clone(), "7 "),
        ("another signature", "partner", with(2, &flipped(&good[2].1)), "7"),
        ("a signature of another version", "partner", with(2, &good[2].1.replace("v1,", "v2,")), "7"),
        ("no signature in the header", "partner", with(2, "v1,"), "7"),
        ("another id", "partner", with(0, "msg_2"), "7"),
        ("another time", "partner", with(1, &(now() + 1).to_string()), "7"),
        ("an old time", "partner", standard("msg_1", now() - 400, "7"), "7"),
        ("a time to come", "partner", standard("msg_1", now() + 400, "7"), "7"),
        ("no id", "partner", without(0), "7"),
        ("no time", "partner", without(1), "7"),
        ("no signature", "partner", without(2), "7"),
        ("no headers", "partner", Vec::new(), "7"),
        ("another secret", "code", vec![good[0].clone(), ("x-hub-signature-256", "sha256=00".to_owned())], "7"),
    ];
    let mut answers: Vec<(String, Value)> = Vec::new();
    let mut keep = |what: &str, answer: &Response| {
        answer.assert_problem(401, "not a signed delivery");
        let mut problem = answer.json();
        problem["request_id"] = Value::Null;
        answers.push((what.to_owned(), problem));
    };
    for (what, name, headers, body) in &cases {
        keep(what, &deliver(&service, name, headers, body));
    }
    let file = service.home().join("partner.secret");
    for (what, secret) in
        [("an empty secret", ""), ("a short secret", "short"), ("another secret", "0123456789abcdefg")]
    {
        std::fs::write(&file, secret).expect("files can be written");
        keep(what, &deliver(&service, "partner", &good, "7"));
    }
    std::fs::remove_file(&file).expect("it is there");
    keep("no secret", &deliver(&service, "partner", &good, "7"));
    for (what, answer) in &answers {
        assert_eq!(answer, &answers[0].1, "{what}");
    }
    assert!(events(&service, "reports").is_empty());
    // A new secret counts at once.
    std::fs::write(&file, SECRET).expect("files can be written");
    assert_eq!(deliver(&service, "partner", &good, "7").status, 201);
    let metrics = service.get("/metrics").body;
    for line in [
        "taskflow_webhook_deliveries_total{webhook=\"other\",outcome=\"refused\"} 2",
        "taskflow_webhook_deliveries_total{webhook=\"partner\",outcome=\"emitted\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn what_is_wrong_is_in_the_trail_once_a_minute_and_the_secret_nowhere() {
    let service = service("", &[]);
    let delivery = standard("msg_1", now(), "7");
    for _ in 0..3 {
        assert_eq!(deliver(&service, "partner", &delivery, "8").status, 401);
    }
    let reason = "its signature is not that of the secret and the body";
    let rows = trail(&service);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let error = rows[0]["error"].as_str().expect("a text");
    assert!(error.contains("the webhook `partner`") && error.contains(reason), "{error}");
    let row = json!({"name": "nobody", "via": "webhook"});
    assert_eq!((&rows[0]["actor"], &rows[0]["outcome"]), (&row, &json!("refused_right")));
    assert_eq!((&rows[0]["asset"], &rows[0]["peer"]), (&json!("reports"), &json!("127.0.0.1")));
    let settings = service.call(&["config", "show"]);
    assert!(settings.stdout.contains("webhooks.partner"), "{settings:?}");
    let shown = [
        settings.stdout,
        service.get("/settings").body,
        service.get("/audit").body,
        service.get("/metrics").body,
        service.get("/api/v1/events").body,
    ];
    for text in shown {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_body_has_the_type_of_the_asset() {
    let service = service("", &[]);
    let send = |id: &str, body: &str| deliver(&service, "partner", &standard(id, now(), body), body);
    send("a", "\"seven\"").assert_problem(422, "its payload is a u64");
    send("b", "{\"a\":").assert_problem(400, "the body is not JSON");
    send("c", "").assert_problem(400, "the body is not JSON");
    let delivery = standard("d", now(), "7");
    let mut headers: Vec<(&str, &str)> = delivery.iter().map(|(name, value)| (*name, &**value)).collect();
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    service.send("POST", "/api/v1/hooks/partner", &headers, "7").assert_problem(415, "a body must be JSON");
    service.get("/api/v1/hooks/partner").assert_problem(405, "POST");
    assert!(events(&service, "reports").is_empty());
    // What was refused can be delivered again.
    assert_eq!(send("a", "7").status, 201);
}

#[test]
fn a_body_that_is_too_large_is_refused_whatever_the_name() {
    let service = service("\n[serve]\nwebhook_limit = \"2 KiB\"\n", &[]);
    let long = format!("{}7", " ".repeat(2047));
    let longer = format!("{}7", " ".repeat(2048));
    for name in ["partner", "none"] {
        deliver(&service, name, &standard("a", now(), &longer), &longer).assert_problem(413, "at most 2.0 KiB");
        let head = format!(
            "POST /api/v1/hooks/{name} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: 1073741824\r\n\r\n{{"
        );
        service.raw(head.as_bytes()).assert_problem(413, "at most 2.0 KiB");
        let chunks = format!(
            "POST /api/v1/hooks/{name} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n1000\r\n{}\r\n0\r\n\r\n",
            " ".repeat(4096)
        );
        service.raw(chunks.as_bytes()).assert_problem(413, "at most 2.0 KiB");
    }
    assert_eq!(deliver(&service, "partner", &standard("a", now(), &long), &long).status, 201);
}

#[test]
fn github_delivers_its_kinds_of_events() {
    let service = service("", &[]);
    let ping = deliver(&service, "code", &github("1-a", "ping", "{\"zen\": \"x\"}"), "{\"zen\": \"x\"}");
    assert_eq!((ping.status, ping.json()), (200, json!({"ignored": "ping"})));
    assert_eq!(deliver(&service, "code", &github("1-b", "issues", "7"), "7").status, 201);
    let ignored = deliver(&service, "pushes", &github("1-c", "issues", "7"), "7");
    assert_eq!((ignored.status, ignored.json()), (200, json!({"ignored": "issues"})));
    assert_eq!(deliver(&service, "pushes", &github("1-d", "push", "7"), "7").status, 201);
    assert_eq!(deliver(&service, "pushes", &github("1-d", "push", "7"), "7").status, 200);
    assert_eq!(deliver(&service, "pushes", &github("1-e", "ping", "{}"), "{} ").status, 401, "another body");
    let keys: Vec<Value> = events(&service, "reports").iter().map(|event| event["key"].clone()).collect();
    assert_eq!(keys, ["pushes:1-d", "code:1-b"]);
}

#[test]
fn stripe_has_its_id_in_the_body() {
    let service = service("", &[]);
    let send = |body: &str| {
        let time = now();
        let signature = format!("t={time},v1={},v0=00", hex_hmac(&format!("{time}.{body}")));
        deliver(&service, "payments", &vec![("stripe-signature", signature)], body)
    };
    let body = r#"{"id": "evt_1", "type": "charge.succeeded", "data": {"amount": 100}}"#;
    assert_eq!(send(body).status, 201);
    // It is signed anew for each attempt.
    assert_eq!(send(body).status, 200);
    send("{\"type\": \"x\"}").assert_problem(422, "the body has no `id`");
    assert_eq!(events(&service, "payments")[0]["key"], "payments:evt_1");
}

#[test]
fn the_partition_stands_in_the_body() {
    let service = service("", &[]);
    let send = |id: &str, body: &str| deliver(&service, "days", &standard(id, now(), body), body);
    assert_eq!(send("a", r#"{"about": {"day": "2026-02-03"}}"#).status, 201);
    assert_eq!(events(&service, "days")[0]["partition"], "2026-02-03");
    send("b", r#"{"about": {"day": "yesterday"}}"#).assert_problem(422, "not a valid partition");
    send("c", r#"{"about": {"day": 3}}"#).assert_problem(422, "there is no text at `/about/day`");
    assert_eq!(events(&service, "days").len(), 1);
}

#[test]
fn a_delivery_needs_nobody_who_is_known_and_no_server_that_is_read_only_takes_one() {
    let service = service("", &[]);
    let kim = json!({"name": "kim", "password": "several good words", "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let mut delivery = standard("a", now(), "7");
    // A token is not looked at.
    delivery.push(("authorization", "Bearer wrong".to_owned()));
    assert_eq!(deliver(&service, "partner", &delivery, "7").status, 201);
    for path in ["/api/v1/hooks", "/api/v1/hooks/", "/api/v1/hooks/../events", "/api/v1/hooks/partner/more"] {
        assert_eq!(service.get(path).status, 401, "{path}");
    }
    let service = self::service("", &["--read-only"]);
    for name in ["partner", "none"] {
        deliver(&service, name, &standard("a", now(), "7"), "7").assert_problem(403, "read-only");
    }
}

/// What `serve` says about a configuration that it does not start with.
fn refused(toml: &str, secret: &str) -> String {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    configure(directory.path(), toml);
    std::fs::write(directory.path().join("home/partner.secret"), secret).expect("files can be written");
    let output = home::command(directory.path()).args(["--bind", "127.0.0.1:0"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr).replace(&directory.path().display().to_string(), "");
    assert_eq!(output.status.code(), Some(2), "{text}");
    text
}

#[test]
fn a_webhook_that_cannot_work_stops_serve_before_anything_starts() {
    let secrets = "[secrets]\npartner = { file = \"partner.secret\" }\n";
    let of = |keys: &str| format!("{secrets}[webhooks.partner]\n{keys}\n");
    let named = "secret = \"partner\"";
    for (toml, secret, expected) in [
        (of(&format!("asset = \"report\"\n{named}")), SECRET, "did you mean `reports`"),
        (of(&format!("asset = \"days\"\n{named}")), SECRET, "`days` has partitions; say where"),
        (of(&format!("asset = \"reports\"\npartition = \"/a\"\n{named}")), SECRET, "has no partitions; remove"),
        (of("asset = \"reports\"\nsecret = \"canary-as-a-name\""), SECRET, "`secret` is not the name of a secret"),
        (of(&format!("asset = \"reports\"\n{named}")), "", "fewer than 16 bytes"),
        (of(&format!("asset = \"reports\"\n{named}")), "whsec_***", "no Base64 follows"),
        (of("asset = \"reports\""), SECRET, "taskflow.toml:3: the webhook `partner`: `secret` is missing"),
        (
            of(&format!("aset = \"reports\"\n{named}")),
            SECRET,
            "taskflow.toml:4: the webhook `partner`: unknown key `aset`; did you mean `asset`?",
        ),
        (of(&format!("asset = \"reports\"\n{named}\nscheme = \"githup\"")), SECRET, "did you mean `github`?"),
        (of(&format!("asset = \"reports\"\n{named}\ntolerance = \"5\"")), SECRET, "a duration such as \"5m\""),
        (of(&format!("asset = \"reports\"\n{named}\nevents = [\"push\"]")), SECRET, "needs `scheme = \"github\"`"),
        ("[webhooks]\npartner = 3\n".to_owned(), SECRET, "it must be a table: `[webhooks.partner]`"),
        ("[webhooks.\"a/b\"]\nasset = \"reports\"\nsecret = \"x\"\n".to_owned(), SECRET, "its name must have letters"),
    ] {
        let text = refused(&toml, secret);
        assert!(text.contains(expected) && text.contains("taskflow.toml:"), "{expected}: {text}");
        assert!(!text.contains("canary"), "{text}");
    }
    // A home without the secret can be used otherwise.
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    configure(directory.path(), CONFIG);
    std::fs::remove_file(directory.path().join("home/partner.secret")).expect("it is there");
    let mut list = program("server");
    let listed = list.arg("runs").env("TASKFLOW_HOME", directory.path().join("home")).output().expect("it starts");
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
}

/// The lines of the documentation: a configuration, and a delivery with openssl and curl.
#[test]
fn the_webhook_of_the_documentation_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/server.md");
    let document = std::fs::read_to_string(path).expect("it is there");
    let section = document.split("\n## Webhooks\n").nth(1).expect("a section").split("\n## ").next().expect("a text");
    let block = |kind: &str| {
        let block = section.split(&format!("```{kind}\n")).nth(1).expect("a block");
        block.split("```").next().expect("it ends").to_owned()
    };
    let own = |text: String| text.replace("landing/files", "reports").replace(r#"{"path": "2026-11-29.csv"}"#, "7");
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    configure(directory.path(), "");
    let toml = own(block("toml")).replace("/run/secrets/", "");
    std::fs::write(directory.path().join("home/taskflow.toml"), toml).expect("files can be written");
    for name in ["partner", "github"] {
        std::fs::write(directory.path().join("home").join(name), SECRET).expect("files can be written");
    }
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    let lines = own(block("console")).replace("\\\n", " ").replace("/run/secrets/", "");
    let commands: Vec<&str> = lines.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let script = commands.join("\n").replace("localhost:8090", &service.address.to_string());
    let script =
        script.replace("curl ", "curl --silent --show-error --write-out '%{http_code}\\n' --output /dev/null ");
    let output = Command::new("sh").args(["-c", &script]).current_dir(service.home()).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "201\n201\n", "{script}\n{output:?}");
    let keys: Vec<Value> = events(&service, "reports").iter().map(|event| event["key"].clone()).collect();
    assert_eq!(keys, ["github:72d3162e", "partner:msg_1"]);
}
