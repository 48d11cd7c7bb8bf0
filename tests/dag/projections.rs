//! Projections: a changed value, or a part of it, for a consumer, without a node of its own.
#![allow(
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    reason = "how tasks take their inputs is what is tested here"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};

use taskflow::BoxError;
use taskflow::engine::RunState;
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow::render::{Format, render};
use taskflow_tests::common::{failure_of, on_both_drivers, reference, state_of, states};

#[task]
fn rows() -> Vec<u32> {
    vec![3, 4, 5]
}

#[task]
fn say(value: u32) -> String {
    value.to_string()
}

#[task]
fn skips(ctx: &TaskContext) -> Result<Vec<u32>> {
    Err(ctx.skip("nothing landed"))?
}

#[task]
fn fails() -> Result<Vec<u32>> {
    Err("the disk is full")?
}

#[task]
fn regions() -> BTreeMap<String, Vec<u32>> {
    [("asia", vec![1, 2]), ("europe", vec![3])].map(|(name, rows)| (name.to_owned(), rows)).into()
}

#[task]
fn total(rows: &[u32]) -> u32 {
    rows.iter().sum()
}

fn sum(rows: &Vec<u32>) -> u32 {
    rows.iter().sum()
}

#[track_caller]
fn assert_result(build: impl Fn() -> Output<String>, expected: &str) {
    let dag = Dag::build("projected", build).expect("the graph is sound");
    on_both_drivers(&dag, |report| {
        assert_eq!(report.result().map(String::as_str), Some(expected), "{}", states(report));
    });
}

#[test]
fn map_transforms_a_value_without_adding_a_node() {
    let dag = Dag::build("mapped", || say(rows().map(sum))).unwrap();
    assert_eq!(dag.plan().len(), 2);
    on_both_drivers(&dag, |report| assert_eq!(report.result().unwrap(), "12"));
}

#[test]
fn a_closure_can_capture_values() {
    let limit = 4;
    assert_result(|| say(rows().map(move |rows: &Vec<u32>| rows.iter().filter(|row| **row >= limit).sum())), "9");
}

#[test]
fn projections_can_be_chained() {
    #[task]
    fn nested() -> (HashMap<String, Vec<u32>>, String) {
        ([("a".to_owned(), vec![1, 2, 3])].into(), "unused".to_owned())
    }
    assert_result(|| say(nested().unzip().0.get("a").map(Vec::len).map(|length: &usize| *length as u32 * 10)), "30");
}

#[test]
fn unzip_splits_tuples_of_two_three_and_four() {
    #[task]
    fn two() -> (u32, String) {
        (1, "b".to_owned())
    }
    #[task]
    fn three(two: &(u32, String)) -> (u32, String, bool) {
        (two.0, two.1.clone(), true)
    }
    #[task]
    fn four() -> (u32, String, bool, char) {
        (1, "b".to_owned(), true, 'd')
    }
    #[task]
    fn all(a: u32, b: &str, c: bool, d: char) -> String {
        format!("{a}{b}{c}{d}")
    }
    let build = || {
        let (_, word) = two().unzip();
        let (number, _, flag) = three(two()).unzip();
        let (.., letter) = four().unzip();
        all(number, word, flag, letter)
    };
    assert_result(build, "1btrued");
}

#[test]
fn get_selects_the_value_of_a_key() {
    assert_result(|| say(total(regions().get("asia"))), "3");
}

#[test]
fn a_missing_key_fails_the_consumer_without_retry_and_lists_the_keys() {
    let build = || {
        let regions = regions();
        total(regions.get("europe")).id("right");
        say(total(regions.get("eurpe")).id("wrong").retries(3))
    };
    on_both_drivers(&Dag::build("missing", build).unwrap(), |report| {
        assert_eq!(states(report), "regions=success right=success wrong=failed say=upstream_failed");
        let expected =
            "no key `eurpe` in the value of task `regions`: its keys are `asia`, `europe`; did you mean `europe`?";
        assert_eq!(failure_of(report, "wrong"), expected);
        assert_eq!(report.task("wrong").unwrap().attempt_count(), 1);
    });
}

#[test]
fn the_error_for_a_missing_key_describes_small_maps() {
    #[task]
    fn none() -> HashMap<String, u32> {
        HashMap::new()
    }
    #[task]
    fn one() -> HashMap<String, u32> {
        [("only".to_owned(), 1)].into()
    }
    let build = || {
        say(none().get("x"));
        say(one().get("x"))
    };
    on_both_drivers(&Dag::build("small", build).unwrap(), |report| {
        assert_eq!(failure_of(report, "say"), "no key `x` in the value of task `none`: the map is empty");
        assert_eq!(failure_of(report, "say_2"), "no key `x` in the value of task `one`: its only key is `only`");
    });
}

#[test]
fn a_panic_in_a_closure_fails_the_consumer_which_can_be_retried() {
    let calls = std::sync::Arc::new(AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&calls);
    let build = || {
        let calls = std::sync::Arc::clone(&counted);
        let odd = rows().map(move |rows: &Vec<u32>| match calls.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => panic!("{} rows are too many", rows.len()),
            _ => 1,
        });
        say(odd).retries(1).retry_delay(std::time::Duration::ZERO)
    };
    on_both_drivers(&Dag::build("panics", build).unwrap(), |report| {
        assert_eq!(states(report), "rows=success say=success");
        let attempts = report.task("say").unwrap().attempts();
        let first = attempts[0].failure.as_ref().unwrap().to_string();
        assert!(first.starts_with("panicked at") && first.ends_with("3 rows are too many"), "{first}");
    });
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[test]
fn an_async_task_takes_projected_values_too() {
    #[task]
    async fn later(value: u32) -> String {
        tokio::task::yield_now().await;
        value.to_string()
    }
    assert_result(|| later(rows().map(sum)), "12");
    let dag = Dag::build("async", || later(regions().get("nowhere").map(sum))).unwrap();
    on_both_drivers(&dag, |report| assert!(failure_of(report, "later").starts_with("no key `nowhere`")));
}

#[test]
fn options_and_results_receive_the_projected_value_or_the_outcome() {
    #[task]
    fn maybe(value: Option<u32>) -> String {
        format!("{value:?}")
    }
    #[task]
    fn outcome(value: Result<u32, Failure>) -> String {
        value.map_or_else(|failure| failure.kind().to_owned(), |value| value.to_string())
    }
    assert_result(|| maybe(rows().map(sum)), "Some(12)");
    assert_result(|| maybe(skips().map(sum)), "None");
    assert_result(|| outcome(rows().map(sum)), "12");
    assert_result(|| outcome(skips().map(sum)), "skipped");
    assert_result(|| outcome(fails().map(sum)), "error");
}

#[test]
fn lists_and_any_of_can_mix_projected_and_plain_outputs() {
    #[task]
    fn list(values: Vec<u32>) -> String {
        format!("{values:?}")
    }
    #[task]
    fn options(values: Vec<Option<u32>>) -> String {
        format!("{values:?}")
    }
    #[task]
    fn outcomes(values: Vec<Result<u32, Failure>>) -> String {
        let texts: Vec<String> = values.into_iter().map(|value| value.map_or("no".into(), |n| n.to_string())).collect();
        texts.join(" ")
    }
    #[task]
    fn any(value: AnyOf<u32>) -> String {
        format!("{} from {}", *value, value.index())
    }
    assert_result(|| list([rows().map(sum), total(rows()), rows().map(|rows: &Vec<u32>| rows[0])]), "[12, 12, 3]");
    assert_result(|| options(vec![rows().map(sum), skips().map(sum)]), "[Some(12), None]");
    assert_result(|| outcomes([fails().map(sum), rows().map(sum)]), "no 12");
    assert_result(|| any([fails().map(sum), rows().map(sum), skips().map(sum)]), "12 from 1");
}

#[dag]
fn of_a_parameter(table: BTreeMap<String, u32>, pair: (u32, String)) -> String {
    #[task]
    fn both(a: u32, b: u32) -> String {
        format!("{a} {b}")
    }
    both(table.get("a"), pair.unzip().0)
}

#[test]
fn parameters_of_the_dag_can_be_projected() {
    let table = |key: &str| BTreeMap::from([(key.to_owned(), 7)]);
    let report = reference(of_a_parameter::run(table("a"), (8, String::new())));
    assert_eq!(report.result().unwrap(), "7 8");
    let report = reference(of_a_parameter::run(table("b"), (8, String::new())));
    assert_eq!(failure_of(&report, "both"), "no key `a` in the value of the parameter `table`: its only key is `b`");
}

#[test]
fn the_result_of_a_dag_can_be_projected() {
    let dag = Dag::build("result", || regions().get("asia").map(sum)).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&3)));
    let of_a_parameter = Dag::build("result", || rows().map(|rows: &Vec<u32>| rows.len())).unwrap();
    on_both_drivers(&of_a_parameter, |report| assert_eq!(*report.success().unwrap(), 3));
}

#[test]
fn the_report_of_a_successful_run_has_the_error_of_its_projected_result() {
    let dag = Dag::build("result", || regions().get("mars")).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!((report.state(), report.result()), (RunState::Success, None));
        let output = report.success().unwrap_err().to_string();
        let expected =
            "ended as success, but its result cannot be computed: no key `mars` in the value of task `regions`";
        assert!(output.contains(expected), "{output}");
    });
    let dag = Dag::build("result", || rows().map(|_: &Vec<u32>| -> u32 { panic!("no") })).unwrap();
    on_both_drivers(&dag, |report| assert!(report.success().unwrap_err().to_string().ends_with(": no")));
}

#[test]
fn options_and_order_of_a_projected_output_apply_to_its_node() {
    let build = || {
        let first = total(rows()).id("first");
        let last = rows().map(sum).id("last").retries(2).after(first);
        say(last)
    };
    let dag = Dag::build("behind", build).unwrap();
    let plan = dag.plan();
    let last = plan.find("last").expect("the id is that of the node");
    assert_eq!(plan.node_options(last).retry.retries, 2);
    assert_eq!(plan.orders(last).len(), 1);
}

#[test]
fn the_hash_includes_projections_and_their_types() {
    let hash = |build: &dyn Fn() -> Output<String>| Dag::build("hash", build).unwrap().plan().hash().to_owned();
    #[task]
    fn words() -> BTreeMap<String, u32> {
        [("a".to_owned(), 1)].into()
    }
    let versions = [
        hash(&|| say(words().get("a"))),
        hash(&|| say(words().get("b"))),
        hash(&|| say(words().map(|_: &BTreeMap<String, u32>| 1))),
        hash(&|| say(words().get("a").map(|_: &u32| 1))),
    ];
    for (place, version) in versions.iter().enumerate() {
        assert!(!versions[..place].contains(version), "version {place}");
    }
    assert_eq!(versions[0], hash(&|| say(words().get("a"))));
}

#[test]
fn pictures_show_one_edge_and_json_describes_the_projection() {
    let dag = Dag::build("picture", || {
        let rows = rows();
        #[task]
        fn both(count: usize, sum: u32) -> String {
            format!("{count} {sum}")
        }
        both(rows.map(Vec::len), rows.map(sum))
    });
    let dag = dag.unwrap();
    let mermaid = render(dag.plan(), Format::Mermaid);
    assert_eq!(mermaid.matches("-->").count(), 1, "{mermaid}");
    let json: serde_json::Value = serde_json::from_str(&render(dag.plan(), Format::Json)).unwrap();
    assert_eq!(json["edges"].as_array().unwrap().len(), 1);
    assert_eq!(json["nodes"][1]["args"][0]["projections"][0], "map: Vec<u32> -> usize");
    assert!(json["nodes"][1]["args"][0]["sources"][0]["task"] == "rows");
}

#[test]
fn a_projected_output_of_another_graph_is_reported() {
    let mut smuggled = None;
    Dag::build("one", || {
        let rows = rows();
        smuggled = Some(rows);
        total(rows)
    })
    .unwrap();
    let error = Dag::build("two", || say(smuggled.unwrap().map(sum))).unwrap_err().to_string();
    assert!(error.contains("an output of another graph is used"), "{error}");
}

#[tokio::test]
async fn a_cleared_consumer_projects_the_stored_value_of_the_producer_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("stored", || {
        let (rows, name) = named().unzip();
        count(rows.map(Vec::len), name)
    })?;
    let report = dag.run().journal(&journal).await?;
    assert_eq!(report.success()?, "3 of all");
    let history = journal.history("last").await?;
    let stored = journal.value(&history, "named").await?.expect("it is stored").json()?;
    assert_eq!(stored, serde_json::json!([[1, 2, 3], "all"]));

    let pick = taskflow::journal::TaskFilter::tasks(["count"]);
    let by = taskflow::journal::Note::by_user("again");
    journal.clear("last", &pick, &by).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(
        (state_of(&report, "named"), report.task("named").unwrap().attempt_count()),
        (taskflow::TaskState::Success, 1)
    );
    assert_eq!(report.success()?, "3 of all");
    Ok(())
}

#[task]
fn named() -> (Vec<u32>, String) {
    (vec![1, 2, 3], "all".to_owned())
}

#[task]
fn count(rows: usize, name: &str) -> String {
    format!("{rows} of {name}")
}
