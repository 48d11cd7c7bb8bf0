//! Webhooks and the HTTP sensors, against a server in the test.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use taskflow::asset::{Cursor, Watch as _};
use taskflow::engine::{RunState, TaskState};
use taskflow::notify::{Notification, Notifier, webhook};
use taskflow::prelude::*;
use taskflow::sensors::{http_ok, http_where};
use taskflow::watch;
use taskflow_tests::common::{live, locked};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that sends these responses, one per request, and then repeats the last one.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(answers: Vec<(u16, &'static str)>) -> std::io::Result<Self> {
        Server::start_with(answers.into_iter().map(|(status, body)| (status, String::new(), body)).collect())
    }

    /// The same with further headers.
    fn start_with(answers: Vec<(u16, String, &'static str)>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}/status?token=hidden-in-the-path", listener.local_addr()?);
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        runtime.spawn(async move {
            let mut turn = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                let request = read(&mut socket).await;
                locked(&seen).push(request);
                let (status, headers, body) = &answers[turn.min(answers.len() - 1)];
                turn += 1;
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} ProgramOutput\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Ok(Server { url, requests, _runtime: runtime })
    }

    fn requests(&self) -> Vec<String> {
        locked(&self.requests).clone()
    }
}

/// A whole request: its head, and as much of a body as that announces.
async fn read(socket: &mut tokio::net::TcpStream) -> String {
    let (mut request, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let count = socket.read(&mut some).await.unwrap_or(0);
        request.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let length = |head: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with("content-length:"))?;
            line.split_once(':')?.1.trim().parse::<usize>().ok()
        };
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if body.len() >= length(head).unwrap_or(0) => return text,
            _ if count == 0 => return text,
            _ => {}
        }
    }
}

const SOON: Duration = Duration::from_millis(1);

#[test]
fn an_endpoint_is_polled_until_it_succeeds() {
    let server = Server::start(vec![(503, "not yet"), (404, ""), (200, "ready")]).unwrap();
    let url = server.url.clone();
    let dag = Dag::build("ready", || http_ok(url).poke_interval(SOON).map(|answer| answer.body.clone())).unwrap();
    assert_eq!(live(dag.run()).result().map(String::as_str), Some("ready"));
    assert_eq!(server.requests().len(), 3);
    assert!(server.requests()[0].starts_with("GET /status?token=hidden-in-the-path HTTP/1.1"));
}

#[test]
fn a_response_can_be_inspected() {
    #[derive(serde::Deserialize)]
    struct Export {
        state: String,
    }
    let server =
        Server::start(vec![(200, r#"{"state":"running"}"#), (200, "?"), (200, r#"{"state":"done"}"#)]).unwrap();
    let url = server.url.clone();
    let dag = Dag::build("done", || {
        let done = http_where(url, |answer| answer.json::<Export>().is_some_and(|export| export.state == "done"));
        done.poke_interval(SOON).map(|answer| answer.status)
    });
    assert_eq!(live(dag.unwrap().run()).result(), Some(&200));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_permanent_error_fails_the_sensor_and_shows_no_secret() {
    let server = Server::start(vec![(403, "go away")]).unwrap();
    let url = server.url.clone();
    let dag = Dag::build("forbidden", || http_ok(url).poke_interval(SOON).map(|answer| answer.status)).unwrap();
    let report = live(dag.run());
    let failure = report.task("http_answers").unwrap().failure().unwrap().to_string();
    assert!(failure.ends_with("rejected the credentials (status 403)"), "{failure}");
    assert!(failure.starts_with("http://127.0.0.1:") && !failure.contains("hidden"), "{failure}");

    let dag = Dag::build("no_url", || http_ok("example.com").map(|answer| answer.status)).unwrap();
    let failure = live(dag.run()).task("http_answers").unwrap().failure().unwrap().to_string();
    assert_eq!(failure, "the address must begin with `http://` or `https://`");
}

#[test]
fn a_sensor_waits_for_an_unreachable_server() {
    let dag = Dag::build("nobody", || {
        let answer = http_ok("http://127.0.0.1:9/").poke_interval(SOON).timeout(Duration::from_millis(50)).soft_fail();
        answer.map(|answer| answer.status)
    });
    let report = live(dag.unwrap().run());
    assert_eq!((report.state(), report.task("http_answers").unwrap().state()), (RunState::Success, TaskState::Skipped));
}

static HOOKED: LazyLock<Server> = LazyLock::new(|| Server::start(vec![(200, "")]).expect("there is a free port"));

#[task]
fn fails() -> Result<u32> {
    Err("the table is gone, says correct-horse-battery")?
}

#[dag(on_failure = webhook(HOOKED.url.clone()).header("X-Team", "data"))]
fn hooked() -> u32 {
    fails()
}

#[test]
fn a_webhook_receives_the_notification_as_json_without_secrets() {
    taskflow::log::mask("correct-horse-battery");
    assert_eq!(live(hooked::run()).state(), RunState::Failed);
    let requests = HOOKED.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("post /status"), "{head}");
    assert!(head.contains("content-type: application/json") && head.contains("x-team: data"), "{head}");
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&json["kind"], &json["dag_id"], &json["state"]),
        (&"failure".into(), &"hooked".into(), &"failed".into())
    );
    assert_eq!(json["failure"]["message"], "the table is gone, says ***");
    let key = json["key"].as_str().unwrap().to_lowercase();
    assert!(head.contains(&format!("idempotency-key: {key}")), "{head}");
}

#[test]
fn a_failed_webhook_names_its_server_and_shows_no_secret() {
    let server = Server::start(vec![(500, "the queue is full")]).unwrap();
    let hook = webhook(server.url.clone()).body(|notification| serde_json::json!({ "text": notification.to_string() }));
    let error = hook.notify(&Notification::example()).unwrap_err().to_string();
    assert!(error.ends_with("answered with status 500: the queue is full"), "{error}");
    assert!(!error.contains("hidden") && !hook.name().contains("hidden"), "{error} {}", hook.name());
    let sent = server.requests().concat();
    assert!(sent.ends_with(r#"{"text":"task load of daily failed: the table is gone"}"#), "{sent}");

    let nobody = webhook("http://127.0.0.1:9/hidden").notify(&Notification::example()).unwrap_err().to_string();
    assert!(nobody.starts_with("no answer from http://127.0.0.1:9: ") && !nobody.contains("hidden"), "{nobody}");
}

/// A server that redirects the first request to `url`, with this status.
fn redirecting(status: u16, url: &str) -> Server {
    let answers = vec![(status, format!("Location: {url}\r\n"), ""), (200, String::new(), "here")];
    Server::start_with(answers).expect("there is a free port")
}

/// C2: a webhook answered by 301, 302, 303, 307 or 308, to another server and to the same one.
#[test]
fn a_webhook_follows_no_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::start(vec![(200, "")]).unwrap();
        let server = redirecting(status, &other.url);
        let hook = webhook(server.url.clone()).header("X-Api-Key", "correct-horse");
        let error = hook.notify(&Notification::example()).unwrap_err().to_string();
        let origin = other.url.split("/status").next().unwrap();
        assert!(
            error.ends_with(&format!(
                "answered with status {status}, a redirect to {origin} that is not followed: use the address that it \
                 leads to"
            )),
            "{error}"
        );
        assert!(!error.contains("hidden"), "{error}");
        assert_eq!((other.requests().len(), server.requests().len()), (0, 1), "{status}");

        let server = redirecting(status, "/elsewhere");
        let error = webhook(server.url.clone()).notify(&Notification::example()).unwrap_err().to_string();
        assert!(error.contains(&format!("answered with status {status}, a redirect to ")), "{error}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

/// C2: `http_ok` of an endpoint that redirects within its server, and to another one.
#[test]
fn a_sensor_follows_redirects_within_the_same_origin_only() {
    let server = redirecting(302, "/elsewhere");
    let url = server.url.clone();
    let dag = Dag::build("moved", || http_ok(url).poke_interval(SOON).map(|answer| answer.body.clone())).unwrap();
    assert_eq!(live(dag.run()).result().map(String::as_str), Some("here"));
    assert!(server.requests()[1].starts_with("GET /elsewhere HTTP/1.1"), "{:?}", server.requests());

    let other = Server::start(vec![(200, "")]).unwrap();
    let server = redirecting(302, &other.url);
    let url = server.url.clone();
    let dag = Dag::build("away", || http_ok(url).poke_interval(SOON).map(|answer| answer.status)).unwrap();
    let report = live(dag.run());
    let failure = report.task("http_answers").unwrap().failure().unwrap().to_string();
    assert!(failure.contains("answered with status 302, a redirect to http://127.0.0.1:"), "{failure}");
    assert!(!failure.contains("hidden"), "{failure}");
    assert!(other.requests().is_empty());
}

/// C2: a watcher, whose address may have a token: to another server and to the same one.
#[test]
fn a_watcher_follows_no_redirect() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let other = Server::start(vec![(200, "elsewhere")]).unwrap();
        for place in [&*other.url, "/elsewhere"] {
            let server = redirecting(status, place);
            let mut watch = watch::http(server.url.clone()).every("10ms");
            let error = runtime.block_on(watch.next(None)).unwrap_err().to_string();
            assert!(error.contains(&format!(" answers {status}, a redirect to http://127.0.0.1:")), "{error}");
            assert!(!error.contains("hidden"), "{error}");
            assert_eq!((other.requests().len(), server.requests().len()), (0, 1), "{status} {place}");
        }
    }
}

#[test]
fn each_new_response_of_a_watched_endpoint_is_an_event() {
    let etag = |version: &str| format!("ETag: \"{version}\"\r\n");
    let answers = vec![
        (200, etag("1"), "one"),
        (304, etag("1"), ""),
        (200, etag("2"), "two"),
        (500, String::new(), "down"),
        (200, etag("2"), "two"),
        (200, String::new(), "three"),
        (200, String::new(), "three"),
        (200, String::new(), "four"),
    ];
    let server = Server::start_with(answers).unwrap();
    let mut watch = watch::http(server.url.clone()).every("10ms");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut cursor: Option<Cursor> = None;
    let mut seen: Vec<String> = Vec::new();
    while seen.len() < 5 {
        match runtime.block_on(watch.next(cursor.clone())) {
            Ok(batch) => {
                seen.extend(batch.payloads().map(|changed| changed.body.clone()));
                cursor = Some(batch.cursor().clone());
            }
            Err(error) => seen.push(error.to_string()),
        }
    }
    assert_eq!(
        (&seen[..3], &seen[3..]),
        (&["one".into(), "two".into(), seen[2].clone()][..], &["three".into(), "four".into()][..])
    );
    assert!(seen[2].ends_with(" answers 500: down"), "{seen:?}");
    let requests = server.requests();
    assert!(!requests[0].to_lowercase().contains("if-none-match"), "{requests:?}");
    assert!(requests[1].to_lowercase().contains("if-none-match: \"1\""), "{requests:?}");
    // The address may be secret.
    assert!(!watch.source().contains("hidden") && !seen[2].contains("hidden"), "{} {seen:?}", watch.source());
    let wrong = runtime.block_on(watch::http("example.com").next(None)).unwrap_err().to_string();
    assert_eq!(wrong, "the address must begin with `http://` or `https://`");
    let wrong = runtime.block_on(watch::http("http://localhost").every("soon").next(None)).unwrap_err().to_string();
    assert!(wrong.starts_with("`every` of the watcher: `soon` is not a duration"), "{wrong}");
}
