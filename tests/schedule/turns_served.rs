//! The turns and the limits of queued runs, with the real `serve`.

use std::io::{BufRead as _, BufReader};
use std::ops::Deref;
use std::process::{Command, Stdio};

use serde_json::Value;
use taskflow_tests::binaries::ProgramOutput;
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

use crate::serve::Service;

/// A home of its own for a test, and the files that steer the fixture.
struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("turns"))
    }

    /// Calls the build of the program that lacks a pool.
    fn call_without_pool(&self, words: &[&str]) -> ProgramOutput {
        let mut program = self.command(words);
        program.env("TURNS_LACKS_A_POOL", "1").output().expect("a built program starts").into()
    }

    /// A service with this limit.
    fn serve(&self, limit: usize) -> Service {
        Service(self.service(limit).spawn().expect("a built program starts"))
    }

    fn service(&self, limit: usize) -> Command {
        let mut program = self.command_with_signals(&["serve", "--quiet", "--max-active-runs", &limit.to_string()]);
        program.env("TURNS_HOLD", self.beside("hold")).env("TURNS_LOG", self.beside("log"));
        program.stdin(Stdio::null()).stdout(Stdio::null());
        program
    }

    /// Queues runs of a DAG.
    fn trigger(&self, dag: &str, count: usize) {
        for _ in 0..count {
            let output = self.call(&["trigger", dag]);
            assert_eq!(output.code, Some(0), "{output:?}");
        }
    }

    /// Makes the runs of all DAGs wait, or those of one: `hold.dag`.
    fn hold(&self, name: &str) {
        std::fs::write(self.beside(name), "").expect("temporary files can be written");
    }

    fn release(&self, name: &str) {
        std::fs::remove_file(self.beside(name)).expect("it is there");
    }

    fn count(&self, dag: &str, state: &str) -> usize {
        let runs = self.call(&["runs", "--dag", dag, "--limit", "0", "--output", "json"]).json();
        runs.as_array().expect("a list").iter().filter(|run| run["state"] == state).count()
    }

    /// Waits until so many runs of a DAG are in this state.
    fn reaches(&self, dag: &str, state: &str, count: usize) {
        eventually(&format!("{count} runs of {dag} are {state}"), || self.count(dag, state) == count);
    }

    /// What the tasks of the runs have written.
    fn log(&self) -> Vec<String> {
        std::fs::read_to_string(self.beside("log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The DAGs in the order in which their runs started.
    fn starts(&self) -> Vec<String> {
        self.log().iter().filter_map(|line| line.strip_prefix('+').map(str::to_owned)).collect()
    }

    /// How many runs were active at once, at most.
    fn most_active(&self) -> usize {
        let (mut active, mut most) = (0_usize, 0);
        for line in self.log() {
            active = if line.starts_with('+') { active + 1 } else { active - 1 };
            most = most.max(active);
        }
        most
    }
}

fn stop(service: Service) {
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn dags_start_by_weight_and_within_the_limit() {
    let home = Home::new();
    home.trigger("often", 9);
    home.trigger("seldom", 9);
    let service = home.serve(1);
    home.reaches("often", "success", 9);
    home.reaches("seldom", "success", 9);
    stop(service);
    assert_eq!(home.most_active(), 1);
    let starts = home.starts();
    let (mut often, mut seldom) = (0_u32, 0_u32);
    for dag in &starts {
        *(if dag == "often" { &mut often } else { &mut seldom }) += 1;
        if often < 9 {
            // Three times the difference of the shares, which is at most 1 / 3 + 1 / 1.
            assert!(often.abs_diff(3 * seldom) <= 4, "{starts:?}");
        }
    }
    assert_eq!((often, seldom), (9, 9));
}

#[test]
fn a_priority_starts_first() {
    let home = Home::new();
    home.trigger("seldom", 4);
    home.trigger("often", 4);
    home.trigger("urgent", 3);
    let service = home.serve(1);
    home.reaches("seldom", "success", 4);
    home.reaches("often", "success", 4);
    stop(service);
    assert_eq!(home.starts()[..3], ["urgent", "urgent", "urgent"]);
    assert_eq!(home.most_active(), 1);
}

#[test]
fn the_limit_holds_over_a_restart() {
    let home = Home::new();
    home.hold("hold");
    home.trigger("seldom", 4);
    home.trigger("often", 2);
    let service = home.serve(2);
    eventually("two runs are active", || home.starts().len() == 2);
    assert_eq!(home.count("seldom", "running") + home.count("often", "running"), 2);
    service.kill();
    home.release("log");
    let service = home.serve(2);
    eventually("they are resumed", || home.starts().len() == 2);
    let active = || home.count("seldom", "running") + home.count("often", "running");
    assert_eq!((active(), home.count("seldom", "queued") + home.count("often", "queued")), (2, 4));
    home.release("hold");
    home.reaches("seldom", "success", 4);
    home.reaches("often", "success", 2);
    stop(service);
    assert_eq!((home.most_active(), home.starts().len()), (2, 6));
}

#[test]
fn a_dag_at_its_own_limit_does_not_block_others() {
    let home = Home::new();
    home.hold("hold.alone");
    home.trigger("alone", 3);
    home.trigger("seldom", 3);
    let service = home.serve(2);
    home.reaches("seldom", "success", 3);
    assert_eq!((home.count("alone", "running"), home.count("alone", "queued")), (1, 2));
    let status = home.call(&["status", "2"]);
    assert!(status.stdout.contains("queued waits for run 1 of `alone`: max_active_runs = 1\n"), "{}", status.stdout);
    home.release("hold.alone");
    home.reaches("alone", "success", 3);
    stop(service);
}

/// The sensors of two runs wait for runs that are queued behind them.
#[test]
fn a_run_that_a_sensor_waits_for_starts_beyond_the_limit() {
    let home = Home::new();
    home.hold("hold.awaited");
    let service = home.serve(1);
    home.trigger("outermost", 1);
    home.reaches("outermost", "running", 1);
    home.trigger("seldom", 1);
    home.trigger("waits", 1);
    home.trigger("awaited", 1);
    home.reaches("awaited", "running", 1);
    assert_eq!(home.count("seldom", "queued"), 1);
    home.release("hold.awaited");
    home.reaches("seldom", "success", 1);
    for dag in ["outermost", "waits", "awaited"] {
        assert_eq!(home.count(dag, "success"), 1, "{dag}");
    }
    stop(service);
    // The runs beyond the limit have taken places.
    assert_eq!(home.log(), ["+awaited", "-awaited", "+seldom", "-seldom"]);
}

#[test]
fn a_run_that_a_task_triggers_takes_no_place() {
    let home = Home::new();
    home.trigger("triggers", 2);
    let service = home.serve(1);
    home.reaches("triggers", "success", 2);
    assert_eq!(home.count("awaited", "success"), 2);
    stop(service);
}

/// The triggered run and the run that waits for it are interrupted.
#[test]
fn a_run_that_a_task_triggers_takes_no_place_after_a_restart() {
    let home = Home::new();
    home.hold("hold.awaited");
    home.trigger("triggers", 1);
    home.trigger("seldom", 1);
    let service = home.serve(1);
    home.reaches("awaited", "running", 1);
    service.kill();
    let service = home.serve(1);
    eventually("it is resumed", || home.starts().len() == 2);
    assert_eq!(home.count("seldom", "queued"), 1);
    home.release("hold.awaited");
    home.reaches("seldom", "success", 1);
    assert_eq!((home.count("triggers", "success"), home.count("awaited", "success")), (1, 1));
    stop(service);
}

#[test]
fn people_see_what_a_queued_run_waits_for() {
    let home = Home::new();
    home.hold("hold");
    home.trigger("often", 1);
    let queued = |output: ProgramOutput| -> String {
        let line = output.stdout.lines().find_map(|line| line.trim_start().strip_prefix("queued "));
        line.unwrap_or_else(|| panic!("{output:?}")).to_owned()
    };
    assert_eq!(queued(home.call(&["status", "1"])), "waits for a service: no process serves this home");

    let service = home.serve(1);
    home.reaches("often", "running", 1);
    home.trigger("often", 1);
    home.trigger("urgent", 2);
    home.trigger("seldom", 2);
    let wait = "waits for a place: the service runs 1 run, max_active_runs = 1; after 1 run of the same DAG; after \
                2 runs of `urgent` (priority 10); in turn with 1 run of `often` (weight 3)";
    assert_eq!(queued(home.call(&["status", "6"])), wait);
    let explained = home.call(&["explain", "6"]).stdout;
    assert!(explained.starts_with(&format!("run 6 is queued: it {wait}\n")), "{explained}");
    let document = home.call(&["status", "6", "--output", "json"]).json();
    let wait = &document["queue_wait"];
    assert_eq!(wait["cause"], "service_limit");
    assert_eq!((&wait["limit"], &wait["active"], &wait["older"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(wait["first"][0]["priority"], 10);
    assert_eq!(wait["in_turn"][0]["weight"], 3);
    // A run of the highest priority is behind nobody else.
    let wait = "waits for a place: the service runs 1 run, max_active_runs = 1";
    assert_eq!(queued(home.call(&["status", "3"])), wait);
    assert!(home.call(&["status", "1", "--output", "json"]).json()["queue_wait"].is_null());

    let dags = home.call(&["dags", "--output", "json"]).json();
    let of = |id: &str| dags.as_array().and_then(|dags| dags.iter().find(|dag| dag["dag_id"] == id)).cloned();
    assert_eq!(of("urgent").map(|dag| dag["queued"].clone()), Some(Value::from(2)));
    assert!(home.call(&["dags"]).stdout.contains("2 runs are queued"));
    let doctor = home.call(&["doctor"]).stdout;
    assert!(doctor.contains("5 runs are queued; the service runs at most 1 at once"), "{doctor}");

    home.release("hold");
    home.reaches("seldom", "success", 2);
    stop(service);
}

/// A build of the program in which the DAG has a mistake keeps its queued runs, names the mistake,
/// and starts the runs of other DAGs. A build without the mistake starts them.
#[test]
fn people_see_that_a_queued_run_will_be_refused() {
    let home = Home::new();
    home.trigger("pooled", 1);
    let mistake = "DAG `pooled`: task `hold` (at tests/fixtures/turns.rs:";
    let rest = "uses the pool `warehouse`, which is not declared";
    let refused = |document: &Value| {
        let wait = &document["queue_wait"];
        let reason = wait["reason"].as_str().unwrap_or_default();
        assert_eq!(wait["cause"], "refused", "{document}");
        assert!(reason.contains(mistake) && reason.contains(rest), "{reason}");
    };
    let status = || home.call_without_pool(&["status", "1", "--output", "json"]).json();
    // Whether a service runs or not.
    refused(&status());
    let mut service = home.service(2).env("TURNS_LACKS_A_POOL", "1").stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(service.stderr.take().expect("it is piped")).lines();
    let service = Service(service);
    let said = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("cannot be started")));
    let said = said.expect("it goes on until it says so").expect("it writes text");
    assert!(said.contains("run 1 of `pooled` cannot be started") && said.contains(rest), "{said}");
    refused(&status());
    let shown = home.call_without_pool(&["status", "1"]).stdout;
    assert!(shown.contains(&format!("queued will not start: {mistake}")), "{shown}");
    let explained = home.call_without_pool(&["explain", "1"]).stdout;
    assert!(explained.starts_with(&format!("run 1 is queued: it will not start: {mistake}")), "{explained}");
    home.trigger("seldom", 1);
    home.reaches("seldom", "success", 1);
    assert_eq!(home.count("pooled", "queued"), 1);
    stop(service);
    // The run needs nothing else than another build.
    let wait = home.call(&["status", "1", "--output", "json"]).json()["queue_wait"].clone();
    assert_eq!(wait, serde_json::json!({ "cause": "no_service" }));
    let service = home.serve(2);
    home.reaches("pooled", "success", 1);
    stop(service);
}
