//! The verb `doctor`.

#[cfg(feature = "failpoints")]
use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;
use taskflow_tests::binaries::{ProgramOutput, program_with_signals};
use taskflow_tests::common::eventually;

use crate::robustness::{hold_the_first_day, in_attempt};
use crate::serve::{Home, Service};

fn examine(home: &Home) -> (ProgramOutput, Vec<Value>) {
    let output = home.call(&["doctor", "--output", "json"]);
    let findings = output.json()["findings"].as_array().expect("a list").clone();
    assert_eq!(output.json()["needs_attention"], output.code == Some(1));
    (output, findings)
}

/// The findings of this kind.
fn of<'a>(findings: &'a [Value], kind: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["finding"] == kind).collect()
}

#[test]
fn a_home_without_a_service_needs_attention() {
    let home = Home::new();
    let (output, findings) = examine(&home);
    assert_eq!(output.code, Some(1));
    assert!(of(&findings, "no_home").len() == 1 && of(&findings, "disk_space").len() == 1, "{findings:?}");
    let none = of(&findings, "no_service")[0];
    assert_eq!((&none["severity"], &none["queued"]), (&"problem".into(), &0.into()));
    assert!(none["next_step"].as_str().is_some_and(|next| next.contains("start `serve`")));
    // A default that panics for the next slot is known before the night.
    let failing = of(&findings, "no_defaults").into_iter().find(|finding| finding["dag"] == "failing");
    assert!(failing.expect("a finding")["reason"].as_str().is_some_and(|reason| reason.contains("no value for 20")));
    assert_eq!(home.call(&["trigger", "manual", "--name", "ada"]).code, Some(0));
    let text = home.call(&["doctor"]);
    assert_eq!(text.code, Some(1));
    assert!(text.stdout.contains(" DAGs are scheduled, 2 DAGs consume events, and 1 run is queued"), "{}", text.stdout);
    assert!(text.stdout.contains("ok       the store opens, and its file shows no damage"), "{}", text.stdout);
}

#[test]
fn each_problem_of_a_schedule_is_a_finding_with_the_next_step() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let service = home.serve("seconds,guarded,manual");
    assert_eq!(home.call(&["pause", "morning", "--by", "mina", "--reason", "migration"]).code, Some(0));
    eventually("slots wait for room", || !of(&examine(&home).1, "waits_for_room").is_empty());
    let waiting = home.slots("seconds").into_iter().find(|slot| slot["fate"] == "waiting").expect("it waits");
    assert_eq!(waiting["reason"], "a run is active");
    let (_, findings) = examine(&home);
    let serving = of(&findings, "service")[0];
    assert!(serving["worker"].as_str().is_some_and(|worker| worker.ends_with(&format!(":{}", service.0.id()))));
    assert!(serving["since"].is_string());
    let paused = of(&findings, "paused");
    let morning = paused.iter().find(|finding| finding["dag"] == "morning").expect("it is paused");
    assert_eq!((&morning["severity"], &morning["next_step"]), (&"notice".into(), &"`unpause morning`".into()));
    assert_eq!(of(&findings, "clock_right").len(), 1);
    // The service pauses it, which is a report of trouble.
    std::fs::remove_file(home.hold()).expect("it is there");
    let guarded = || {
        let findings = examine(&home).1;
        of(&findings, "paused").into_iter().find(|finding| finding["dag"] == "guarded").cloned()
    };
    eventually("it is paused", || guarded().is_some());
    assert_eq!(guarded().expect("it is paused")["severity"], "problem");
    assert_eq!(service.stop(), Some(0));
}

/// Case 53.
#[cfg(feature = "failpoints")]
#[test]
fn a_schedule_that_falls_behind_is_said_by_every_view() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    home.move_clock(0);
    let (service, mut log) = home.serve_aloud("seconds");
    eventually("it runs", || home.count("seconds", "running") == 1);
    // Its run takes longer than thirty periods.
    home.move_clock(30);
    eventually("it falls behind", || !of(&examine(&home).1, "falls_behind").is_empty());
    let (_, findings) = examine(&home);
    let finding = of(&findings, "falls_behind")[0];
    assert_eq!((&finding["severity"], &finding["dag"]), (&"problem".into(), &"seconds".into()));
    assert!(finding["slots"].as_u64().is_some_and(|slots| slots >= 10), "{finding}");
    let message = finding["message"].as_str().expect("a message");
    assert!(message.starts_with("`seconds` falls behind its schedule: "), "{message}");
    assert!(finding["next_step"].as_str().is_some_and(|step| step.starts_with("`slots seconds` lists them")));
    let dags = home.call(&["dags", "--output", "json"]).json();
    let seconds = dags.as_array().expect("a list").iter().find(|dag| dag["dag_id"] == "seconds").expect("the DAG");
    assert_eq!(seconds["behind"]["first"], finding["first"]);
    assert!(home.call(&["dags"]).stdout.contains("falls behind: "));
    let next = home.call(&["next", "seconds"]);
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert!(next.stderr.contains("`seconds` falls behind its schedule: "), "{}", next.stderr);
    let notes = home.slots("seconds").into_iter().filter(|slot| slot["note"]["kind"] == "falls_behind").count();
    assert_eq!(notes, 1, "it is noted once");
    std::fs::remove_file(home.hold()).expect("it is there");
    assert_eq!(service.stop(), Some(0));
    let mut said = String::new();
    log.read_to_string(&mut said).expect("it writes text");
    assert_eq!(said.matches("it falls behind its schedule: 10 slots wait, the first is ").count(), 1, "{said}");
}

/// DAGs with event parameters are in the views of all DAGs.
#[test]
fn what_is_pending_for_a_dag_is_a_finding() {
    let home = Home::new();
    let service = home.serve("echoes");
    let cursor = || home.call(&["consumers", "echoes", "--output", "json"]).json()[0]["inputs"][0]["cursor"].clone();
    eventually("the service has seen it", || cursor().is_number());
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.call(&["run", "seconds", "-q"]).code, Some(0));
    let pending = |findings: &[Value]| of(findings, "pending_events").into_iter().next().cloned();
    let finding = pending(&examine(&home).1).expect("a finding");
    assert_eq!(
        (&finding["severity"], &finding["dag"], &finding["pending"]),
        (&"notice".into(), &"echoes".into(), &1.into())
    );
    let message = finding["message"].as_str().expect("a message");
    assert!(message.starts_with("1 event is pending for `echoes` since "), "{message}");
    assert_eq!(finding["next_step"], "`consumers echoes` shows them");
    let echoes = || {
        let all = home.call(&["dags", "--output", "json"]).json();
        all.as_array().expect("a list").iter().find(|dag| dag["dag_id"] == "echoes").cloned().expect("it is there")
    };
    assert_eq!((&echoes()["consumes"][0], &echoes()["pending_events"]), (&"dag:seconds".into(), &1.into()));
    assert_eq!(home.call(&["pause", "echoes", "--by", "mina"]).code, Some(0));
    assert_eq!(echoes()["pause"]["by"], "mina");
    let (_, findings) = examine(&home);
    assert!(of(&findings, "paused").iter().any(|finding| finding["dag"] == "echoes"), "{findings:?}");
    let table = home.call(&["dags"]).stdout;
    assert!(table.contains("events of dag:seconds") && table.contains("paused by mina, 1 event pending"), "{table}");
}

#[test]
fn an_interrupted_run_is_a_problem_unless_a_service_resumes_it() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let mut program = program_with_signals("serves");
    program.args(["run", "manual", "--name", "ada", "-q"]).env("TASKFLOW_HOME", home.path());
    let program = program.env("SERVES_HOLD", home.hold()).stdout(Stdio::null()).stderr(Stdio::null());
    let run = Service(program.spawn().expect("a built program starts"));
    eventually("it runs", || home.count("manual", "running") == 1);
    run.kill();
    let (_, findings) = examine(&home);
    let interrupted = of(&findings, "interrupted")[0];
    assert_eq!((&interrupted["severity"], &interrupted["run"]), (&"problem".into(), &1.into()));
    assert_eq!(interrupted["next_step"], "`resume 1`, or `cancel 1`");
}

/// Three services die in the second task of a run. The next step was `resume`, which refuses it.
#[test]
fn an_interrupted_run_with_which_three_services_have_died_is_named_with_the_task() {
    let home = Home::new();
    hold_the_first_day(&home);
    assert_eq!(home.call(&["trigger", "stubborn", "--day", "2025-01-01"]).code, Some(0));
    for attempt in 1..4 {
        in_attempt(&home, "stubborn", "1", attempt).kill();
    }
    let (_, findings) = examine(&home);
    let interrupted = of(&findings, "interrupted")[0];
    assert_eq!((&interrupted["severity"], &interrupted["deadly"][0]), (&"problem".into(), &"labelled".into()));
    let message = "run 1 of `stubborn` is interrupted, and `resume` refuses it: three processes have died while \
                   `labelled` ran";
    assert_eq!(interrupted["message"], message);
    assert_eq!(interrupted["next_step"], "`clear 1 labelled` runs it again all the same; or `cancel 1`");
    assert_eq!(home.call(&["resume", "1"]).code, Some(2));
}

/// Case 20: `*/7` is due at minute 56 and at minute 0. `next`, `show` and `doctor` say so.
#[test]
fn a_step_that_does_not_divide_its_range_is_said() {
    let home = Home::new();
    let said = "`*/7` begins again with each hour: 4 minutes lie between its last minute, 56, and the next hour";
    for words in [&["next", "uneven"][..], &["show", "uneven"], &["show", "uneven", "--format", "dot"]] {
        let output = home.call(words);
        let note = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((output.code, note), (Some(0), format!("`uneven`: {said}")), "{words:?}");
    }
    // Programs read these documents.
    let document = home.call(&["next", "uneven", "--output", "json"]);
    assert_eq!((&document.json()[0]["note"], &*document.stderr), (&said.into(), ""));
    assert_eq!(home.call(&["show", "uneven", "--output", "json"]).stderr, "");
    assert_eq!(home.call(&["show", "minutes"]).stderr, "");
    let findings = examine(&home).1;
    let [finding] = of(&findings, "schedule_note")[..] else { panic!("{findings:?}") };
    assert_eq!((&finding["dag"], &finding["severity"]), (&"uneven".into(), &"notice".into()));
    assert_eq!((&finding["note"], &finding["next_step"]), (&said.into(), &"`next uneven -n 20` shows it".into()));
}

/// Case 42.
#[cfg(feature = "failpoints")]
#[test]
fn a_clock_that_does_not_fit_the_store_is_a_finding() {
    let found = |days: i64, kind: &str| {
        let home = Home::new();
        home.move_clock(days * 86_400);
        let service = home.serve("seconds");
        eventually("slots run", || home.count("seconds", "success") > 0);
        assert_eq!(service.stop(), Some(0));
        of(&examine(&home).1, kind).first().map(|finding| (finding["severity"].clone(), finding["message"].clone()))
    };
    let (severity, message) = found(10, "clock_behind").expect("a finding");
    assert_eq!(severity, "problem");
    assert!(message.as_str().is_some_and(|message| message.ends_with("is 9 days behind the schedules")), "{message}");
    let (severity, message) = found(-500, "clock_ahead").expect("a finding");
    assert_eq!(severity, "notice");
    assert!(message.as_str().is_some_and(|message| message.ends_with("is 500 days old")), "{message}");
}
