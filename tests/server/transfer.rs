//! How pages are sent: compressed, and not again to a script that has them.

use std::io::{Read as _, Write as _};

use flate2::read::GzDecoder;
use serde_json::json;

use crate::home::{Response, Service};

/// Asks for a page, and returns its head and the bytes of its body.
fn ask(service: &Service, path: &str, headers: &str) -> (Response, Vec<u8>) {
    let mut socket = service.connect();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", service.address);
    socket.write_all(request.as_bytes()).expect("it listens");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it is answered");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("it has a head");
    (Response::parse(&answer[..end + 4]), answer[end + 4..].to_vec())
}

/// The home page over gzip. Pages were sent as they are, whatever a browser accepts.
#[test]
fn a_page_is_compressed_for_a_browser_and_a_stream_is_not() {
    let service = Service::new();
    let gzip = "accept-encoding: gzip, deflate, br\r\n";
    let (head, body) = ask(&service, "/", gzip);
    assert_eq!((head.status, head.header("content-encoding")), (200, "gzip"), "{head:?}");
    let mut page = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut page).expect("it is gzip");
    assert!(page.contains("<h1>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(body.len() < page.len() / 2, "{} of {} bytes", body.len(), page.len());
    // Who does not ask for it gets the page as it is, and so does a browser that a page of another
    // site has made ask for it.
    for headers in [String::new(), format!("{gzip}sec-fetch-site: cross-site\r\n")] {
        let (head, body) = ask(&service, "/", &headers);
        assert_eq!((head.status, head.header("content-encoding")), (200, ""), "{head:?}");
        assert!(body.starts_with(b"<!doctype html>"), "{headers}");
    }
    // The page of tokens is not kept, and has no tag.
    let (account, _) = ask(&service, "/account", gzip);
    assert_eq!((account.status, account.header("cache-control")), (200, "no-store"), "{account:?}");
    assert_eq!((account.header("content-encoding"), account.header("etag")), ("", ""), "{account:?}");
    // Nor are those with values, as in the API.
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    for path in [format!("/runs/{run}/values"), format!("/dags/greeting/trigger?like={run}")] {
        let (values, _) = ask(&service, &path, gzip);
        assert_eq!((values.status, values.header("cache-control")), (200, "no-store"), "{path}: {values:?}");
        assert_eq!((values.header("content-encoding"), values.header("etag")), ("", ""), "{path}: {values:?}");
    }
    let (head, _) = service.stream("/api/v1/stream", &[("accept-encoding", "gzip")]);
    assert!(!head.to_ascii_lowercase().contains("content-encoding"), "{head}");
}

/// The list of backfills, before and after one begins. The whole page was sent each time.
#[test]
fn a_script_that_reads_a_page_again_gets_it_if_something_has_changed() {
    let service = Service::new();
    let path = "/backfills";
    let loaded = service.get(path);
    let tag = loaded.header("etag").to_owned();
    assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{loaded:?}");
    assert_eq!(loaded.header("cache-control"), "private, no-cache");
    let read = |dest: &str| service.send("GET", path, &[("if-none-match", &tag), ("sec-fetch-dest", dest)], "");
    // Something else moves the stream, and with it the place that the page names.
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let same = read("empty");
    assert_eq!((same.status, &*same.body, same.header("etag")), (304, "", &*tag), "{same:?}");
    assert!(same.header("vary").contains("Cookie, Authorization"), "{same:?}");
    // A person who loads it gets it, with the present time.
    assert_eq!(read("document").status, 200);
    let started = service.post("/api/v1/backfills", &json!({"dag": "daily", "slots": ["2026-01-01"]}));
    assert_eq!(started.status, 201, "{started:?}");
    let changed = read("empty");
    assert!(changed.status == 200 && changed.header("etag") != tag, "{changed:?}");
    assert!(changed.body.contains("backfill 1"), "{changed:?}");
}
