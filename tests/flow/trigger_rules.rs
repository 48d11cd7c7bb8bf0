//! The truth table of the thirteen trigger rules, as research wrote it down from Airflow 3.3.2,
//! with one rule of ours on top: where a task could be skipped as well as failed because of its
//! upstreams, it fails, and the order in which upstreams end changes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use taskflow::Selection;
use taskflow::engine::{Engine, RunReport, TaskState};
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow::tasks::{Setups, Tally, Verdict};
use taskflow_tests::common::rules::{self, ExpectedVerdict, TABLE};
use taskflow_tests::common::{self, failure_of, live, on_both_drivers, reference, state_of, states};

/// The end of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Success,
    Failed,
    Skipped,
    UpstreamFailed,
}

impl End {
    const ALL: [End; 4] = [End::Success, End::Failed, End::Skipped, End::UpstreamFailed];

    fn letter(self) -> char {
        match self {
            End::Success => 's',
            End::Failed => 'f',
            End::Skipped => 'k',
            End::UpstreamFailed => 'u',
        }
    }
}

/// Every sequence of 0 to 3 ends.
fn sequences() -> Vec<Vec<End>> {
    let mut all: Vec<Vec<End>> = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..3 {
        longest = longest
            .iter()
            .flat_map(|ends| End::ALL.map(|end| ends.iter().copied().chain([end]).collect::<Vec<_>>()))
            .collect();
        all.extend(longest.clone());
    }
    all
}

/// The cell of the table.
fn expected(rule: TriggerRule, ends: &[End]) -> Verdict {
    let count = |wanted: &[End]| ends.iter().filter(|end| wanted.contains(end)).count();
    let [success, failed, upstream_failed, skipped] =
        [End::Success, End::Failed, End::UpstreamFailed, End::Skipped].map(|end| count(&[end]));
    match rules::expected_verdict(rule, success, failed, upstream_failed, skipped) {
        ExpectedVerdict::Run => Verdict::Run,
        ExpectedVerdict::Skip => Verdict::Skip,
        ExpectedVerdict::Fail => Verdict::Fail,
    }
}

fn tally(ends: &[End]) -> Tally {
    let mut tally = Tally::default();
    for end in ends {
        match end {
            End::Success => tally.success += 1,
            End::Failed => tally.failed += 1,
            End::UpstreamFailed => tally.upstream_failed += 1,
            End::Skipped => tally.skipped += 1,
        }
    }
    tally
}

#[test]
fn the_verdict_on_finished_upstreams_matches_the_table() {
    for rule in TriggerRule::ALL {
        for ends in sequences() {
            assert_eq!(rule.verdict(&tally(&ends)), expected(rule, &ends), "{rule} after {ends:?}");
        }
    }
}

#[test]
fn the_number_of_upstreams_in_one_state_makes_no_difference() {
    for rule in TriggerRule::ALL {
        for (success, failed, skipped) in (0..6).flat_map(|s| (0..6).flat_map(move |f| (0..6).map(move |k| (s, f, k))))
        {
            let verdict = rule.verdict(&Tally { success, failed, skipped, ..Tally::default() });
            let once =
                Tally { success: success.min(1), failed: failed.min(1), skipped: skipped.min(1), ..Tally::default() };
            assert_eq!(verdict, rule.verdict(&once), "{rule} after {success}, {failed}, {skipped}");
        }
    }
}

#[test]
fn every_rule_is_in_the_table_and_has_its_name() {
    let header = TABLE.lines().find(|line| !line.trim().is_empty()).expect("the table has a header");
    let columns: Vec<&str> = header.split_whitespace().skip(1).collect();
    assert_eq!(columns, TriggerRule::ALL.map(TriggerRule::name));
    for rule in TriggerRule::ALL {
        assert_eq!(rule.name().parse(), Ok(rule));
        assert_eq!(rule.to_string(), rule.name());
    }
    assert_eq!(TriggerRule::default(), TriggerRule::AllSuccess);
}

#[test]
fn an_unknown_rule_is_rejected_with_the_thirteen_names() {
    let error = "all_sucess".parse::<TriggerRule>().expect_err("it is misspelt");
    for rule in TriggerRule::ALL {
        assert!(error.to_string().contains(rule.name()), "{error}");
    }
}

/// (all setups, successful, skipped) and what that means for a teardown.
const SETUPS: [(u32, u32, u32, Verdict); 20] = [
    (0, 0, 0, Verdict::Run),
    (1, 0, 0, Verdict::Fail),
    (1, 0, 1, Verdict::Skip),
    (1, 1, 0, Verdict::Run),
    (2, 0, 0, Verdict::Fail),
    (2, 0, 1, Verdict::Fail),
    (2, 0, 2, Verdict::Skip),
    (2, 1, 0, Verdict::Run),
    (2, 1, 1, Verdict::Run),
    (2, 2, 0, Verdict::Run),
    (3, 0, 0, Verdict::Fail),
    (3, 0, 1, Verdict::Fail),
    (3, 0, 2, Verdict::Fail),
    (3, 0, 3, Verdict::Skip),
    (3, 1, 0, Verdict::Run),
    (3, 1, 1, Verdict::Run),
    (3, 1, 2, Verdict::Run),
    (3, 2, 0, Verdict::Run),
    (3, 2, 1, Verdict::Run),
    (3, 3, 0, Verdict::Run),
];

#[test]
fn a_teardown_checks_its_setups_and_waits_for_everything() {
    for (total, success, skipped, expected) in SETUPS {
        for work in sequences() {
            let mut all = tally(&work);
            all.success += success;
            all.skipped += skipped;
            all.failed += total - success - skipped;
            all.setups = Setups { total, success, skipped };
            let rule = TriggerRule::AllDoneSetupSuccess;
            assert_eq!(rule.verdict(&all), expected, "{all:?}");

            all.pending = 1;
            assert_eq!(rule.verdict(&all), Verdict::Wait, "{all:?}");
        }
    }
}

#[test]
fn the_other_twelve_rules_ignore_which_upstreams_are_setups() {
    for rule in TriggerRule::ALL.into_iter().filter(|rule| *rule != TriggerRule::AllDoneSetupSuccess) {
        for ends in sequences() {
            let plain = tally(&ends);
            let setups = Setups { total: ends.len() as u32, success: plain.success, skipped: plain.skipped };
            assert_eq!(rule.verdict(&Tally { setups, ..plain }), rule.verdict(&plain), "{rule} after {ends:?}");
        }
    }
}

/// An upstream in the eyes of a rule: pending or ended, and whether it is a setup task.
type Upstream = (Option<End>, bool);

fn tally_of(upstreams: &[Upstream]) -> Tally {
    let ended: Vec<End> = upstreams.iter().filter_map(|(end, _)| *end).collect();
    let setups: Vec<Option<End>> = upstreams.iter().filter(|(_, setup)| *setup).map(|(end, _)| *end).collect();
    let count = |wanted: End| setups.iter().filter(|end| **end == Some(wanted)).count() as u32;
    Tally {
        pending: (upstreams.len() - ended.len()) as u32,
        setups: Setups { total: setups.len() as u32, success: count(End::Success), skipped: count(End::Skipped) },
        ..tally(&ended)
    }
}

/// Every way in which the pending ones can end.
fn completions(upstreams: &[Upstream]) -> Vec<Vec<Upstream>> {
    upstreams.iter().fold(vec![Vec::new()], |done, &(end, setup)| {
        let ends = end.map_or_else(|| End::ALL.to_vec(), |end| vec![end]);
        done.iter()
            .flat_map(|before: &Vec<Upstream>| {
                ends.iter().map(|&end| before.iter().copied().chain([(Some(end), setup)]).collect())
            })
            .collect()
    })
}

#[track_caller]
fn assert_final(rule: TriggerRule, upstreams: &[Upstream]) {
    let verdict = rule.verdict(&tally_of(upstreams));
    if verdict == Verdict::Wait {
        assert!(upstreams.iter().any(|(end, _)| end.is_none()), "{rule} waits for nothing: {upstreams:?}");
        return;
    }
    for completed in completions(upstreams) {
        assert_eq!(rule.verdict(&tally_of(&completed)), verdict, "{rule}: {upstreams:?} became {completed:?}");
    }
}

#[test]
fn a_verdict_is_final_whatever_pending_upstreams_do() {
    let states: Vec<Upstream> = [None, Some(End::Success), Some(End::Failed), Some(End::Skipped)]
        .into_iter()
        .flat_map(|end| [(end, false), (end, true)])
        .collect();
    let mut upstreams: Vec<Vec<Upstream>> = vec![Vec::new()];
    for _ in 0..3 {
        let longer = upstreams
            .iter()
            .flat_map(|shorter| states.iter().map(|state| shorter.iter().copied().chain([*state]).collect()));
        let longer: Vec<Vec<Upstream>> = longer.collect();
        upstreams.extend(longer);
    }
    for rule in TriggerRule::ALL {
        for upstreams in &upstreams {
            assert_final(rule, upstreams);
        }
    }
}

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn a_verdict_on_many_upstreams_is_final(
        rule in proptest::sample::select(&TriggerRule::ALL),
        ended in proptest::collection::vec((proptest::sample::select(&End::ALL), any::<bool>()), 0..40),
        pending in proptest::collection::vec(any::<bool>(), 0..4),
    ) {
        let ended = ended.into_iter().map(|(end, setup)| (Some(end), setup));
        let upstreams: Vec<Upstream> = ended.chain(pending.into_iter().map(|setup| (None, setup))).collect();
        assert_final(rule, &upstreams);
    }
}

/// The column "early" of the table: the rules that decide while an upstream is still pending.
#[test]
fn early_rules_do_not_wait_for_the_rest() {
    let one = |end: End| tally_of(&[(Some(end), false), (None, false)]);
    let (success, failed, skipped) = (one(End::Success), one(End::Failed), one(End::Skipped));
    let none = tally_of(&[(None, false), (None, false)]);
    use Verdict::{Fail, Run, Skip, Wait};
    let table = [
        // The rule, with nothing known, after a success, after a failure, after a skip.
        // A skip does not end the wait where a failure could still come: failure wins over skip.
        (TriggerRule::AllSuccess, [Wait, Wait, Fail, Wait]),
        (TriggerRule::AllFailed, [Wait, Skip, Wait, Skip]),
        (TriggerRule::AllDone, [Wait, Wait, Wait, Wait]),
        (TriggerRule::AllDoneMinOneSuccess, [Wait, Wait, Wait, Wait]),
        (TriggerRule::AllDoneSetupSuccess, [Wait, Wait, Wait, Wait]),
        (TriggerRule::OneSuccess, [Wait, Run, Wait, Wait]),
        (TriggerRule::OneFailed, [Wait, Wait, Run, Wait]),
        (TriggerRule::OneDone, [Wait, Run, Run, Wait]),
        (TriggerRule::NoneFailed, [Wait, Wait, Fail, Wait]),
        (TriggerRule::NoneFailedMinOneSuccess, [Wait, Wait, Fail, Wait]),
        (TriggerRule::NoneSkipped, [Wait, Wait, Wait, Skip]),
        (TriggerRule::AllSkipped, [Wait, Skip, Skip, Wait]),
        (TriggerRule::Always, [Run, Run, Run, Run]),
    ];
    for (rule, verdicts) in table {
        assert_eq!([none, success, failed, skipped].map(|tally| rule.verdict(&tally)), verdicts, "{rule}");
    }
}

// End to end, with edges that carry order and nothing else.

#[task]
fn ends(how: &str, ctx: &TaskContext) -> Result<()> {
    match how {
        "failed" => Err("failed as asked")?,
        "skipped" => Err(ctx.skip("skipped as asked"))?,
        _ => Ok(()),
    }
}

/// Adds a task with the given outcome that runs after `before`. Returns the node with that outcome.
fn upstream(end: End, before: Option<Output<()>>) -> Output<()> {
    let how = match end {
        End::Success => "success",
        End::Failed | End::UpstreamFailed => "failed",
        End::Skipped => "skipped",
    };
    let mut node = ends(how);
    if let Some(before) = before {
        node = node.after(before).trigger_rule(TriggerRule::AllDone);
    }
    if end == End::UpstreamFailed { node >> ends("success") } else { node }
}

/// A graph with a task under `rule` for every sequence of ends; the upstreams of each end one after
/// the other in the order of the sequence.
fn every_sequence(rule: TriggerRule) -> Dag<()> {
    let dag = Dag::build(rule.name(), || {
        for sequence in sequences() {
            let name: String = sequence.iter().map(|end| end.letter()).collect();
            let mut upstreams: Vec<Output<()>> = Vec::new();
            for end in sequence {
                upstreams.push(upstream(end, upstreams.last().copied()));
            }
            ends("success").id(format!("under-{name}")).trigger_rule(rule).after(upstreams);
        }
        ends("success").id("last")
    });
    dag.expect("the graph is sound")
}

#[track_caller]
fn assert_table(rule: TriggerRule, report: &RunReport<()>) {
    for sequence in sequences() {
        let name: String = sequence.iter().map(|end| end.letter()).collect();
        let state = match expected(rule, &sequence) {
            Verdict::Run => TaskState::Success,
            Verdict::Skip => TaskState::Skipped,
            Verdict::Fail => TaskState::UpstreamFailed,
            Verdict::Wait => panic!("the table has no waiting"),
        };
        assert_eq!(state_of(report, &format!("under-{name}")), state, "{rule} after {sequence:?}");
    }
}

#[test]
fn a_run_follows_the_table_on_the_reference_driver() {
    for rule in TriggerRule::ALL {
        assert_table(rule, &reference(every_sequence(rule).run()));
    }
}

#[test]
fn a_run_follows_the_table_on_the_live_engine() {
    for workers in [1, 2, 4] {
        let engine =
            Engine::builder().workers(workers.try_into().expect("not zero")).build().expect("no pool is named");
        for rule in TriggerRule::ALL {
            assert_table(rule, &live(every_sequence(rule).run().engine(&engine)));
        }
    }
}

/// With one upstream of each end, in each of the 24 orders, every rule has the same verdict.
#[test]
fn the_order_in_which_upstreams_end_makes_no_difference() {
    let mut orders: Vec<Vec<End>> = vec![Vec::new()];
    for _ in 0..4 {
        let longer = orders.iter().flat_map(|order| {
            End::ALL.into_iter().filter(|end| !order.contains(end)).map(|end| {
                let mut order = order.clone();
                order.push(end);
                order
            })
        });
        orders = longer.collect();
    }
    assert_eq!(orders.len(), 24);
    for rule in TriggerRule::ALL {
        let dag = Dag::build(rule.name(), || {
            for order in &orders {
                let mut upstreams: Vec<Output<()>> = Vec::new();
                for &end in order {
                    upstreams.push(upstream(end, upstreams.last().copied()));
                }
                ends("success").trigger_rule(rule).tags(&["under"]).after(upstreams);
            }
            ends("success")
        });
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for task in report.tasks() {
                if report.plan().node_options(task.node()).tags == ["under"] {
                    *counts.entry(task.state().name()).or_default() += 1;
                }
            }
            assert_eq!(counts.values().collect::<Vec<_>>(), [&24], "{rule}: {counts:?}");
        });
    }
}

#[test]
fn a_task_under_always_starts_before_its_upstreams() {
    let dag = Dag::build("always", || {
        let late = ends("failed").id("late");
        late >> ends("success").id("early").trigger_rule(TriggerRule::Always)
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(states(report), "late=failed early=success");
    });
}

/// The rule is about order edges; the value still needs its success.
#[test]
fn an_order_rule_does_not_relax_a_data_edge() {
    #[task]
    fn takes(_value: (), _how: &str) {}

    for (data, order, rule, expected) in [
        ("success", "failed", TriggerRule::AllDone, "success"),
        ("failed", "success", TriggerRule::AllDone, "upstream_failed"),
        ("skipped", "success", TriggerRule::AllDone, "skipped"),
        ("success", "failed", TriggerRule::OneFailed, "success"),
        ("success", "success", TriggerRule::OneFailed, "skipped"),
        ("failed", "failed", TriggerRule::OneFailed, "upstream_failed"),
        ("failed", "success", TriggerRule::Always, "upstream_failed"),
        // One edge skips, the other fails: failure wins, whichever is decided first.
        ("skipped", "failed", TriggerRule::NoneFailed, "upstream_failed"),
        ("failed", "success", TriggerRule::AllFailed, "upstream_failed"),
        ("failed", "skipped", TriggerRule::AllSuccess, "upstream_failed"),
        ("skipped", "failed", TriggerRule::AllSuccess, "upstream_failed"),
    ] {
        for data_first in [true, false] {
            let dag = Dag::build("both", || {
                let value = ends(data).id("value");
                let before = ends(order).id("before");
                let (first, second) = if data_first { (value, before) } else { (before, value) };
                second.after(first).trigger_rule(TriggerRule::AllDone);
                takes(value, "x").id("under").after(before).trigger_rule(rule)
            });
            on_both_drivers(&dag.expect("the graph is sound"), |report| {
                assert_eq!(state_of(report, "under").name(), expected, "{data} {order} {rule} {data_first}");
            });
        }
    }
}

/// So a rule never meets a removed upstream: `--only` and `--from` take everything along that a
/// task waits for.
#[test]
fn a_selected_task_keeps_its_upstreams_whatever_its_rule() {
    for rule in TriggerRule::ALL {
        let dag = Dag::build(rule.name(), || {
            let (a, b) = (ends("success").id("a"), ends("failed").id("b"));
            ends("success").id("apart");
            ends("success").id("under").trigger_rule(rule).after([a, b])
        });
        let dag = dag.expect("the graph is sound");
        let selection = Selection::only(dag.plan(), "under").expect("there is such a task");
        let part = reference(dag.run().select(selection));
        assert_eq!(state_of(&part, "apart"), TaskState::Removed);
        assert_eq!(state_of(&part, "under"), state_of(&reference(dag.run()), "under"), "{rule}");
    }
}

/// The state of a run is that of the tasks that nothing depends on.
#[test]
fn a_failure_upstream_of_a_task_that_ran_does_not_fail_the_run() {
    for (rule, up) in [
        (TriggerRule::AllDone, "failed"),
        (TriggerRule::AllFailed, "failed"),
        (TriggerRule::OneFailed, "failed"),
        (TriggerRule::OneDone, "failed"),
        (TriggerRule::NoneSkipped, "failed"),
        (TriggerRule::AllDoneSetupSuccess, "failed"),
        (TriggerRule::Always, "failed"),
    ] {
        let dag = Dag::build("leaf", || ends(up).id("up") >> ends("success").id("down").trigger_rule(rule));
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            assert_eq!(states(report), "up=failed down=success", "{rule}");
            assert_eq!(report.state().name(), "success", "{rule}");
        });
    }
}

/// A9: `b.after(a).trigger_rule(one_failed)`, and `a` succeeds: the report, the view of the history
/// and the explanation say the same.
#[tokio::test]
async fn the_reason_of_a_skip_names_the_rule_that_decided_it() -> Result<(), taskflow::BoxError> {
    let cases = [
        (TriggerRule::OneFailed, "success", "succeeded"),
        (TriggerRule::AllFailed, "success", "succeeded"),
        (TriggerRule::AllSkipped, "failed", "failed"),
        (TriggerRule::AllSkipped, "success", "succeeded"),
    ];
    for (rule, how, ended) in cases {
        let dag = Dag::build("reasons", || ends(how).id("up") >> ends("success").id("down").trigger_rule(rule))?;
        let journal = Journal::in_memory()?;
        let report = dag.run().journal(&journal).await?;
        let reason = format!("upstream task `up` {ended}, and the trigger rule is `{rule}`");
        assert_eq!(failure_of(&report, "down"), format!("skipped: {reason}"));
        let history = journal.history("last").await?;
        let view = history.view();
        let stored = view.task("down").and_then(|task| task.failure.clone());
        assert_eq!(stored, report.task("down").and_then(|task| task.failure()));
        let explained = history.explain("down").expect("it is there");
        assert_eq!(explained.why[0], format!("its {reason}"));
    }
    Ok(())
}
