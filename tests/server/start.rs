//! Starting and stopping.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::json;
use taskflow_tests::common::{PATIENCE, eventually};

use crate::home::{Response, Service, command, passed};

fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("a built program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_chosen_port_that_is_in_use_ends_the_program_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let port = taken.local_addr().expect("an address").port();
    let by_flag = refused(command(directory.path()).args(["--bind", &address]));
    let by_variable = refused(command(directory.path()).env("TASKFLOW_BIND", &address));
    for (code, text) in [by_flag, by_variable] {
        assert_eq!(code, Some(2), "{text}");
        let expected = format!("port {port} of 127.0.0.1 is in use by another process; stop it, or choose another");
        assert!(text.contains(&expected) && text.contains("--bind"), "{text}");
    }
    assert!(!directory.path().join("home").exists());
}

#[test]
fn an_address_that_other_machines_reach_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let (code, text) = refused(command(directory.path()).args(["--bind", address]));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("reachable from other machines, and nothing says who may use the server"), "{text}");
    }
    let (code, text) = refused(command(directory.path()).args(["--bind", "localhost"]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("not an address and a port such as 127.0.0.1:8090"), "{text}");
    assert!(!directory.path().join("home").exists());
}

#[test]
fn two_services_start_without_a_chosen_port() {
    let (one, two) = (Service::with(&[]), Service::with(&[]));
    assert_ne!(one.address, two.address);
    assert!(two.printed.contains("because port 8090 is in use"), "{}", two.printed);
    assert_eq!((one.get("/health/live").status, two.get("/health/live").status), (200, 200));
}

/// Asks over a connection of its own. The status is 0 if there is no answer.
fn ask(address: SocketAddr) -> u16 {
    let request = format!("GET /api/v1/dags HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let read = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut answer)
    });
    read.map_or(0, |_| Response::parse(&answer).status)
}

/// What systemd does with a `.socket` unit.
#[test]
fn no_request_fails_while_services_on_a_passed_socket_are_restarted() {
    const CLIENTS: usize = 4;

    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = || {
        let mut failed = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            match ask(address) {
                200 => _ = answered.fetch_add(1, Ordering::Relaxed),
                status => failed.push(status),
            }
        }
        failed
    };
    let failed: Vec<u16> = std::thread::scope(|scope| {
        // They wait for the first service.
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let mut directory = tempfile::tempdir().expect("a directory");
        for _ in 0..4 {
            let service = Service::on(&socket, directory);
            assert!(service.printed.contains(&format!("http://{address}, a socket of systemd")), "{}", service.printed);
            let enough = answered.load(Ordering::Relaxed) + 10 * CLIENTS;
            eventually("it answers", || answered.load(Ordering::Relaxed) >= enough);
            let (code, same) = service.stop();
            assert_eq!(code, Some(0));
            directory = same;
        }
        ended.store(true, Ordering::Relaxed);
        // Whoever waits for the next service gets an answer from this one.
        let last = Service::on(&socket, directory);
        let failed = clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect();
        assert_eq!(last.stop().0, Some(0));
        failed
    });
    assert!(failed.is_empty(), "{failed:?}; {} requests were answered", answered.into_inner());
}

#[test]
fn a_passed_socket_obeys_the_rules_of_an_address() {
    let directory = tempfile::tempdir().expect("a directory");
    let local = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut serve = command(directory.path());
    serve.args(["--bind", "127.0.0.1:0"]);
    let public = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let (with_address, of_all) =
        (refused(&mut passed(&local, &serve)), refused(&mut passed(&public, &command(directory.path()))));
    assert_eq!((with_address.0, of_all.0), (Some(2), Some(2)), "{with_address:?} {of_all:?}");
    assert!(
        with_address.1.contains("systemd passes a socket to `serve`, and --bind names the address"),
        "{with_address:?}"
    );
    assert!(of_all.1.contains("nothing says who may use the server"), "{of_all:?}");
    // What is meant for another process is left to it.
    let mut other = command(directory.path());
    let (code, text) = refused(other.args(["--bind", "0.0.0.0:0"]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1"));
    assert!(code == Some(2) && !text.contains("systemd"), "{text}");
    // A file is no socket.
    let (code, text) = refused(command(directory.path()).env("LISTEN_FDS", "1").env_remove("LISTEN_PID"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("the socket that systemd passes cannot be used") && text.contains("ListenStream"), "{text}");
    assert!(!directory.path().join("home").exists());
}

#[test]
fn the_address_is_printed_once_and_the_service_is_ready() {
    let service = Service::new();
    assert_eq!(service.printed.matches("http://").count(), 1, "{}", service.printed);
    eventually("it is ready", || service.get("/health/ready").status == 200);
    let ready = service.json("/health/ready");
    assert_eq!((&ready["ready"], &ready["reasons"]), (&json!(true), &json!([])));
    assert!(ready["last_turn_seconds"].as_f64().is_some_and(|age| age < 60.0), "{ready}");
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn nothing_listens_without_a_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut child = command(directory.path()).args(["--no-server"]).spawn().expect("a built program starts");
    let home = directory.path().join("home");
    eventually("it serves", || home.join("serve.lock").exists());
    child.kill().expect("it is running");
    let output = child.wait_with_output().expect("a child can be waited for");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("http://"), "{text}");
    let (code, text) = refused(command(directory.path()).args(["--no-server", "--read-only"]));
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn a_service_that_drains_answers_reads_and_refuses_changes() {
    let mut service = Service::reluctant();
    let run = service.trigger("slow_to_end", &json!({}));
    service.wait(run, "running");
    service.signal(Signal::TERM);
    eventually("it drains", || service.get("/health/ready").status == 503);
    assert_eq!(service.get("/health/live").status, 200);
    assert_eq!(service.get(&format!("/api/v1/runs/{run}")).status, 200);
    let refused = service.post("/api/v1/dags/greeting/runs", &json!({}));
    refused.assert_problem(503, "the service is about to end");
    assert_eq!(refused.header("retry-after"), "10");
    service.let_go();
    assert_eq!(service.wait_for_end(), Some(0));
}
