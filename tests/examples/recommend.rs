//! `examples/recommend` against figures found by other means (`tests/fixtures/recommend.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use taskflow::{Result, RunReport, TaskState};
use tempfile::TempDir;

#[path = "../../examples/recommend/main.rs"]
mod example;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/access.log.gz");

async fn run(min_lift: f64, model: &Path) -> Result<RunReport<String>> {
    let model = model.to_string_lossy().into_owned();
    Ok(example::recommendations::run(LOG.to_owned(), 30, 5, 5, min_lift, model).await?)
}

fn state(report: &RunReport<String>, task: &str) -> TaskState {
    report.task(task).unwrap_or_else(|| panic!("no task {task}")).state()
}

#[tokio::test]
async fn the_model_is_published_with_its_metrics() -> Result<()> {
    let dir = TempDir::new()?;
    let file = dir.path().join("models/pages.json");
    let report = run(1.2, &file).await?;
    let text = report.success()?;
    let lines: Vec<&str> = text.lines().collect();
    let counts: Vec<Vec<&str>> = lines[1..5].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        counts,
        [
            ["2015-05-17", "636", "64"],
            ["2015-05-18", "1109", "133"],
            ["2015-05-19", "790", "77"],
            ["2015-05-20", "760", "83"]
        ]
    );
    assert!(lines[5].starts_with("published 365 pages to "), "{text}");
    assert!(lines[5].ends_with("47 of 72 last pages were recommended, 24 by popularity"), "{text}");
    let model: BTreeMap<String, Vec<(String, u32)>> = serde_json::from_str(&fs::read_to_string(&file)?)?;
    assert_eq!((model.len(), model.values().map(Vec::len).sum::<usize>()), (365, 3424));
    assert!(!file.with_extension("new").exists());
    assert_eq!(state(&report, "sessions[3]"), TaskState::Success);
    assert_eq!(state(&report, "reject"), TaskState::Skipped);
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_not_better_is_rejected_and_the_old_one_stays() -> Result<()> {
    let dir = TempDir::new()?;
    let file = dir.path().join("pages.json");
    fs::write(&file, "the old one")?;
    let report = run(2.0, &file).await?;
    let text = report.success()?;
    let output = "not published, 48 hits are required: 47 of 72 last pages were recommended, 24 by popularity";
    assert!(text.ends_with(output), "{text}");
    assert_eq!(fs::read_to_string(&file)?, "the old one");
    assert_eq!(state(&report, "publish"), TaskState::Skipped);
    Ok(())
}
