//! What a service survives: processes that die, stores in trouble, locks that vanish, machines that
//! sleep.

use std::collections::HashSet;
#[cfg(feature = "failpoints")]
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use taskflow::Timestamp;
#[cfg(feature = "failpoints")]
use taskflow_tests::binaries::call_at;
use taskflow_tests::binaries::program_with_signals;
use taskflow_tests::common::eventually;

use crate::serve::{Home, Service, time};

/// `run manual` in a process of its own, held until the file `hold` is gone.
fn run_by_hand(home: &Home) -> Service {
    let mut program = program_with_signals("serves");
    program.args(["run", "manual", "--name", "ada", "-q"]).env("TASKFLOW_HOME", home.path());
    program.env("SERVES_HOLD", home.hold()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Service(program.spawn().expect("a built program starts"))
}

fn held() -> Home {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    home
}

fn release(home: &Home) {
    std::fs::remove_file(home.hold()).expect("it is there");
}

#[test]
fn a_run_whose_process_died_is_resumed_by_the_service() {
    let home = held();
    let service = home.serve("manual,morning");
    eventually("it serves", || home.path().join("serve.lock").exists());
    let run = run_by_hand(&home);
    eventually("it runs", || home.count("manual", "running") == 1);
    let worker = home.runs("manual")[0]["worker"].clone();
    run.kill();
    eventually("the service has it", || {
        let run = home.runs("manual").remove(0);
        run["state"] == "running" && run["worker"] != worker
    });
    release(&home);
    eventually("it ends", || home.count("manual", "success") == 1);
    assert_eq!(service.stop(), Some(0));
}

/// Holds the second task of runs of the first day of 2025 until the file that it returns is gone.
pub(crate) fn hold_the_first_day(home: &Home) -> String {
    let held = format!("{}.2025-01-01", home.hold().display());
    std::fs::write(&held, "").expect("temporary files can be written");
    held
}

/// A task of a run, as far as it is stored.
fn task_of(home: &Home, run: &str, id: &str) -> Option<Value> {
    let status = home.call(&["status", run, "--output", "json"]);
    let tasks = if status.code == Some(0) { status.json()["tasks"].clone() } else { Value::Null };
    tasks.as_array().and_then(|tasks| tasks.iter().find(|task| task["id"] == id).cloned())
}

/// A service of some DAGs that is in this attempt of the second task of a run.
pub(crate) fn in_attempt(home: &Home, dags: &str, run: &str, attempt: usize) -> Service {
    let service = home.serve(dags);
    let attempts = |task: &Value| task["attempts"].as_array().map_or(0, Vec::len);
    let is_running = |task: Value| task["state"] == "running" && attempts(&task) == attempt;
    eventually("it runs", || task_of(home, run, "labelled").is_some_and(is_running));
    service
}

/// A service that is in this attempt of the second task of the second run, for which the first one
/// waits.
fn in_attempt_of_relayed(home: &Home, attempt: usize) -> Service {
    let service = in_attempt(home, "relays,days", "2", attempt);
    eventually("the first run waits", || task_of(home, "1", "days").is_some_and(|task| task["state"] == "deferred"));
    service
}

/// Asks a service to cancel a run, and kills it before it can hear that.
fn ask_to_cancel_and_kill(home: &Home, run: &str, service: Service) {
    eventually("it is asked", || {
        service.signal(Signal::STOP);
        let is_asked = home.call(&["cancel", run, "--no-wait", "--reason", "not now"]).code == Some(0);
        if !is_asked {
            // It was stopped in a commit, and has the lock of the store.
            service.signal(Signal::CONT);
        }
        is_asked
    });
    service.kill();
}

/// Three services die while the first of two runs of a backfill is in its second task. It was
/// refused from then on, and the backfill waited for it.
#[test]
fn a_run_with_which_three_services_have_died_fails_and_holds_up_nobody() {
    let home = Home::new();
    let held = hold_the_first_day(&home);
    assert_eq!(home.call(&["backfill", "days", "2025-01-01/2025-01-02"]).code, Some(0));
    for attempt in 1..4 {
        in_attempt(&home, "days", "1", attempt).kill();
    }
    std::fs::remove_file(held).expect("it is there");
    let service = home.serve("days");
    eventually("the backfill ends", || {
        home.call(&["backfills", "show", "1", "--output", "json"]).json()["state"] == "done"
    });
    assert_eq!(service.stop(), Some(0));
    let runs: Vec<Value> = home.runs("days").into_iter().map(|run| run["state"].clone()).collect();
    assert_eq!(runs, ["failed", "success"]);
    let why = home.call(&["status", "1"]).stdout;
    assert!(why.contains("its process has died 3 times while it ran"), "{why}");
    assert_eq!(home.call(&["retry", "1"]).code, Some(0), "somebody may try it again");
}

/// Three services die in the second task. It fails, and the retry of the run calls it again: the
/// service that dies then is the first one of another round.
#[test]
fn a_retry_of_the_run_calls_a_task_again_with_which_three_services_have_died() {
    let home = Home::new();
    let held = hold_the_first_day(&home);
    assert_eq!(home.call(&["trigger", "stubborn", "--day", "2025-01-01"]).code, Some(0));
    for attempt in 1..5 {
        in_attempt(&home, "stubborn", "1", attempt).kill();
    }
    let service = in_attempt(&home, "stubborn", "1", 5);
    let retries = home.call(&["status", "1", "--output", "json"]).json()["run_retries"].clone();
    assert_eq!(retries.as_array().map(Vec::len), Some(1), "{retries}");
    std::fs::remove_file(held).expect("it is there");
    eventually("the run ends", || home.count("stubborn", "success") == 1);
    assert_eq!(service.stop(), Some(0));
}

/// Three services die in the second task. The third one is asked to cancel the run before that, and
/// cannot hear it because it is stopped. The run failed, and nothing said that it was to be
/// cancelled.
#[test]
fn a_run_that_was_to_be_cancelled_when_the_third_service_died_ends_as_cancelled() {
    let home = Home::new();
    let held = hold_the_first_day(&home);
    assert_eq!(home.call(&["backfill", "days", "2025-01-01/2025-01-01"]).code, Some(0));
    for attempt in 1..3 {
        in_attempt(&home, "days", "1", attempt).kill();
    }
    let third = in_attempt(&home, "days", "1", 3);
    ask_to_cancel_and_kill(&home, "1", third);
    let service = home.serve("days");
    eventually("the run ends", || home.runs("days").iter().all(|run| run["ended"].is_string()));
    assert_eq!(service.stop(), Some(0));
    std::fs::remove_file(held).expect("it is there");
    let status = home.call(&["status", "1", "--output", "json"]).json();
    assert_eq!(status["state"], "cancelled", "{status}");
    assert!(status["halt_reason"].as_str().is_some_and(|reason| reason.starts_with("not now")), "{status}");
}

/// Three services die in the second task of a run that a task of the first one waits for. It was
/// refused, so that the first run failed and it stayed interrupted.
#[test]
fn a_run_that_another_one_waits_for_fails_when_three_services_have_died_with_it() {
    let home = Home::new();
    let held = hold_the_first_day(&home);
    assert_eq!(home.call(&["trigger", "relays", "--day", "2025-01-01"]).code, Some(0));
    for attempt in 1..4 {
        in_attempt_of_relayed(&home, attempt).kill();
    }
    let service = home.serve("relays,days");
    eventually("the first run ends", || home.runs("relays")[0]["ended"].is_string());
    assert_eq!(service.stop(), Some(0));
    std::fs::remove_file(held).expect("it is there");
    assert_eq!((home.count("relays", "failed"), home.count("days", "failed")), (1, 1));
    let why = home.call(&["status", "1", "--output", "json"]).stdout;
    assert!(why.contains("its process has died 3 times while it ran"), "{why}");
}

/// The first run was to be cancelled when its service died, and ends before its task could resume
/// the run that it waits for: nobody took that up.
#[test]
fn an_interrupted_run_is_cancelled_when_the_run_that_waited_for_it_has_ended() {
    let home = Home::new();
    let held = hold_the_first_day(&home);
    assert_eq!(home.call(&["trigger", "relays", "--day", "2025-01-01"]).code, Some(0));
    ask_to_cancel_and_kill(&home, "1", in_attempt_of_relayed(&home, 1));
    let service = home.serve("relays,days");
    eventually("the first run ends", || home.count("relays", "cancelled") == 1);
    eventually("the second run ends", || home.count("days", "cancelled") == 1);
    assert_eq!(service.stop(), Some(0));
    std::fs::remove_file(held).expect("it is there");
    let reason = home.call(&["status", "2", "--output", "json"]).json()["halt_reason"].clone();
    assert_eq!(reason, "the run that waited for this one has ended");
}

/// The process of the run dies while the next slot waits. The slot was said to start when a service
/// is running.
#[test]
fn a_slot_that_waits_for_an_interrupted_run_says_so_with_the_next_step() {
    let home = held();
    let service = home.serve("seconds");
    let waits = || {
        let slots = home.call(&["slots", "seconds", "--output", "json"]).json();
        let slots = slots.as_array().expect("a list").clone();
        slots.into_iter().find(|slot| slot["fate"] == "waiting").map(|slot| slot["reason"].clone())
    };
    eventually("a slot waits", || waits().is_some());
    assert_eq!(waits().expect("a slot"), "a run is active");
    service.kill();
    let number = &home.runs("seconds")[0]["number"];
    let next_step = format!("if no service resumes it, `resume {number}` or `cancel {number}`");
    assert_eq!(waits().expect("a slot"), format!("run {number} was interrupted and goes on first; {next_step}"));
}

/// Ctrl-C releases the run: a person wants it to wait.
#[test]
fn a_run_that_somebody_interrupted_is_left_to_that_person() {
    let home = held();
    let service = home.serve("manual,seconds");
    // A service resumes what was interrupted before it began. No run ends as long as it is held.
    eventually("the service works", || home.count("seconds", "running") > 0);
    let run = run_by_hand(&home);
    eventually("it runs", || home.count("manual", "running") == 1);
    run.signal(Signal::INT);
    eventually("it is interrupted", || home.count("manual", "interrupted") == 1);
    release(&home);
    // The service looks at the store about once a second.
    let before = home.count("seconds", "success");
    eventually("the service works", || home.count("seconds", "success") > before + 3);
    assert_eq!(home.count("manual", "interrupted"), 1);
    assert_eq!(service.stop(), Some(0));
    let service = home.serve("manual");
    eventually("the next service resumes it", || home.count("manual", "success") == 1);
    assert_eq!(service.stop(), Some(0));
}

#[cfg(feature = "failpoints")]
#[test]
fn a_store_in_trouble_is_reported_once_and_when_it_recovers() {
    let home = Home::new();
    let mut program = program_with_signals("serves");
    program.args(["serve", "--only", "seconds"]).env("TASKFLOW_HOME", home.path());
    program.env("TASKFLOW_FAILPOINTS", "store.step@2=EIO;store.step@3=EIO;store.step@4=EIO").stdin(Stdio::null());
    let mut child = program.stderr(Stdio::piped()).spawn().expect("a built program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let service = Service(child);
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.contains("the store works again, after")) {
        said.push(lines.next().expect("it goes on").expect("it writes text"));
    }
    let errors: Vec<&String> = said.iter().filter(|line| line.contains("cannot write to the store")).collect();
    assert_eq!(errors.len(), 1, "{said:?}");
    eventually("it runs", || home.count("seconds", "success") > 1);
    assert_eq!(service.stop(), Some(0));
    let slots: Vec<Timestamp> = home.runs("seconds").iter().map(|run| time(&run["logical_date"])).collect();
    assert!(slots.windows(2).all(|pair| pair[1].since(pair[0]).as_secs() == 1), "no slot is lost: {slots:?}");
}

/// Case 45, second part: two services that both believe that they serve the home make each slot
/// once, because the step of one of them is a conflict and the ids of the runs are unique.
#[test]
fn two_services_of_a_home_make_no_slot_twice() {
    let home = Home::new();
    let first = home.serve("seconds");
    eventually("it runs", || home.count("seconds", "success") > 0);
    std::fs::remove_file(home.path().join("serve.lock")).expect("it is there");
    let second = home.serve("seconds");
    let before = home.runs("seconds").len();
    eventually("slots run", || home.runs("seconds").len() > before + 5);
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));
    let service = home.serve("seconds");
    eventually("no run is left", || home.count("seconds", "success") == home.runs("seconds").len());
    assert_eq!(service.stop(), Some(0));
    let slots: Vec<Timestamp> = home.runs("seconds").iter().map(|run| time(&run["logical_date"])).collect();
    assert!(slots.windows(2).all(|pair| pair[1].since(pair[0]).as_secs() == 1), "none twice, none lost: {slots:?}");
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}

/// The same for events, for the slots of a backfill and for queued runs.
#[test]
fn two_services_of_a_home_run_no_event_no_backfill_and_no_queued_run_twice() {
    const DAYS: u64 = 20;

    let (home, only) = (Home::new(), "seconds,echoes,days,manual");
    let first = home.serve(only);
    eventually("events run", || home.count("echoes", "success") > 0);
    std::fs::remove_file(home.path().join("serve.lock")).expect("it is there");
    let second = home.serve(only);
    let own = format!(":{}", second.0.id());
    let lock = || std::fs::read_to_string(home.path().join("serve.lock")).unwrap_or_default();
    eventually("both serve", || lock().lines().next().is_some_and(|worker| worker.ends_with(&own)));
    let before = home.runs("echoes").len();
    let started = home.call(&["backfill", "days", "2025-12-01/2025-12-20", "--limit", "4", "--output", "json"]);
    assert_eq!(started.json()["slots"], DAYS, "{}", started.stderr);
    for name in ["ada", "grace", "edsger", "barbara", "donald"] {
        assert_eq!(home.call(&["trigger", "manual", "--name", name]).code, Some(0));
    }
    let backfill = || home.call(&["backfills", "show", "1", "--output", "json"]).json();
    eventually("the backfill is done", || backfill()["state"] == "done");
    eventually("queued runs end", || home.count("manual", "success") == 5);
    eventually("events run", || home.runs("echoes").len() > before + 3);
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));

    let made = home.runs("days").into_iter().filter(|run| run["run_type"] == "backfill").collect::<Vec<Value>>();
    let slots: HashSet<Timestamp> = made.iter().map(|run| time(&run["logical_date"])).collect();
    assert_eq!((made.len() as u64, slots.len() as u64), (DAYS, DAYS));
    let counts = &backfill()["counts"];
    assert_eq!((&counts["new"], &counts["success"]), (&DAYS.into(), &DAYS.into()), "{counts}");
    // The processes have not ended before these runs.
    let queued = home.runs("manual");
    assert_eq!(queued.len(), 5);
    for run in queued.iter().chain(&made) {
        let status = home.call(&["status", &run["number"].to_string(), "--output", "json"]).json();
        for task in status["tasks"].as_array().expect("a list") {
            assert_eq!(task["attempts"].as_array().map(Vec::len), Some(1), "{status}");
        }
    }
    // What the stopped services have not consumed any more.
    let events = home.call(&["events", "dag:seconds", "--limit", "1000", "--output", "json"]).json();
    let mut numbers: Vec<i64> =
        events.as_array().expect("a list").iter().map(|event| event["number"].as_i64().expect("a number")).collect();
    numbers.reverse();
    let service = home.serve("echoes");
    eventually("each event has a run", || home.count("echoes", "success") >= numbers.len());
    assert_eq!(service.stop(), Some(0));
    let consumed = home.runs("echoes").into_iter().map(|run| run["run_id"].as_str().expect("an id").to_owned());
    let expected: Vec<String> = numbers.iter().map(|number| format!("event__{number}__echoes")).collect();
    assert_eq!(consumed.collect::<Vec<String>>(), expected, "in order, and each once");
    let check = home.call(&["db", "check"]);
    assert_eq!(check.code, Some(0), "{}", check.stdout);
}

#[test]
fn a_queued_run_says_that_the_service_does_not_serve_its_dag() {
    let home = Home::new();
    let service = home.serve("seconds");
    eventually("it runs", || home.count("seconds", "success") > 0);
    assert_eq!(home.call(&["trigger", "manual", "--name", "ada"]).code, Some(0));
    let number = home.runs("manual")[0]["number"].to_string();
    let explained = home.call(&["explain", &number]).stdout;
    let served_by = format!(":{} serves this home without it", service.0.id());
    assert!(explained.contains("it waits for a service of `manual`: "), "{explained}");
    assert!(explained.contains(&served_by), "{explained}");
    let wait = home.call(&["status", &number, "--output", "json"]).json()["queue_wait"].clone();
    assert_eq!((&wait["cause"], &wait["dag_id"]), (&"not_served".into(), &"manual".into()));
    assert_eq!(service.stop(), Some(0));
}

/// The next service takes up the run before its schedules make their first step: the slot that is
/// due waits for the end of that run.
#[test]
fn a_run_that_a_crash_interrupts_holds_up_the_next_slot() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let service = home.serve("seconds");
    eventually("it runs", || home.count("seconds", "running") == 1);
    let slot = time(&home.runs("seconds")[0]["logical_date"]);
    service.kill();
    eventually("the next slot is due", || Timestamp::now().since(slot).as_secs() >= 2);
    let service = home.serve("seconds");
    let waits = || home.slots("seconds").into_iter().any(|slot| slot["fate"] == "waiting");
    eventually("the slot waits", waits);
    assert_eq!((home.runs("seconds").len(), home.count("seconds", "running")), (1, 1));
    std::fs::remove_file(home.hold()).expect("it is there");
    eventually("the slot runs", || home.count("seconds", "success") > 1);
    assert_eq!(service.stop(), Some(0));
}

/// A midnight in Seoul to come, a slot of `days`.
#[cfg(feature = "failpoints")]
fn midnight() -> Timestamp {
    format!("{}T15:00:00Z", Timestamp::now().date().tomorrow()).parse().expect("a time")
}

#[cfg(feature = "failpoints")]
const DAY: Duration = Duration::from_secs(86_400);

/// Case 30: a slot that passes during a restart runs, and the service says how late it is.
#[cfg(feature = "failpoints")]
#[test]
fn a_slot_that_passes_during_a_restart_is_said_to_be_late() {
    let (home, midnight) = (Home::new(), midnight());
    home.set_clock(midnight - Duration::from_secs(10 * 60));
    // One step stores the schedules of both.
    let service = home.serve("days,seconds");
    eventually("the service knows them", || home.count("seconds", "success") > 0);
    assert_eq!((service.stop(), home.runs("days").len()), (Some(0), 0));
    home.set_clock(midnight + Duration::from_secs(20 * 60 + 10));
    let mut program = program_with_signals("serves");
    program.args(["serve", "--only", "days"]).env("TASKFLOW_HOME", home.path()).env("SERVES_HOLD", home.hold());
    let program = program.env("TASKFLOW_CLOCK", home.clock()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = program.stderr(Stdio::piped()).spawn().expect("a built program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let service = Service(child);
    let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("late")));
    let said = said.expect("it goes on until it says so").expect("it writes text");
    let late = said.split_once(" is ").and_then(|(_, late)| late.split_once(" m ")?.0.parse::<u32>().ok());
    assert!(said.contains(" days: the slot ") && late.is_some_and(|minutes| minutes >= 20), "{said}");
    eventually("the slot runs", || home.count("days", "success") == 1);
    assert_eq!(time(&home.runs("days")[0]["logical_date"]), midnight);
    assert!(home.slots("days").iter().all(|slot| slot["fate"] == "success"), "{:?}", home.slots("days"));
    assert_eq!(service.stop(), Some(0));
}

/// Case 43: a machine that was suspended has missed the slots, as if no service had run. For the
/// service it is a clock that jumps, which it notices within 30 seconds, and mostly within one.
#[cfg(feature = "failpoints")]
#[test]
fn a_suspended_machine_has_missed_its_slots() {
    let home = Home::new();
    home.move_clock(0);
    let service = home.serve("tides");
    eventually("it runs", || home.count("tides", "success") > 0);
    home.move_clock(8 * 3_600);
    let missed = || home.slots("tides").into_iter().find(|slot| slot["fate"] == "missed");
    eventually("the slots are recorded", || missed().is_some());
    let missed = missed().expect("a record");
    assert_eq!(missed["reason"], "no service was running");
    let count = missed["count"].as_u64().expect("a number");
    assert!((8 * 3_600 - 120..=8 * 3_600).contains(&count), "{count}");
    let runs = home.runs("tides").len();
    eventually("it runs again", || home.runs("tides").len() > runs + 1);
    assert_eq!(service.stop(), Some(0));
    // The slots of the last minute were on time when the service noticed it.
    let runs = home.runs("tides");
    let after = runs.iter().filter(|run| time(&run["logical_date"]) > time(&missed["last"]));
    let first = after.min_by_key(|run| time(&run["logical_date"])).expect("it runs again");
    assert!(time(&first["created"]).since(time(&first["logical_date"])) <= Duration::from_secs(60), "{first}");
    let is_slot = |slot: &&Value| slot["fate"] != "note" && slot["fate"] != "waiting";
    let slots = home.slots("tides");
    let spans = slots.iter().rev().filter(is_slot).map(|slot| (time(&slot["first"]), time(&slot["last"])));
    let spans: Vec<(Timestamp, Timestamp)> = spans.collect();
    let follow = |pair: &[(Timestamp, Timestamp)]| pair[1].0 == pair[0].1 + Duration::from_secs(1);
    assert!(spans.windows(2).all(follow), "each slot is a run or recorded as missed, once: {spans:?}");
}

/// Case 43 for a service that has hours to wait: it does not sleep on, and the last slot runs.
#[cfg(feature = "failpoints")]
#[test]
fn a_service_that_waits_for_tomorrow_notices_that_the_machine_was_suspended() {
    let (home, midnight) = (Home::new(), midnight());
    home.set_clock(midnight - DAY / 2);
    let service = home.serve("days,tides");
    eventually("the service knows them", || home.count("tides", "success") > 0);
    assert_eq!(service.stop(), Some(0));
    let service = home.serve("days");
    home.set_clock(midnight + DAY * 2 + Duration::from_secs(600));
    eventually("the last slot runs", || home.count("days", "success") == 1);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(time(&home.runs("days")[0]["logical_date"]), midnight + DAY * 2);
    let slots = home.slots("days");
    let [_, missed] = &slots[..] else { panic!("{slots:?}") };
    assert_eq!((&missed["fate"], &missed["reason"]), (&"missed".into(), &"no service was running".into()));
    assert_eq!((time(&missed["first"]), time(&missed["last"])), (midnight, midnight + DAY));
}

/// Case 47: a DAG that was out of the program for a while is not new. The slots that it missed are
/// downtime, and the last one runs.
#[cfg(feature = "failpoints")]
#[test]
fn a_dag_that_comes_back_has_missed_its_slots() {
    let home = Home::new();
    home.move_clock(0);
    let service = home.serve("morning");
    eventually("the service knows it", || home.call(&["pause", "morning"]).code == Some(0));
    assert_eq!(home.call(&["unpause", "morning"]).code, Some(0));
    assert_eq!(service.stop(), Some(0));
    home.move_clock(10 * 86_400);
    // A program without the DAG.
    let other = |words: &[&str]| call_at(&home.path(), "turns", words);
    let mut program = program_with_signals("turns");
    program.args(["serve", "--quiet"]).env("TASKFLOW_HOME", home.path()).env("TASKFLOW_CLOCK", home.clock());
    let program = program.env("TURNS_LOG", home.beside("log")).stdin(Stdio::null());
    let service = Service(program.stdout(Stdio::null()).spawn().expect("a built program starts"));
    assert_eq!(other(&["trigger", "seldom"]).code, Some(0));
    let first = || other(&["runs", "--output", "json"]).json()[0].clone();
    eventually("it serves others", || first()["state"] == "success");
    let dags = other(&["dags", "--output", "json"]).json();
    let morning = dags.as_array().expect("a list").iter().find(|dag| dag["dag_id"] == "morning");
    assert!(morning.is_none_or(|dag| dag["is_gone"] == true), "{morning:?}");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.runs("morning").len(), 0);
    let service = home.serve("morning");
    eventually("the last slot runs", || home.count("morning", "success") == 1);
    assert_eq!(service.stop(), Some(0));
    let missed = home.slots("morning").into_iter().find(|slot| slot["fate"] == "missed").expect("a record");
    assert!(missed["count"].as_u64().is_some_and(|count| (6..=9).contains(&count)), "{missed}");
    let run = time(&home.runs("morning")[0]["logical_date"]);
    assert!(run > time(&missed["last"]), "the last slot is the one that runs");
    assert!(Timestamp::now() + Duration::from_secs(10 * 86_400) > run);
}

/// Case 49: the marks of a schedule are apart from its runs.
#[test]
fn deleting_runs_brings_no_slot_back() {
    let home = Home::new();
    let service = home.serve("seconds");
    eventually("slots run", || home.count("seconds", "success") > 2);
    assert_eq!(service.stop(), Some(0));
    // The last run may be one that the service has interrupted.
    let ended = home.runs("seconds").into_iter().rfind(|run| run["state"] == "success").expect("a run");
    let pruned = time(&ended["logical_date"]);
    let prune = home.call(&["db", "prune", "--older-than", "0s"]);
    assert_eq!(prune.code, Some(0), "{}", prune.stderr);
    assert_eq!(home.count("seconds", "success"), 0);
    let service = home.serve("seconds");
    eventually("later slots run", || home.count("seconds", "success") > 1);
    assert_eq!(service.stop(), Some(0));
    let slots: Vec<Timestamp> = home.runs("seconds").iter().map(|run| time(&run["logical_date"])).collect();
    let follow = |pair: &[Timestamp]| pair[1] == pair[0] + Duration::from_secs(1);
    assert!([pruned].iter().chain(&slots).copied().collect::<Vec<_>>().windows(2).all(follow), "{pruned}: {slots:?}");
}
