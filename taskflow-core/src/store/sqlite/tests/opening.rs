//! What is opened and created, what is refused, and what closing leaves.

use super::super::SqliteStore;
use super::support::{edit, filled, open, place};
use crate::store::conformance::{new, ok, plain};
use crate::store::error::StoreError;
use crate::store::rows::RunFilter;
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{Maintenance, RunStore, SegmentStore};

#[tokio::test]
async fn stored_data_survives_closing() {
    let (_dir, path) = place();
    filled(&path).await;
    let store = open(&path).await;
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 99);
    assert_eq!(store.find("b", 1).await.unwrap()[0].number, 2);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    ok(&store, &[plain(1, 1, 100)]).await;
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let (dir, path) = place();
    filled(&path).await;
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["runs.db"]);
}

#[tokio::test]
async fn opening_an_existing_store_creates_none() {
    let (dir, path) = place();
    assert!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    filled(&path).await;
    let store = SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().unwrap();
    assert_eq!(store.runs(&RunFilter::default()).await.unwrap().len(), 2);
    ok(&store, &[plain(1, 1, 100)]).await;
}

#[tokio::test]
async fn concurrent_calls_can_create_a_store() {
    let (_dir, path) = place();
    let openings: Vec<_> = (0..8)
        .map(|at| {
            let path = path.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let store = SqliteStore::open(&path, SyncMode::Full).await.unwrap();
                    ok(&store, &[new(&format!("run-{at}"), 1)]).await;
                });
            })
        })
        .collect();
    for opening in openings {
        opening.join().unwrap();
    }
    assert_eq!(open(&path).await.runs(&RunFilter::default()).await.unwrap().len(), 8);
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let (_dir, path) = place();
    std::fs::write(&path, b"").unwrap();
    assert!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().is_none());
    ok(&open(&path).await, &[new("a", 10)]).await;
}

#[tokio::test]
async fn a_file_that_is_not_a_store_is_rejected() {
    let (dir, path) = place();
    std::fs::write(&path, "dear diary, ".repeat(1000)).unwrap();
    let place = path.display();
    let expected = format!(
        "cannot open the store {place}: the file is not a SQLite database, or its beginning was overwritten or cut off; restore a \
         backup or move the file away; `db check` lists the damage"
    );
    assert_eq!(SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string(), expected);
    assert_eq!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap_err().to_string(), expected);

    let error = SqliteStore::open(dir.path(), SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.ends_with("it is a directory; name a file in it"), "{error}");
    let missing = dir.path().join("nowhere").join("runs.db");
    let error = SqliteStore::open(&missing, SyncMode::Normal).await.unwrap_err().to_string();
    let nowhere = dir.path().join("nowhere");
    assert!(error.ends_with(&format!("there is no directory {}; create it first", nowhere.display())), "{error}");
    let below_a_file = path.join("runs.db");
    let error = SqliteStore::open(&below_a_file, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.ends_with(&format!("{place} is not a directory")), "{error}");
}

#[tokio::test]
async fn a_foreign_database_is_not_modified() {
    let (_dir, path) = place();
    edit(&path, "CREATE TABLE _sqlx_migrations (version INTEGER); CREATE TABLE runs (id INTEGER)").await;
    let error = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.ends_with("it is a SQLite database, but not one of taskflow; name another file"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_later_version_is_not_modified() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(
        &path,
        "INSERT INTO taskflow_migrations (version, description, success, checksum, execution_time) \
         VALUES (1000, 'later', true, x'00', 0)",
    )
    .await;
    for error in [
        SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err(),
        SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap_err(),
    ] {
        let StoreError::TooNew { found: 1000, known, .. } = error else { panic!("{error}") };
        assert_eq!(known, super::super::schema::latest());
    }
}

#[tokio::test]
async fn a_different_schema_is_rejected() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(&path, "UPDATE taskflow_migrations SET checksum = x'00'").await;
    let error = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.contains("its schema 1 is not the schema 1 of this build"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_store_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    let (dir, path) = place();
    filled(&path).await;
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(dir.path(), 0o500);
    if std::fs::write(dir.path().join("probe"), b"").is_ok() {
        // The superuser may write everywhere.
        return mode(dir.path(), 0o700);
    }
    let new_one = SqliteStore::open(&dir.path().join("new.db"), SyncMode::Normal).await.unwrap_err().to_string();
    let existing = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    mode(dir.path(), 0o700);
    assert!(new_one.contains("change the permissions or name another store"), "{new_one}");
    assert!(existing.contains("change the permissions"), "{existing}");
}
