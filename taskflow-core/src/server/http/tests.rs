use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

struct Running {
    address: SocketAddr,
    stop: watch::Sender<()>,
    accepting: tokio::task::JoinHandle<()>,
}

/// A server with a handler that panics, on the runtime of the test.
async fn serve(limits: Limits) -> Running {
    let router = Router::new()
        .route("/panics", get(|| async { panic!("a secret") as &'static str }))
        .route("/never", get(std::future::pending::<&'static str>))
        .route("/much", get(|| async { vec![0; 64 << 20] }))
        .route("/works", get(|| async { "yes" }))
        .route("/changes", post(|| async { "yes" }));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let config = crate::config::Config::builder().build().unwrap();
    let hosts = Hosts::new(config.settings(), address);
    let (stop, stopped) = watch::channel(());
    let accepting = tokio::spawn(accept(listener, router, hosts, None, limits, stopped));
    Running { address, stop, accepting }
}

async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Sends a request, and reads until the answer has this text.
async fn ask(stream: &mut TcpStream, path: &str, text: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(text) {
        let count = stream.read_buf(&mut answer).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_panic_of_a_handler_is_a_problem_and_the_connection_lives() {
    crate::base::install_hook();
    let server = serve(LIMITS).await;
    let mut stream = connect(&server).await;
    let answer = ask(&mut stream, "/panics", "request_id").await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff") && !answer.contains("a secret"), "{answer}");
    assert!(ask(&mut stream, "/works", "yes").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_is_disconnected() {
    let server = serve(Limits { head: Duration::from_millis(50), ..LIMITS }).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /works HTTP/1.1\r\nhost: loc").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection has ended");
}

#[tokio::test]
async fn a_client_that_does_not_read_gives_its_connection_back() {
    let server = serve(Limits { write: Duration::from_millis(100), connections: 1, ..LIMITS }).await;
    let mut idle = connect(&server).await;
    ask(&mut idle, "/much", "200 OK").await;
    let mut other = connect(&server).await;
    let answered = tokio::time::timeout(Duration::from_secs(20), ask(&mut other, "/works", "yes")).await;
    assert!(answered.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")), "it got the connection");
}

#[tokio::test]
async fn a_server_without_free_connections_stops() {
    let limits = Limits { connections: 2, grace: Duration::from_millis(100), ..LIMITS };
    let server = serve(limits).await;
    let mut held = [connect(&server).await, connect(&server).await];
    for stream in &mut held {
        assert!(ask(stream, "/works", "yes").await.starts_with("HTTP/1.1 200 "));
    }
    // It waits to be accepted.
    let mut third = connect(&server).await;
    third.write_all(b"GET /works HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), third.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    drop(server.stop);
    let stopped = tokio::time::timeout(Duration::from_secs(20), server.accepting).await;
    assert!(stopped.is_ok_and(|stopped| stopped.is_ok()), "it stops");
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_up_the_stop_for_the_grace_time_only() {
    let server = serve(Limits { grace: Duration::from_millis(100), ..LIMITS }).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(server.stop);
    let stopped = tokio::time::timeout(Duration::from_secs(20), server.accepting).await;
    assert!(stopped.is_ok_and(|stopped| stopped.is_ok()), "it stops");
}
