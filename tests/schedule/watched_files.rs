//! Files that the system reports to their watcher. In these tests the list at intervals would come
//! after an hour.

use std::fs;
use std::path::Path;

use taskflow::asset::Watch;
use taskflow::watch::{FilesWatch, files};

fn watch(directory: &Path, pattern: &str) -> FilesWatch {
    files(directory.join(pattern).display().to_string()).every("1h").settle("0s")
}

fn write(path: &Path) {
    fs::create_dir_all(path.parent().expect("a file has a directory")).expect("it can be made");
    fs::write(path, "one").expect("it can be written");
}

/// The names of the next files.
async fn next(watch: &mut FilesWatch) -> Vec<String> {
    let batch = watch.next(None).await.expect("the files can be listed");
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    batch.payloads().filter_map(|file| name(&file.path)).collect()
}

#[tokio::test]
async fn a_file_is_noticed_when_it_is_written_or_moved_into_place() {
    let home = tempfile::tempdir().unwrap();
    let mut watch = watch(home.path(), "*.csv");
    write(&home.path().join("there.csv"));
    assert_eq!(next(&mut watch).await, ["there.csv"]);
    write(&home.path().join("written.csv"));
    assert_eq!(next(&mut watch).await, ["written.csv"]);
    write(&home.path().join(".moved.tmp"));
    fs::rename(home.path().join(".moved.tmp"), home.path().join("moved.csv")).unwrap();
    assert_eq!(next(&mut watch).await, ["moved.csv"]);
    // The clock of a file system may not have moved: another size is another file in any case.
    fs::write(home.path().join("there.csv"), "another").unwrap();
    assert_eq!(next(&mut watch).await, ["there.csv"]);
}

#[tokio::test]
async fn a_file_is_noticed_while_its_watcher_waits() {
    let home = tempfile::tempdir().unwrap();
    let mut watch = watch(home.path(), "*.csv");
    write(&home.path().join("first.csv"));
    assert_eq!(next(&mut watch).await, ["first.csv"]);
    let waits = tokio::spawn(async move { next(&mut watch).await });
    tokio::task::yield_now().await;
    write(&home.path().join("second.csv"));
    assert_eq!(waits.await.unwrap(), ["second.csv"]);
}

#[tokio::test]
async fn a_file_is_complete_after_its_time_without_another_change() {
    let home = tempfile::tempdir().unwrap();
    let mut watch = watch(home.path(), "*.csv").settle("50ms");
    write(&home.path().join("a.csv"));
    assert_eq!(next(&mut watch).await, ["a.csv"]);
    write(&home.path().join("b.csv"));
    assert_eq!(next(&mut watch).await, ["b.csv"]);
}

#[tokio::test]
async fn files_in_new_directories_are_noticed() {
    let home = tempfile::tempdir().unwrap();
    let mut watch = watch(home.path(), "**/*.csv");
    write(&home.path().join("a.csv"));
    assert_eq!(next(&mut watch).await, ["a.csv"]);
    write(&home.path().join("x/y/b.csv"));
    assert_eq!(next(&mut watch).await, ["b.csv"]);
    write(&home.path().join("x/y/c.csv"));
    assert_eq!(next(&mut watch).await, ["c.csv"]);
}

#[tokio::test]
async fn a_directory_may_be_deleted_and_made_again() {
    let home = tempfile::tempdir().unwrap();
    let landing = home.path().join("landing");
    let mut watch = watch(home.path(), "landing/*.csv");
    write(&landing.join("a.csv"));
    assert_eq!(next(&mut watch).await, ["a.csv"]);
    fs::remove_dir_all(&landing).unwrap();
    write(&landing.join("b.csv"));
    assert_eq!(next(&mut watch).await, ["b.csv"]);
    write(&landing.join("c.csv"));
    assert_eq!(next(&mut watch).await, ["c.csv"]);
}
