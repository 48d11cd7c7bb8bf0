//! Stores of earlier schemas.

use sqlx::{AssertSqlSafe, Connection};

use super::support::{edit, open, place, raw};
use crate::run::{RunState, RunType};
use crate::store::admission::{Admission, AdmissionRequest};
use crate::store::conformance::{claim, known, new, ok, plain, segment};
use crate::store::pool_leases::PoolDemand;
use crate::store::rows::RunFilter;
use crate::store::traits::{
    GraphStore, Maintenance, Outbox, PoolStore, RequestStore, RunStore, ScheduleStore, SegmentStore,
};

#[tokio::test]
async fn a_store_of_schema_2_is_migrated() {
    let (_dir, path) = place();
    let mut connection = raw(&path).await;
    for sql in [include_str!("../migrations/0001_runs.sql"), include_str!("../migrations/0002_deliveries.sql")] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let info = r#"{"dag_id":"etl","run_id":"a","logical_date":"2026-01-01T00:00:00Z","trigger":"dag","interval":null}"#;
    let rows = format!(
        "INSERT INTO runs VALUES (1, 'a', 'etl', 'g', 'running', 'dag', 5, 10, NULL, 'b', 'host:1', 1, 3, '{info}', '[]', x'');
         INSERT INTO runs VALUES (2, 'b', 'etl', 'g', 'failed', 'manual', 5, 10, 20, 'b', 'host:1', 1, 3, '{info}', '[]', x'');
         INSERT INTO owing VALUES ('a');
         INSERT INTO deliveries VALUES ('a', 'key', 'it failed', 'mail', 7, 1, NULL, NULL);
         INSERT INTO requests (run, what, by, reason, at) VALUES (1, 'cancel', 'ann', '', 0), (2, 'cancel', 'bob', '', 0)"
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    super::super::schema::record(&mut connection, 2).await.unwrap();
    connection.close().await.unwrap();

    let store = open(&path).await;
    let triggered = RunFilter { run_types: vec![RunType::Triggered], ..Default::default() };
    let rows = store.runs(&triggered).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.number, row.info.run_type)).collect::<Vec<_>>(), [(1, RunType::Triggered)]);
    assert_eq!(store.outbox_pending().await.unwrap(), ["a"]);
    assert_eq!(store.deliveries("a").await.unwrap()[0].notification, "it failed");
    let requests = store.requests(&[1, 2]).await.unwrap();
    assert_eq!(requests.iter().map(|(_, request)| &*request.by).collect::<Vec<_>>(), ["ann"]);
    let (row, _guard) = claim(&store, 1, "host:2").await;
    assert_eq!(row.token, 2);
}

#[tokio::test]
async fn a_store_without_checksums_gets_them_as_it_is_written() {
    let (_dir, path) = place();
    let mut connection = raw(&path).await;
    let migrations = [
        include_str!("../migrations/0001_runs.sql"),
        include_str!("../migrations/0002_deliveries.sql"),
        include_str!("../migrations/0003_outbox.sql"),
    ];
    for sql in migrations {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let info =
        r#"{"dag_id":"etl","run_id":"a","logical_date":"2026-01-01T00:00:00Z","trigger":"manual","interval":null}"#;
    let rows = format!(
        "INSERT INTO runs VALUES (1, 'a', 'etl', 'g', 'running', 'manual', 5, 10, NULL, 'b', 'host:1', 1, 3, '{info}', '[]', x'01');
         INSERT INTO segments VALUES ((1 << 32) + 1, x'01', x'02'), ((1 << 32) + 2, x'03', x'04');
         INSERT INTO graphs VALUES ('g', x'05')"
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    super::super::schema::record(&mut connection, 3).await.unwrap();
    connection.close().await.unwrap();

    let store = open(&path).await;
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 2);
    assert_eq!(store.data(1, 2, 0..1).await.unwrap(), Some(vec![4]));
    assert_eq!((store.params(1).await.unwrap(), store.graph("g").await.unwrap()), (Some(vec![1]), Some(vec![5])));
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let (row, guard) = claim(&store, 1, "host:2").await;
    ok(&store, &[known(1, row.token, Some(segment(3)), None), plain(1, row.token, 4)]).await;
    ok(&store, &[new("b", 20)]).await;
    let findings = store.check().await.unwrap();
    assert_eq!(findings, ["run 2 has the graph graph-1, whose snapshot is missing"]);
    drop(guard);
    store.close().await.unwrap();

    let damages = [
        (
            "UPDATE segments SET events = x'00' WHERE id = (1 << 32) + 4",
            "run 1: the checksum of segment 4 does not match",
        ),
        ("UPDATE segments SET checksum = NULL WHERE id = (1 << 32) + 4", "run 1: segment 4 has no checksum"),
        ("DELETE FROM segments WHERE id = (1 << 32) + 4", "run 1: its end is missing: it has 3 of 4 segments"),
    ];
    let sound = std::fs::read(&path).unwrap();
    for (sql, expected) in damages {
        edit(&path, sql).await;
        let error = open(&path).await.segments(1, 0).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        std::fs::write(&path, &sound).unwrap();
    }
    // A run that was begun with checksums has all of them.
    edit(&path, "UPDATE runs SET checksum_info = NULL WHERE number = 2").await;
    let error = open(&path).await.run(2).await.unwrap_err().to_string();
    assert!(error.contains("run 2: its description has no checksum"), "{error}");
}

#[tokio::test]
async fn a_store_of_schema_4_gets_the_limits_of_its_processes() {
    let (_dir, path) = place();
    let mut connection = raw(&path).await;
    let migrations = [
        include_str!("../migrations/0001_runs.sql"),
        include_str!("../migrations/0002_deliveries.sql"),
        include_str!("../migrations/0003_outbox.sql"),
    ];
    for sql in migrations {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let info = |run_id: &str| {
        format!(
            r#"{{"dag_id":"etl","run_id":"{run_id}","logical_date":"2026-01-01T00:00:00Z","run_type":"manual","interval":null}}"#
        )
    };
    for (number, run_id) in [(1, "a"), (2, "b")] {
        let row = format!(
            "INSERT INTO runs VALUES ({number}, '{run_id}', 'etl', 'g', 'running', 'manual', 5, 10, NULL, 'b', 'host:1', 1, 3, \
             '{}', '[]', x'01')",
            info(run_id)
        );
        sqlx::raw_sql(AssertSqlSafe(row)).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql(include_str!("../migrations/0004_checksums.sql")).execute(&mut connection).await.unwrap();
    super::super::schema::record(&mut connection, 4).await.unwrap();
    connection.close().await.unwrap();

    let store = open(&path).await;
    assert_eq!(store.run(1).await.unwrap().unwrap().present_state(), RunState::Interrupted);
    let (one, _one_guard) = claim(&store, 1, "host:2").await;
    let (two, _two_guard) = claim(&store, 2, "host:2").await;
    let admit = async |run, token| {
        store
            .admit(&AdmissionRequest {
                run,
                token,
                limit: 1,
                ancestors: Vec::new(),
                is_backfill: false,
                is_first: false,
            })
            .await
            .unwrap()
    };
    assert_eq!(admit(1, one.token).await, Admission::Admitted);
    assert_eq!(admit(2, two.token).await, Admission::Waits { active: vec![1], ahead: vec![] });
    assert_eq!(store.run(2).await.unwrap().unwrap().present_state(), RunState::Queued);
    assert!(store.hold_pools("pools").await.unwrap().is_some());
    let demand = PoolDemand { pool: "p".to_owned(), size: 4, held: 0, taken: 0, wanted: 1, largest: 1 };
    assert_eq!(store.lease_pools("pools", &[demand]).await.unwrap()[0].held, 4);
    assert!(store.schedules().await.unwrap().is_empty());
}
