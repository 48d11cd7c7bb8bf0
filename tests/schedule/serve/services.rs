//! The process that serves: its lock, its end, a kill, what it tells systemd, and what is queued.

use std::collections::HashSet;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use taskflow::Timestamp;
use taskflow_tests::common::eventually;

use super::support::{Home, Service, time};

#[test]
fn each_slot_is_one_run_through_kills() {
    let home = Home::new();
    for kills in 0..4 {
        let service = home.serve("seconds");
        let before = home.runs("seconds").len();
        eventually("two more slots run", || home.runs("seconds").len() >= before + 2);
        if kills < 3 {
            service.kill();
        } else {
            eventually("no run is left", || home.count("seconds", "interrupted") == 0);
            assert_eq!(service.stop(), Some(0));
        }
    }
    let mut slots = home.slots("seconds");
    // On a busy machine a run takes longer than a second, and the next slots wait for its end.
    slots.retain(|slot| slot["fate"] != "waiting" && slot["fate"] != "note");
    let times: Vec<Timestamp> = slots.iter().map(|slot| time(&slot["first"])).rev().collect();
    let distinct: HashSet<Timestamp> = times.iter().copied().collect();
    assert_eq!(distinct.len(), times.len(), "{slots:?}");
    for pair in times.windows(2) {
        assert_eq!(pair[1].since(pair[0]).as_secs(), 1, "no slot is lost: {slots:?}");
    }
    assert!(slots.iter().all(|slot| slot["run"].is_i64()), "`catchup = \"all\"` runs all: {slots:?}");
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}

#[test]
fn each_event_is_one_run_through_kills() {
    let home = Home::new();
    for kills in 0..4 {
        let service = home.serve("seconds,echoes");
        let before = home.runs("echoes").len();
        eventually("two more events run", || home.runs("echoes").len() >= before + 2);
        if kills < 3 {
            service.kill();
        } else {
            let open = || home.count("seconds", "interrupted") + home.count("echoes", "interrupted");
            eventually("no run is left", || open() == 0);
            assert_eq!(service.stop(), Some(0));
        }
    }
    // What the stopped service has not seen any more.
    let service = home.serve("echoes");
    let events = home.call(&["events", "dag:seconds", "--limit", "1000", "--output", "json"]).json();
    let numbers: Vec<i64> =
        events.as_array().expect("a list").iter().map(|event| event["number"].as_i64().unwrap()).collect();
    // Events of before the first service are not consumed, and there are none.
    eventually("each event has a run", || home.count("echoes", "success") >= numbers.len());
    assert_eq!(service.stop(), Some(0));
    let consumed: Vec<String> =
        home.runs("echoes").iter().map(|run| run["run_id"].as_str().unwrap().to_owned()).collect();
    let mut expected: Vec<String> = numbers.iter().map(|number| format!("event__{number}__echoes")).collect();
    expected.reverse();
    assert_eq!(consumed, expected, "in order, and each once");
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}

/// Case 45, first part.
#[test]
fn a_home_has_one_service() {
    let home = Home::new();
    let service = home.serve("morning");
    eventually("the service holds its lock", || home.path().join("serve.lock").exists());
    eventually("the second one is refused", || {
        let second = home.call(&["serve", "--only", "morning", "--no-schedule"]);
        second.code == Some(2) && second.stderr.contains(&format!(":{} already serves this home", service.0.id()))
    });
    assert_eq!(service.stop(), Some(0));
    let third = home.serve("morning");
    let own = format!(":{}", third.0.id());
    let lock = || std::fs::read_to_string(home.path().join("serve.lock")).unwrap_or_default();
    eventually("the next one serves", || lock().lines().next().is_some_and(|worker| worker.ends_with(&own)));
    assert_eq!(third.stop(), Some(0));
}

#[test]
fn a_stopped_service_loses_no_work() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let service = home.serve("seconds");
    eventually("a run is running", || home.count("seconds", "running") == 1);
    let first = home.runs("seconds")[0]["run_id"].clone();
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.runs("seconds")[0]["state"], "interrupted");
    std::fs::remove_file(home.hold()).expect("it is there");
    let service = home.serve("seconds");
    eventually("it is resumed", || home.runs("seconds")[0]["state"] == "success");
    assert_eq!(home.runs("seconds")[0]["run_id"], first);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_service_tells_systemd_when_it_is_ready_and_when_it_stops() {
    let home = Home::new();
    let path = home.beside("notify");
    let socket = UnixDatagram::bind(&path).expect("temporary sockets can be bound");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("it is not zero");
    let said = || {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut program = home.command_with_signals(&["serve", "--quiet", "--only", "morning"]);
    program.env("NOTIFY_SOCKET", &path);
    let service = Service(program.spawn().expect("a built program starts"));
    assert_eq!(said(), "READY=1");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(said(), "STOPPING=1");
}

/// A unit with `WatchdogSec=1`: the environment that systemd gives its process.
#[test]
fn a_service_tells_the_watchdog_of_systemd_that_it_works() {
    let home = Home::new();
    let path = home.beside("notify");
    let socket = UnixDatagram::bind(&path).expect("temporary sockets can be bound");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("it is not zero");
    let said = || {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let until = |wanted: &str| {
        while said() != wanted {}
    };
    let mut program = home.command_with_signals(&["serve", "--quiet", "--only", "morning"]);
    program.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000").env_remove("WATCHDOG_PID");
    let service = Service(program.spawn().expect("a built program starts"));
    until("READY=1");
    // Again and again.
    (0..3).for_each(|_| until("WATCHDOG=1"));
    assert_eq!(service.stop(), Some(0));
    until("STOPPING=1");
}

#[test]
fn a_service_starts_what_is_queued() {
    let home = Home::new();
    let queued = home.call(&["trigger", "manual", "--name", "ada", "--output", "json"]).json();
    assert_eq!((queued["state"].as_str(), queued["run_type"].as_str()), (Some("queued"), Some("manual")));
    let service = home.serve("manual");
    eventually("the run of before", || home.count("manual", "success") == 1);
    let queued = home.call(&["trigger", "manual", "--name", "grace"]);
    assert!(queued.stderr.contains("run 2 of `manual` is queued"), "{}", queued.stderr);
    eventually("the run of now", || home.count("manual", "success") == 2);
    assert_eq!(home.call(&["values", "2", "second"]).stdout.trim(), "grace");
    assert_eq!(service.stop(), Some(0));
    let missing = home.call(&["trigger", "manual"]);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
}
