//! The queries that must not take longer the more rows there are: what SQLite plans for them.

use sqlx::{AssertSqlSafe, Row};

use super::support::{filled, open, place, raw};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::audit_rows::AuditFilter;
use crate::store::event_rows::EventFilter;
use crate::store::rows::{RunCursor, RunFilter, RunOrder};
use crate::store::traits::Maintenance;

/// The statements that must be fast however many runs there are search nothing but an
/// index.
#[tokio::test]
async fn no_query_scans_all_runs() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    let filters = [
        RunFilter { limit: Some(10), ..Default::default() },
        RunFilter { dag: Some("etl".to_owned()), states: vec![RunState::Failed], ..Default::default() },
        RunFilter { states: vec![RunState::Failed, RunState::Running], ..Default::default() },
        RunFilter { since: Some(Timestamp::EPOCH), ..Default::default() },
        RunFilter { order: RunOrder::LogicalDate, limit: Some(10), ..Default::default() },
        RunFilter { order: RunOrder::LogicalDate, dag: Some("etl".to_owned()), ..Default::default() },
        RunFilter { logical_since: Some(Timestamp::EPOCH), order: RunOrder::LogicalDate, ..Default::default() },
    ];
    let mut questions: Vec<String> = filters.iter().map(|filter| super::super::read::filtered(filter).text()).collect();
    // What one index does not hold is looked up in as many rows as are counted.
    questions.extend([1, 2, 3, 5, 6].map(|at| super::super::count::counted(&filters[at], 10).text()));
    questions.extend([true, false].map(|beginning| super::super::read::searched("a", beginning, 10).text()));
    questions.push(super::super::read::last_of(&["etl"], 10).text());
    questions.push(super::super::read::with_ids("[]").text());
    questions.push(super::super::backfills::SLOT_RUNS.to_owned());
    for question in questions {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
        for row in plan.fetch_all(&mut connection).await.unwrap() {
            let step: String = row.try_get("detail").unwrap();
            assert!(!step.starts_with("SCAN runs") || step.contains("COVERING INDEX"), "{question}: {step}");
        }
    }
}

/// Each payload that deleted events have left is searched for among those of all other events.
#[tokio::test]
async fn the_file_of_an_event_is_found_in_an_index() {
    let (_dir, path) = place();
    open(&path).await.close().await.unwrap();
    let mut connection = raw(&path).await;
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", super::super::events::LEFT_PAYLOADS)));
    let steps = plan.fetch_all(&mut connection).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|row| row.try_get("detail").unwrap()).collect();
    let searched = |step: &String| step.starts_with("SEARCH events") && step.contains("events_by_file");
    assert!(steps.iter().any(searched), "{steps:?}");
    assert!(!steps.iter().any(|step| step.starts_with("SCAN events")), "{steps:?}");
}

/// The events of a run that its document leaves off, among those of all runs.
#[tokio::test]
async fn the_events_of_a_run_are_counted_along_an_index() {
    let (_dir, path) = place();
    open(&path).await.close().await.unwrap();
    let mut connection = raw(&path).await;
    let filter = EventFilter { run: Some("a".to_owned()), of_tasks: true, after: Some(500), ..EventFilter::default() };
    let question = super::super::events::counted(&filter).text();
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
    let steps = plan.fetch_all(&mut connection).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|row| row.try_get("detail").unwrap()).collect();
    assert!(steps.iter().any(|step| step.contains("events_by_run")), "{steps:?}");
}

/// A page far behind the first one is found, and not counted to.
#[tokio::test]
async fn a_page_of_runs_begins_in_an_index() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    for order in [RunOrder::Created, RunOrder::LogicalDate, RunOrder::Number] {
        let after = Some(RunCursor::of(order, Timestamp::EPOCH, Timestamp::EPOCH, 7));
        let question =
            super::super::read::filtered(&RunFilter { order, after, limit: Some(10), ..Default::default() }).text();
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
        let steps = plan.fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|row| row.try_get("detail").unwrap()).collect();
        let begins = |step: &String| step.starts_with("SEARCH runs USING") && step.contains("<?)");
        assert!(steps.iter().any(begins), "{question}: {steps:?}");
    }
}

/// However many rows the trail has, a page reads only its own.
#[tokio::test]
async fn no_page_of_the_audit_trail_scans_all_rows() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    // The planner decides by the shape of the data.
    let rows = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 100000) \
                INSERT INTO audit (at, actor, via, action, dag, run_id, reason, before, after, outcome, error, checksum) \
                SELECT n, 'ann', 'cli', 'clear', 'dag ' || (n % 10), 'run ' || n, '', '{}', '{}', 'applied', '', 0 \
                FROM counted";
    sqlx::query(rows).execute(&mut connection).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let page = || AuditFilter { limit: Some(50), ..AuditFilter::default() };
    for filter in [
        page(),
        AuditFilter { below: Some(50_000), ..page() },
        AuditFilter { dag: text("dag 3"), ..page() },
        AuditFilter { dag: text("dag 3"), below: Some(50_000), ..page() },
        AuditFilter { run_id: text("run 77"), ..page() },
        AuditFilter { actor: text("ann"), below: Some(50_000), ..page() },
        AuditFilter { action: text("clear"), ..page() },
        AuditFilter { actor: text("nobody"), ..page() },
        AuditFilter { actor: text("ann"), action: text("mark"), ..page() },
        AuditFilter { actor: text("ann"), dag: text("dag 3"), below: Some(50_000), ..page() },
        AuditFilter { action: text("clear"), dag: text("dag 3"), run_id: text("run 77"), ..page() },
        AuditFilter { since: Some(Timestamp::from_nanos(90_000)), ..page() },
        AuditFilter { since: Some(Timestamp::from_nanos(90_000)), actor: text("ann"), ..page() },
        AuditFilter { until: Some(Timestamp::from_nanos(10_000)), ..page() },
        AuditFilter { until: Some(Timestamp::from_nanos(10_000)), dag: text("dag 3"), below: Some(50_000), ..page() },
    ] {
        let mut plan = Vec::new();
        let question = super::super::audit::selected(&filter).text();
        let steps = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
        for row in steps.fetch_all(&mut connection).await.unwrap() {
            plan.push(row.try_get::<String, _>("detail").unwrap());
        }
        // What selects the fewest rows comes first.
        let by = [("run", &filter.run_id), ("dag", &filter.dag), ("actor", &filter.actor), ("action", &filter.action)];
        let index = by.into_iter().find(|(_, text)| text.is_some()).map(|(by, _)| format!("audit_by_{by} "));
        match &index {
            Some(index) => assert!(plan.iter().any(|step| step.contains(index)), "{question}: {plan:?}"),
            // A walk along the numbers is no scan: it ends with the page.
            None => plan.retain(|step| step != "SCAN audit"),
        }
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{question}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{question}: {plan:?}");
    }
}

/// Deleting a piece of a run must not take longer the more runs there are.
#[tokio::test]
async fn a_piece_of_a_deletion_searches_the_segments_of_its_runs_only() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", super::super::upkeep::some_segments())));
    for row in plan.fetch_all(&mut connection).await.unwrap() {
        let step: String = row.try_get("detail").unwrap();
        assert!(!step.starts_with("SCAN segments") && !step.starts_with("SCAN runs"), "{step}");
    }
}
