//! Many readers beside an engine that works.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::Service;

const READERS: usize = 200;

/// Asks for a stream, and reads nothing of it.
fn ask(service: &Service, path: &str) -> TcpStream {
    let mut socket = service.connect();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", service.address).expect("it listens");
    socket
}

/// Reads a stream until it has said this. Each event is a chunk of its own.
fn read_until(mut socket: &TcpStream, words: &str) -> String {
    let (mut text, mut part) = (String::new(), [0; 16 << 10]);
    while !text.contains(words) {
        let read = socket.read(&mut part).expect("the stream goes on");
        assert_ne!(read, 0, "the stream ended without `{words}`: {text}");
        text += &String::from_utf8_lossy(&part[..read]);
    }
    text
}

/// Number 30 of the browser tests, as far as it is about readers.
#[test]
fn two_hundred_readers_are_told_the_end_and_those_who_do_not_read_hold_nothing_up() {
    let service = Service::new();
    let run = service.trigger("approval", &json!({}));
    eventually("it waits", || service.json(&format!("/api/v1/runs/{run}/tasks/approved"))["state"] == "deferred");
    let of_run: Vec<TcpStream> = (0..READERS).map(|_| ask(&service, &format!("/api/v1/runs/{run}/stream"))).collect();
    let of_home: Vec<TcpStream> = (0..READERS).map(|_| ask(&service, "/api/v1/stream?topics=runs")).collect();
    for reader in of_run.iter().chain(&of_home) {
        read_until(reader, "retry: 1000");
    }
    // Nobody reads while the engine works.
    for _ in 0..20 {
        let run = service.trigger("greeting", &json!({}));
        service.wait(run, "success");
    }
    let release = json!({ "key": "approval", "value": "ada" });
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/release"), &release).status, 200);
    service.wait(run, "success");
    for reader in &of_run {
        read_until(reader, "event: end\ndata: {\"state\":\"success\"}");
    }
    let last = service.trigger("greeting", &json!({}));
    service.wait(last, "success");
    for reader in &of_home {
        let told = read_until(reader, &format!("\"run\":{last},"));
        assert!(told.contains(&format!("\"run\":{run},")), "{told}");
    }
}
