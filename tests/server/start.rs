//! Starting and stopping.

use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::{Service, command};

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
