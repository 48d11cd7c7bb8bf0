//! Options for the elements of a list: rates, labels, batches.
#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::time::Duration;

use taskflow::engine::{RunReport, RunState, TaskState};
use taskflow::graph::BuildError;
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow::testing::{Test, explore};
use taskflow::{BoxError, Group};
use taskflow_tests::common::{on_both_drivers, reference, states};

#[task]
fn numbers(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[task]
fn fetch(number: u32) -> u32 {
    number
}

#[task]
fn parse(number: u32) -> u32 {
    number * 2
}

#[task]
fn sum(numbers: Vec<u32>) -> u32 {
    numbers.into_iter().sum()
}

#[task]
fn lengths(batches: Vec<usize>) -> Vec<usize> {
    batches
}

#[task]
fn length(batch: Vec<u32>) -> usize {
    batch.len()
}

/// When a task started, in milliseconds from the start of the run.
fn started<T>(report: &RunReport<T>, id: &str) -> u128 {
    let started = report.task(id).expect("it is there").started().expect("it has started");
    started.since(report.started()).as_millis()
}

#[test]
fn elements_start_at_the_rate_and_continue_without_waiting() {
    let dag = Dag::build("paced", || sum(numbers(4).each(|n| parse(fetch(n))).rate("10/s"))).unwrap();
    let report = reference(dag.run());
    assert_eq!(report.result(), Some(&12));
    let starts = ["fetch[0]", "fetch[1]", "fetch[2]", "fetch[3]"].map(|id| started(&report, id));
    assert_eq!(starts, [0, 100, 200, 300]);
    assert_eq!(started(&report, "parse[3]"), 300);
}

#[test]
fn a_retry_of_a_started_element_is_not_delayed_by_the_rate() {
    let dag = Dag::build("retried", || {
        sum(numbers(3).each(|n| fetch(n).retries(1).retry_delay(Duration::from_secs(1))).rate("1/h"))
    });
    let outcome = Test::new(&dag.unwrap()).fail_times("fetch[1]", 1, "away").run();
    let report = outcome.report();
    assert_eq!(started(report, "fetch[1]"), 3_600_000);
    let ended = report.task("fetch[1]").expect("it is there").ended().since(report.started());
    assert_eq!(ended, Duration::from_secs(3601));
}

#[test]
fn nested_lists_have_their_own_rates() {
    let dag =
        Dag::build("nested", || sum(numbers(2).each(|_| sum(numbers(3).each(|n| fetch(n)).rate("1/s"))).rate("1/min")));
    let report = reference(dag.unwrap().run());
    assert_eq!(started(&report, "fetch[0][2]"), 2_000);
    assert_eq!(started(&report, "fetch[1][0]"), 60_000);
    assert_eq!(started(&report, "fetch[1][2]"), 62_000);
}

#[test]
fn a_rate_limited_list_survives_injected_faults() {
    let dag = Dag::build("explored", || sum(numbers(5).each(|n| parse(fetch(n).retries(2))).rate("2/min"))).unwrap();
    explore(0..40, || Test::new(&dag).fail_times("fetch[2]", 1, "away"));
}

#[test]
fn a_rate_limited_list_runs_on_the_live_engine() {
    let dag = Dag::build("live", || sum(numbers(20).each(|n| fetch(n)).rate("1000/s"))).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&190)));
}

/// A list of three with a rate of one an hour, whose process dies after each of its entries. The
/// second tasks of elements that had begun took new times of the list then, an hour each.
#[test]
fn elements_that_had_begun_before_a_crash_are_not_held_back_by_the_rate() {
    let dag = Dag::build("crashed", || sum(numbers(3).each(|n| parse(fetch(n))).rate("1/h"))).unwrap();
    for entries in 1..40 {
        let test = Test::new(&dag).takes(fetch {}, Duration::from_secs(36_000)).workers(8).crash_after(entries);
        let outcome = test.run();
        outcome.assert_success();
        for element in 0..3 {
            let task = |name: &str| outcome.report().task(&format!("{name}[{element}]")).expect("it is there");
            let (ended, started) = (task("fetch").ended(), task("parse").started());
            assert_eq!(started, Some(ended), "element {element}, after {entries} entries");
        }
    }
}

#[test]
fn an_invalid_rate_is_a_mistake_with_a_valid_example() {
    for rate in ["10", "0/s", "1/fortnight"] {
        let errors = Dag::build("wrong", || sum(numbers(1).each(|n| fetch(n)).rate(rate))).expect_err("no rate");
        let [BuildError::Rate { message, .. }] = errors.errors() else { panic!("{errors}") };
        assert!(message.contains(rate), "{message}");
    }
}

#[test]
fn batches_have_the_given_size_and_the_last_one_the_rest() {
    for (count, expected) in [(0, vec![]), (2, vec![2]), (7, vec![3, 3, 1]), (6, vec![3, 3])] {
        let dag = Dag::build("batches", || lengths(numbers(count).batch(3).each(|batch| length(batch)))).unwrap();
        on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&expected)));
    }
    let errors = Dag::build("none", || lengths(numbers(1).batch(0).each(|batch| length(batch)))).expect_err("no batch");
    assert!(matches!(errors.errors(), [BuildError::NoBatch { .. }]), "{errors}");
}

fn months() -> Dag<u32> {
    Dag::build("months", || {
        let loaded = numbers(3).label(|month| format!("2013-{:02}", month + 1)).each(|month| {
            let days = numbers(2).label(|day| day + 1).each(|day| fetch(day));
            parse(sum(days)).after(fetch(month))
        });
        sum(loaded)
    })
    .expect("the graph has no mistake")
}

#[test]
fn elements_are_named_by_their_label() {
    on_both_drivers(&months(), |report| {
        let label = |id: &str| report.task(id).expect("it is there").label();
        assert_eq!(label("parse[2]").as_deref(), Some("2013-03"));
        assert_eq!(label("fetch[1][0]").as_deref(), Some("2013-02 / 1"));
        assert_eq!(label("sum_2"), None);
    });
}

#[tokio::test]
async fn labels_are_stored_and_survive_a_resume() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = months();
    dag.run().journal(&journal).await?;
    let label = async |id: &'static str| -> Result<Option<String>, BoxError> {
        Ok(journal.history("last").await?.task(id).and_then(|task| task.label.as_deref().map(str::to_owned)))
    };
    assert_eq!(label("parse[2]").await?.as_deref(), Some("2013-03"));
    assert_eq!(label("fetch[1][0]").await?.as_deref(), Some("2013-02 / 1"));
    let note = taskflow::journal::Note::default();
    journal.clear("last", &taskflow::journal::TaskFilter::tasks(["parse[2]"]).downstream(), &note).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(report.task("parse[2]").and_then(|task| task.label()).as_deref(), Some("2013-03"));
    assert_eq!(label("parse[2]").await?.as_deref(), Some("2013-03"));
    Ok(())
}

#[test]
fn a_label_that_panics_fails_the_list_and_not_the_process() {
    let dag = Dag::build("panics", || {
        let list = numbers(1).label(|number| -> String { panic!("no name for {number}") });
        sum(list.each(|n| fetch(n)))
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(states(report), "numbers=success numbers.each=failed sum=upstream_failed");
        let failure = report.task("numbers.each").and_then(|task| task.failure()).expect("it failed");
        assert!(failure.to_string().contains("no name for 0"), "{failure}");
    });
}

/// The most tasks of these that ran at once, by their times.
fn most_at_once<T>(report: &RunReport<T>, of: &str) -> usize {
    let tasks = report.tasks().filter(|task| task.id().contains(of));
    let spans: Vec<_> = tasks.filter_map(|task| Some((task.started()?, task.ended()))).collect();
    spans
        .iter()
        .map(|(start, _)| spans.iter().filter(|(from, to)| from <= start && start < to).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn a_group_limits_its_concurrent_tasks() {
    let dag = Dag::build("narrow", || {
        Group::new("narrow").concurrency(2).draw(|| {
            (0..3).for_each(|n| _ = fetch(n));
            group("inner", || numbers(3).each(|n| fetch(n)));
        });
        (0..4).for_each(|n| _ = parse(n));
        fetch(9)
    });
    let outcome = Test::new(&dag.unwrap())
        .takes(fetch {}, Duration::from_secs(10))
        .takes(parse {}, Duration::from_secs(10))
        .workers(16)
        .run();
    outcome.assert_success();
    assert_eq!(most_at_once(outcome.report(), "narrow"), 2);
    assert_eq!(most_at_once(outcome.report(), "parse"), 4);
}

#[task]
fn fails() -> Result<()> {
    Err("no")?
}

#[test]
fn a_group_follows_other_tasks_under_its_trigger_rule() {
    let dag = Dag::build("repair", || {
        let failed = fails();
        Group::new("repair").after(failed).trigger_rule(TriggerRule::OneFailed).draw(|| {
            parse(fetch(1));
            fetch(2).trigger_rule(TriggerRule::AllSuccess)
        })
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(
            states(report),
            "fails=failed repair.fetch=success repair.parse=success repair.fetch_2=upstream_failed"
        );
    });
}

#[task]
fn odd(number: u32) -> Result<u32> {
    if number % 2 == 1 { Ok(number) } else { Err("even")? }
}

#[task]
fn publish() {}

/// E10: a node after a whole mapped list, in every form of an order edge.
#[test]
fn a_node_can_follow_a_mapped_list() {
    let forms: [fn(Mapped<u32>); 6] = [
        |rows| {
            publish().after(rows);
        },
        |rows| {
            let _ = rows >> publish();
        },
        |rows| {
            let _ = rows >> [publish(), fetch(7).map(|_| ())];
        },
        |rows| chain((rows, publish())),
        |rows| chain((number_of(), rows, publish())),
        |rows| {
            Group::new("out").after(rows).draw(publish);
        },
    ];
    for (form, draw) in forms.into_iter().enumerate() {
        for (count, failing) in [(3, false), (0, false), (2, true)] {
            let dag = Dag::draw("ordered", |_| {
                let rows = numbers(count).each(|n| if failing { odd(n) } else { parse(fetch(n)) });
                draw(rows);
            });
            on_both_drivers(&dag.unwrap(), |report| {
                let published = report.tasks().find(|task| task.id().ends_with("publish")).expect("it is there");
                let expected = if failing { TaskState::UpstreamFailed } else { TaskState::Success };
                assert_eq!(published.state(), expected, "form {form}, {count}: {}", states(report));
                let last = report.tasks().filter(|task| task.id().starts_with("parse")).map(|task| task.ended()).max();
                if let (Some(last), Some(started)) = (last, published.started()) {
                    assert!(started >= last, "form {form}");
                }
            });
        }
    }
}

#[task]
fn number_of() -> u32 {
    1
}

/// The rule of the node counts each element, and a list that is not there.
#[test]
fn the_rule_of_a_node_after_a_mapped_list_counts_its_elements() {
    let state = |count: u32, rule: TriggerRule| {
        let dag = Dag::draw("ruled", |_| {
            publish().after(numbers(count).each(odd)).trigger_rule(rule);
        });
        reference(dag.unwrap().run()).task("publish").expect("it is there").state()
    };
    assert_eq!(state(2, TriggerRule::AllDone), TaskState::Success);
    assert_eq!(state(2, TriggerRule::OneFailed), TaskState::Success);
    assert_eq!(state(2, TriggerRule::OneSuccess), TaskState::Success);
    assert_eq!(state(2, TriggerRule::AllFailed), TaskState::Skipped);
    assert_eq!(state(1, TriggerRule::AllFailed), TaskState::Success);
    assert_eq!(state(0, TriggerRule::AllDone), TaskState::Success);
    let dag = Dag::draw("no_list", |_| {
        let list = fails().map(|()| Vec::<u32>::new());
        publish().after(list.each(fetch));
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(states(report), "fails=failed publish=upstream_failed fails.each=upstream_failed");
    });
}

#[test]
fn meaningless_options_of_groups_are_mistakes() {
    let errors = Dag::build("rule", || Group::new("alone").trigger_rule(TriggerRule::OneFailed).draw(|| fetch(1)));
    let errors = errors.expect_err("after nothing");
    assert!(matches!(errors.errors(), [BuildError::GroupRule { group, .. }] if group == "alone"), "{errors}");
    let errors = Dag::build("none", || Group::new("closed").concurrency(0).draw(|| fetch(1)));
    let errors = errors.expect_err("nothing may run");
    assert!(matches!(errors.errors(), [BuildError::NoConcurrency { .. }]), "{errors}");
}
