//! Values in the journal: which are stored, where, and which are rejected.
//!
//! Each test runs a DAG, clears the task that takes the value, and resumes the run: then the value
//! comes from the store.
#![allow(clippy::option_option, reason = "what the format cannot keep is what is tested")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use taskflow::journal::{Journal, Note, TaskFilter};
use taskflow::prelude::*;
use taskflow::value::Value;
use taskflow::{BoxError, RunReport};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { radius: f64 },
    Square { side: Option<f32> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Both { number: u8, text: char },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Odd {
    numbers: Vec<f64>,
    by_place: BTreeMap<(i32, String), Vec<u8>>,
    tagged: Vec<Tagged>,
    untagged: Vec<Untagged>,
    nothing: (),
    maybe: Option<Box<Odd>>,
    result: Result<u128, Failure>,
}

fn odd() -> Odd {
    let by_place = [((-1, "a".to_owned()), vec![0, 255]), ((7, "ß".to_owned()), vec![])].into_iter().collect();
    Odd {
        numbers: vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 0.1],
        by_place,
        tagged: vec![Tagged::Circle { radius: f64::INFINITY }, Tagged::Square { side: None }],
        untagged: vec![
            Untagged::Number(-1),
            Untagged::Text("x".to_owned()),
            Untagged::Both { number: 3, text: '\u{1f980}' },
        ],
        nothing: (),
        maybe: None,
        result: Ok(u128::MAX),
    }
}

/// Runs it, runs `look` again, and returns the report of that.
async fn again<T: Value>(journal: &Journal, dag: &Dag<T>) -> Result<RunReport<T>, BoxError> {
    let first = dag.run().journal(journal).await?;
    assert!(first.is_success(), "{first:?}");
    journal.clear("last", &TaskFilter::tasks(["look"]), &Note::default()).await?;
    let again = journal.resume_dag("last", dag).await?.await?;
    assert!(again.is_success(), "{again:?}");
    Ok(again)
}

#[tokio::test]
async fn values_that_other_formats_lose_are_preserved() -> Result<(), BoxError> {
    #[task]
    fn make() -> Odd {
        Odd { maybe: Some(Box::new(odd())), ..odd() }
    }
    #[task]
    fn look(odd: &Odd) -> String {
        // Not `==`: a not-a-number is unlike itself.
        format!("{odd:?}")
    }
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let report = again(&journal, &Dag::build("odd", || look(make()))?).await?;
    assert_eq!(report.result(), Some(&format!("{:?}", Odd { maybe: Some(Box::new(odd())), ..odd() })));
    let history = journal.history("last").await?;
    let preview = journal.preview(&history, "make", 4000).await?.unwrap();
    assert!(preview.contains(r#""NaN""#) && preview.contains(r#""-inf""#), "{preview}");
    Ok(())
}

#[tokio::test]
async fn a_value_of_a_hundred_mebibytes_is_stored_in_a_file() -> Result<(), BoxError> {
    const LENGTH: usize = 100 << 20;

    #[task]
    fn make() -> String {
        "0123456789abcdef".repeat(LENGTH / 16)
    }
    #[task]
    fn look(text: &str) -> (usize, u64) {
        (text.len(), text.bytes().step_by(4097).map(u64::from).sum())
    }
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let report = again(&journal, &Dag::build("large", || look(make()))?).await?;
    let text = "0123456789abcdef".repeat(LENGTH / 16);
    assert_eq!(report.result(), Some(&look::call(&text)));
    let history = journal.history("last").await?;
    let preview = journal.preview(&history, "make", 100).await?.unwrap();
    assert!(preview.starts_with("\"0123456789abcdef") && preview.len() < 200, "{preview}");
    let database = std::fs::metadata(home.path().join("taskflow.db"))?.len();
    assert!(database < 1 << 20, "the value is in the database, which takes {database} bytes");
    Ok(())
}

#[tokio::test]
async fn a_value_above_the_limit_fails_its_task() -> Result<(), BoxError> {
    #[task(retries = 3)]
    fn make() -> Vec<u8> {
        vec![7; 10_000]
    }
    #[task]
    fn look(bytes: &[u8]) -> usize {
        bytes.len()
    }
    let journal = Journal::builder().value_limit(9_000).in_memory()?;
    let report = Dag::build("limit", || look(make()))?.run().journal(&journal).await?;
    let failed = report.first_failure().expect("the task fails");
    // A retry would make the same value.
    assert_eq!((&*failed.id(), failed.attempt_count()), ("make", 1));
    let output = failed.failure().unwrap().to_string();
    for part in ["`make`", "Vec<u8>", "9.8 KiB", "8.8 KiB"] {
        assert!(output.contains(part), "{part} is missing: {output}");
    }
    Ok(())
}

#[tokio::test]
async fn a_value_that_cannot_be_stored_fails_its_task() -> Result<(), BoxError> {
    #[task]
    fn make() -> BTreeMap<String, Option<Option<u8>>> {
        BTreeMap::from([("gone".to_owned(), Some(None))])
    }
    #[task]
    fn look(map: &BTreeMap<String, Option<Option<u8>>>) -> usize {
        map.len()
    }
    let journal = Journal::in_memory()?;
    let dag = Dag::build("nested", || look(make()))?;
    let report = dag.run().journal(&journal).await?;
    let output = report.first_failure().expect("the task fails").failure().unwrap().to_string();
    assert!(output.contains("`make`") && output.contains("gone") && output.contains("Some(None)"), "{output}");
    // Without a journal there is nothing to keep.
    assert!(dag.run().await?.is_success());
    Ok(())
}
