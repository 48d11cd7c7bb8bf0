//! What tasks store besides the values that they return: named values, links, files.

use std::time::Duration;

use taskflow::BoxError;
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, Prune, RunHistory, TaskFilter};
use taskflow::ops;
use taskflow::prelude::*;
use taskflow_tests::common::{self, PATIENCE, failure_of, live, on_both_drivers};

#[task]
fn load(ctx: &TaskContext, rows: u64) -> Result<()> {
    ctx.push("rows", 0_u64)?;
    ctx.push("rows", rows)?;
    ctx.push("names", vec!["a".to_owned(), "b".to_owned()])?;
    Ok(())
}

#[task]
fn tell(ctx: &TaskContext) -> Result<String> {
    let rows: u64 = ctx.pull("load", "rows")?;
    let names: Vec<String> = ctx.pull("load", "names")?;
    Ok(format!("{rows} rows of {}", names.join(" and ")))
}

#[test]
fn a_pull_returns_the_last_pushed_value_in_its_type() {
    let dag = Dag::build("named", || tell().after(load(7))).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.success().unwrap(), "7 rows of a and b"));
}

#[task]
fn pass(rows: ()) -> u64 {
    let () = rows;
    0
}

#[task]
fn plus(n: u64) -> u64 {
    n + 1
}

#[test]
fn a_task_can_pull_from_an_indirect_upstream() {
    let dag = Dag::build("further", || tell().after(plus(pass(load(8))))).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.success().unwrap(), "8 rows of a and b"));
}

#[task]
fn wants_text(ctx: &TaskContext) -> Result<String> {
    Ok(ctx.pull("load", "rows")?)
}

#[task]
fn wants_more(ctx: &TaskContext, task: &str) -> Result<u64> {
    Ok(ctx.pull(task, "more")?)
}

#[test]
fn an_invalid_pull_lists_what_can_be_pulled_and_is_not_retried() {
    let dag = Dag::build("mistakes", || {
        let loaded = load(1);
        wants_text().after(loaded).retries(3);
        wants_more("load").id("no_key").after(loaded).retries(3);
        wants_more("pass").id("nothing").after(pass(loaded));
        wants_more("load").id("no_upstream").retries(3);
        wants_more("lead").id("no_task").after(loaded)
    })
    .unwrap();
    on_both_drivers(&dag, |report| {
        let failure = |task| failure_of(report, task);
        assert_eq!(failure("wants_text"), "`load` has pushed `rows` as `u64`, but it is pulled as `String`");
        assert_eq!(failure("no_key"), "`load` has not pushed `more`; it has pushed `names`, `rows`");
        assert_eq!(failure("nothing"), "`pass` has not pushed `more`; it has pushed nothing");
        assert_eq!(
            failure("no_upstream"),
            "`no_upstream` pulls from `load`, which is not upstream of it: connect them, with `.after(..)` or `>>`"
        );
        assert_eq!(
            failure("no_task"),
            "nothing can be pulled from `lead`: the DAG `mistakes` has no such task; did you mean `load`?"
        );
        for task in ["wants_text", "no_key", "no_upstream"] {
            assert_eq!(report.task(task).unwrap().attempt_count(), 1, "{task}");
        }
    });
}

/// Pushes in its first attempt, and not in its second.
#[task(retries = 1, retry_delay = "0s")]
fn once(ctx: &TaskContext) -> Result<()> {
    ctx.link("attempt", &format!("https://example.com/{}", ctx.attempt()));
    if ctx.attempt() == 1 {
        ctx.link("first", "https://example.com/first");
        ctx.push("more", 1_u64)?;
        return Err("once more")?;
    }
    Ok(())
}

#[task]
fn fails_after_pushing(ctx: &TaskContext) -> Result<()> {
    ctx.push("more", 5_u64)?;
    Err("after that")?
}

#[test]
fn a_new_attempt_discards_the_pushes_of_the_previous_one() {
    let dag = Dag::build("forgets", || wants_more("once").after(once())).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(failure_of(report, "wants_more"), "`once` has not pushed `more`; it has pushed nothing");
    });
}

#[test]
fn the_pushes_of_a_failed_task_can_be_pulled() {
    let dag = Dag::build("failed", || {
        wants_more("fails_after_pushing").after(fails_after_pushing()).trigger_rule(TriggerRule::AllDone)
    });
    on_both_drivers(&dag.unwrap(), |report| assert_eq!(report.result(), Some(&5)));
}

#[task]
fn shops() -> Vec<u64> {
    vec![3, 4]
}

#[task]
fn size(ctx: &TaskContext, shop: u64) -> Result<u64> {
    ctx.push("more", shop * 10)?;
    Ok(shop)
}

#[task]
fn add(ctx: &TaskContext, size: u64) -> Result<u64> {
    Ok(size + ctx.pull::<u64>("size", "more")?)
}

#[task]
fn second(ctx: &TaskContext, sizes: &[u64], of: &str) -> Result<u64> {
    assert_eq!(sizes.len(), 2);
    Ok(ctx.pull(of, "more")?)
}

#[test]
fn a_pull_inside_each_reads_the_task_of_the_same_element() {
    let dag = Dag::build("elements", || {
        let sizes = shops().each(|shop| add(size(shop)));
        second(sizes, "size").id("which");
        second(sizes, "size[1]")
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(report.result(), Some(&40));
        let failure = failure_of(report, "which");
        assert_eq!(failure, "`size` runs once for each element of a list: name one instance, as in `size[0]`");
        assert_eq!(report.task("add[1]").unwrap().state(), TaskState::Success);
    });
}

/// Pushes, waits, and is called again as the same attempt.
#[task(deferrable)]
fn pushes_and_waits(ctx: &TaskContext) -> Result<()> {
    if ctx.waited() == 0 {
        ctx.push("more", 9_u64)?;
    }
    Ok(ctx.wait_for("go on")?)
}

#[task(retries = 2, retry_delay = "0s")]
async fn goes_on(ctx: &TaskContext) -> Result<u32> {
    let page = ctx.get_state::<u32>("page")?.unwrap_or(0) + 1;
    ctx.set_state("page", page).await?;
    match page {
        3 => Ok(page),
        _ => Err(format!("page {page} is the last for now"))?,
    }
}

#[test]
fn the_next_attempt_reads_the_state_of_the_previous_one() {
    let dag = Dag::build("pages", || goes_on()).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.success().unwrap(), &3));
    let journal = Journal::in_memory().unwrap();
    let report = dag.run().journal(&journal).wait().unwrap();
    assert_eq!(report.success().unwrap(), &3);
}

#[task]
fn asks_for(ctx: &TaskContext, name: &str) -> Result<u32> {
    Ok(ctx.param(name)?)
}

#[dag]
fn with_params(days: u32, shop: String, asked: String) -> u32 {
    let _ = (days, shop);
    asks_for(asked)
}

#[test]
fn a_parameter_of_the_run_is_read_by_name_and_type() {
    let run = |asked: &str| with_params::run(7, "Lyon".to_owned(), asked.to_owned());
    assert_eq!(run("days").wait().unwrap().success().unwrap(), &7);
    assert_eq!(run("days").run_sequentially().unwrap().success().unwrap(), &7);

    let failure = |asked| failure_of(&run(asked).wait().unwrap(), "asks_for");
    let expected = "the DAG `with_params` has no parameter `day`; it has `days`, `shop`, `asked`";
    assert_eq!(failure("day"), expected);
    let expected = "the parameter `shop` of the DAG `with_params` has the type `String`, but was requested as `u32`";
    assert_eq!(failure("shop"), expected);
    let context = TaskContext::detached("asks_for").with_param("days", 3_u32);
    assert_eq!(asks_for::call(&context, "days").unwrap(), 3);
    assert!(asks_for::call(&context, "shop").is_err());
}

#[task]
async fn keeps_another_type(ctx: &TaskContext) -> Result<u32> {
    ctx.set_state("page", "three").await?;
    Ok(ctx.get_state::<u32>("page")?.unwrap_or(0))
}

#[task]
async fn keeps_for_itself(ctx: &TaskContext) -> Result<bool> {
    ctx.set_state("page", 1).await?;
    Ok(ctx.get_state::<u32>("page")?.is_some())
}

#[task]
fn looks(ctx: &TaskContext) -> Result<bool> {
    Ok(ctx.get_state::<u32>("page")?.is_some())
}

#[test]
fn the_state_of_a_task_is_private_and_typed() {
    let dag = Dag::build("own", || looks().after(keeps_for_itself())).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.success().unwrap(), &false));
    let dag = Dag::build("typed", || keeps_another_type()).unwrap();
    on_both_drivers(&dag, |report| {
        let failure = failure_of(report, "keeps_another_type");
        assert!(failure.contains("`page` of `keeps_another_type` cannot be read: invalid type"), "{failure}");
    });
}

#[test]
fn pushes_survive_a_deferral() {
    let dag = Dag::build("waits", || wants_more("pushes_and_waits").after(pushes_and_waits())).unwrap();
    let handle = dag.run().start().unwrap();
    handle.control().send_event("go on", &()).unwrap();
    assert_eq!(common::finish(handle).result(), Some(&9));
}

#[test]
fn the_function_of_a_task_can_be_tested_without_a_run() {
    let context = TaskContext::detached("tell").with_pushed("load", "rows", 2_u64).with_pushed(
        "load",
        "names",
        vec!["x".to_owned()],
    );
    assert_eq!(tell::call(&context).unwrap(), "2 rows of x");
    let context = TaskContext::detached("load");
    load::call(&context, 3).unwrap();
    assert_eq!(context.pull::<u64>("load", "rows").unwrap(), 3);
    assert!(context.artifact_dir().unwrap().is_dir());
}

#[task(deferrable)]
fn asks(ctx: &TaskContext) -> Result<u64> {
    Ok(ctx.wait_for("go on")?)
}

async fn history_when(journal: &Journal, wanted: impl Fn(&RunHistory) -> bool) -> RunHistory {
    let start = std::time::Instant::now();
    loop {
        match journal.history("last").await {
            Ok(history) if wanted(&history) => return history,
            other => assert!(start.elapsed() < PATIENCE, "this does not come: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[task]
fn large(ctx: &TaskContext) -> Result<()> {
    ctx.push("many", vec![7_u64; 100_000])?;
    Ok(())
}

#[task]
fn count(ctx: &TaskContext) -> Result<usize> {
    let many: Vec<u64> = ctx.pull("large", "many")?;
    Ok(many.len())
}

#[tokio::test]
async fn pushes_survive_the_process() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("resumed", || {
        let asked = asks().after(load(6)).after(large());
        let counted = count().after(asked);
        tell().after(counted)
    })?;
    let journal = Journal::open(home.path()).await?;
    let handle = dag.run().journal(&journal).start()?;
    let waits = |history: &RunHistory| history.task("asks").is_some_and(|task| task.state == TaskState::Deferred);
    history_when(&journal, waits).await;
    journal.close().await?;
    assert_eq!(handle.await.state(), RunState::Interrupted);

    let journal = Journal::open(home.path()).await?;
    journal.send_event("last", "go on", &1, &Note::default()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.success()?, "6 rows of a and b");

    let history = journal.history("last").await?;
    let keys: Vec<_> = history.task("load").unwrap().pushed.iter().map(|known| (&*known.key, &*known.ty)).collect();
    assert_eq!(keys, [("names", "Vec<String>"), ("rows", "u64")]);
    let rows = journal.pushed(&history, "load", "rows").await?.ok_or("it was pushed")?;
    assert_eq!(rows.json()?, serde_json::json!(6));
    assert!(journal.pushed(&history, "load", "more").await?.is_none());
    assert_eq!(journal.check().await?, Vec::<String>::new());

    // Cleared, it has pushed nothing.
    journal.clear("last", &TaskFilter::tasks(["load"]), &Note::default()).await?;
    assert!(journal.history("last").await?.task("load").unwrap().pushed.is_empty());
    Ok(())
}

#[task(deferrable)]
fn links_and_waits(ctx: &TaskContext) -> Result<()> {
    ctx.link("job", "https://spark.example.com/17");
    ctx.link("job", "https://spark.example.com/18");
    Ok(ctx.wait_for("go on")?)
}

/// Holds its slot until the link is seen.
#[task(blocking)]
fn links_and_works(ctx: &TaskContext) {
    ctx.link("table", "https://db.example.com/t");
    let start = std::time::Instant::now();
    while !ctx.is_cancelled() {
        assert!(start.elapsed() < PATIENCE, "nobody has seen the link");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn a_link_is_visible_while_the_task_runs() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("links", || (links_and_waits(), links_and_works()).1)?;
    let handle = dag.run().journal(&journal).start()?;
    let linked = |history: &RunHistory, task: &str, url: &str| {
        history.task(task).is_some_and(|task| task.links.len() == 1 && task.links[0].url == url)
    };
    history_when(&journal, |history| {
        linked(history, "links_and_waits", "https://spark.example.com/18")
            && linked(history, "links_and_works", "https://db.example.com/t")
    })
    .await;
    handle.control().cancel("seen");
    tokio::time::timeout(PATIENCE, handle).await?;
    Ok(())
}

#[tokio::test]
async fn a_new_attempt_starts_without_links() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("links", || once())?;
    dag.run().journal(&journal).await?;
    let history = journal.history("last").await?;
    let links: Vec<_> = history.task("once").unwrap().links.iter().map(|link| (&*link.name, &*link.url)).collect();
    assert_eq!(links, [("attempt", "https://example.com/2")]);
    Ok(())
}

#[task(blocking)]
fn writes(ctx: &TaskContext) -> Result<String> {
    let file = ctx.artifact_dir()?.join("rows.csv");
    std::fs::write(&file, "1,2,3")?;
    Ok(file.display().to_string())
}

#[task(blocking)]
fn reads(ctx: &TaskContext, file: String) -> Result<(String, String)> {
    let text = std::fs::read_to_string(ctx.artifact_dir()?.join("rows.csv"))?;
    Ok((file, text))
}

#[tokio::test]
async fn the_artifacts_of_a_run_are_kept_until_it_is_pruned() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let dag = Dag::build("files", || reads(writes()))?;
    let report = dag.run().journal(&journal).await?;
    let (file, text) = report.success()?;
    assert_eq!(text, "1,2,3");
    assert!(std::path::Path::new(file).starts_with(home.path().join("artifacts")), "{file}");
    assert!(std::fs::exists(file)?);
    let dir = journal.artifacts_of(&report.run().run_id).ok_or("it has a home")?;
    assert!(dir.is_dir());

    let prune = Prune { older_than: Duration::ZERO, dag: None, states: Vec::new(), audit: false };
    assert_eq!(ops::prune(&journal, &prune, None).await?.pruned, 1);
    assert!(!std::fs::exists(dir)?);
    Ok(())
}

#[test]
fn without_a_journal_the_artifacts_of_a_run_are_temporary() {
    let dag = Dag::build("files", || reads(writes())).unwrap();
    let report = live(dag.run());
    let (file, text) = report.success().unwrap();
    assert_eq!(text, "1,2,3");
    assert!(!std::path::Path::new(file).starts_with(std::env::current_dir().unwrap()), "{file}");
    // At once, and not when the threads of the engine let go of the run: the program may end here.
    assert!(!std::fs::exists(file).unwrap());
}

#[cfg(feature = "testing")]
#[test]
fn pushes_survive_a_crash_at_any_moment() {
    use taskflow::testing::{Test, explore};

    let dag = Dag::build("crashes", || {
        let sizes = shops().each(|shop| add(size(shop)));
        let loaded = load(7).after(once().after(sizes.collect()));
        tell().after(loaded)
    });
    let dag = dag.unwrap();
    for entries in 1..60 {
        let outcome = Test::new(dag.clone()).crash_after(entries).run();
        assert_eq!(outcome.result(), "7 rows of a and b", "after {entries} entries");
    }
    explore(0..50, || Test::new(dag.clone()).stored());
}
