//! Tables as values: Arrow record batches between tasks, in files, and for people.
#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_ipc::reader::FileReader;
use taskflow::arrow::Frame;
use taskflow::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use taskflow::arrow::schema::{DataType, Field, Schema};
use taskflow::engine::RunState;
use taskflow::journal::{Journal, Note, TaskFilter};
use taskflow::prelude::*;
use taskflow_tests::common::on_both_drivers;

/// So many rows: the number, its name, and something secret.
fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
    let names: StringArray = numbers.clone().map(|n| (n != 2).then(|| format!("row {n}"))).collect();
    let secrets: StringArray = numbers.clone().map(|n| Some(format!("hunter{n}"))).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("n", Arc::new(Int64Array::from_iter_values(numbers))),
        ("name", Arc::new(names)),
        ("password", Arc::new(secrets)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("the columns are of one length")
}

#[task]
fn read(count: i64) -> Result<Frame> {
    Ok(vec![rows(0..count / 2), rows(count / 2..count)].try_into()?)
}

/// Where the numbers lie in memory.
fn address(frame: &Frame) -> u64 {
    frame.batches()[0].column(0).to_data().buffers()[0].as_ptr() as u64
}

#[task]
fn place(frame: &Frame) -> u64 {
    address(frame)
}

#[task]
fn place_of_own(frame: Frame) -> u64 {
    address(&frame)
}

#[task]
fn same(places: &[u64]) -> bool {
    places.windows(2).all(|pair| pair[0] == pair[1])
}

#[test]
fn a_frame_is_passed_on_without_a_copy() {
    let dag = Dag::build("passed", || {
        let frame = read(100_i64);
        same([place(frame), place(frame), place_of_own(frame)])
    });
    on_both_drivers(&dag.unwrap(), |report| assert_eq!(report.success().unwrap(), &true));
}

#[task]
fn sum(frame: &Frame) -> i64 {
    let numbers = |batch: &RecordBatch| {
        batch.column(0).as_any().downcast_ref::<Int64Array>().expect("it is a column of numbers").clone()
    };
    frame.batches().iter().flat_map(|batch| numbers(batch).iter().flatten().collect::<Vec<_>>()).sum()
}

#[dag]
fn summing(count: i64) -> i64 {
    sum(read(count))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("the directory can be read").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_large_frame_is_an_arrow_file_of_its_own() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let report = summing::run(10_000).journal(&journal).await?;
    assert_eq!(report.success()?, &49_995_000);

    let magic = |file: &PathBuf| std::fs::read(file).unwrap().starts_with(b"ARROW1");
    let files: Vec<PathBuf> = files(home.path()).into_iter().filter(magic).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let batches: Vec<RecordBatch> = FileReader::try_new(std::fs::File::open(file)?, None)?.collect::<Result<_, _>>()?;
    assert_eq!(batches, [rows(0..5000), rows(5000..10_000)]);
    Ok(())
}

#[tokio::test]
async fn a_stored_frame_is_shown_as_a_small_table_without_its_secrets() -> Result<()> {
    for count in [4, 10_000] {
        let home = tempfile::tempdir()?;
        let journal = Journal::open(home.path()).await?;
        summing::run(count).journal(&journal).await?;
        let history = journal.history("last").await?;

        let table = journal.preview(&history, "read", 1000).await?.unwrap();
        let mut lines = table.lines();
        let head = format!("{count} rows of n Int64, name Utf8, password Utf8");
        assert!(lines.next().unwrap().starts_with(&head), "{table}");
        let shown: Vec<&str> = lines.take(4).collect();
        assert_eq!(shown, ["n  name   password", "0  row 0  ***", "1  row 1  ***", "2  null   ***"], "{table}");
        assert!(!table.contains("hunter"), "{table}");
        let line = journal.preview(&history, "read", 100).await?.unwrap();
        assert_eq!(line, head);

        let all = journal.value(&history, "read").await?.unwrap().json()?;
        let all = all.as_array().unwrap();
        assert_eq!(all.len() as i64, count);
        assert_eq!(all[1], serde_json::json!({"n": 1, "name": "row 1", "password": "hunter1"}));
    }
    Ok(())
}

#[task]
fn half(frame: Option<Frame>, others: Vec<Frame>) -> Result<Option<Vec<Frame>>> {
    Ok(frame.map(|frame| [vec![frame], others].concat()))
}

#[task]
fn fails_once(ctx: &TaskContext, frames: Option<Vec<Frame>>) -> Result<usize> {
    match ctx.attempt() {
        1 => Err("not yet")?,
        _ => Ok(frames.into_iter().flatten().map(|frame| frame.num_rows()).sum()),
    }
}

#[dag]
fn within() -> usize {
    let (one, two) = (read(10_i64), read(6_i64));
    fails_once(half(one, vec![two, two]))
}

#[tokio::test]
async fn a_resumed_run_reads_its_frames_even_inside_other_values() -> Result<()> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    assert!(within::run().journal(&journal).await?.success().is_err());
    journal.clear("last", &TaskFilter::all().failed(), &Note::by_user("mended")).await?;
    drop(journal);

    let journal = Journal::open(home.path()).await?;
    assert_eq!(journal.resume("last").await?.await?.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(journal.value(&history, "fails_once").await?.unwrap().json()?, 22);
    Ok(())
}

#[test]
fn batches_with_different_columns_are_not_a_frame() {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let error = Frame::new(schema, vec![rows(0..1)]).unwrap_err().to_string();
    assert!(
        error.contains("batch 0 has the columns n Int64, name Utf8, password Utf8, and the frame n Int64"),
        "{error}"
    );
    assert_eq!(Frame::try_from(Vec::new()).unwrap().num_rows(), 0);
}

#[test]
fn frames_are_compared_by_their_rows() {
    let cut = Frame::try_from(vec![rows(0..3), rows(3..5)]).unwrap();
    assert_eq!(cut, Frame::from(rows(0..5)));
    assert_ne!(cut, Frame::from(rows(0..4)));
    assert_eq!(cut.concat().unwrap(), rows(0..5));
}
