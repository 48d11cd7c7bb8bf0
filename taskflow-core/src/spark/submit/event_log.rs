//! Summarizes an application from its event log: lines of JSON, written by Spark.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::EventSummary;

/// Summarizes the application whose event log is in this directory. An unreadable log is only a
/// warning, because the job has succeeded.
pub(super) async fn summary(folder: &str, application: &str) -> Option<EventSummary> {
    let path = match folder.split_once(':') {
        None => PathBuf::from(folder),
        Some(("file", path)) => PathBuf::from(path.strip_prefix("//").unwrap_or(path)),
        Some((scheme, _)) => {
            tracing::warn!(target: "taskflow", "no summary: the event log is at a `{scheme}:` URL, and only local files can be read");
            return None;
        }
    };
    let id = application.to_owned();
    let read = tokio::task::spawn_blocking(move || files(&path, &id).and_then(|files| sum(&files))).await;
    match read {
        Ok(Ok(summary)) => Some(summary),
        Ok(Err(error)) => {
            tracing::warn!(target: "taskflow", "no summary of `{application}`: its event log in {folder} cannot be read: {error}");
            None
        }
        Err(_) => None,
    }
}

/// The files of an event log: one, or those of a rolling log in its directory.
fn files(folder: &Path, application: &str) -> std::io::Result<Vec<PathBuf>> {
    let rolling = folder.join(format!("eventlog_v2_{application}"));
    if rolling.is_dir() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(rolling)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("events_")) {
                files.push(path);
            }
        }
        return Ok(files);
    }
    let file = folder.join(application);
    let unfinished = folder.join(format!("{application}.inprogress"));
    Ok(vec![if file.exists() { file } else { unfinished }])
}

fn sum(files: &[PathBuf]) -> std::io::Result<EventSummary> {
    let mut summary = EventSummary::default();
    for file in files {
        for line in BufReader::new(File::open(file)?).lines() {
            // The last line may be incomplete.
            if let Ok(event) = serde_json::from_str(&line?) {
                add(&mut summary, &event);
            }
        }
    }
    Ok(summary)
}

fn add(summary: &mut EventSummary, event: &Value) {
    match event["Event"].as_str() {
        Some("SparkListenerJobStart") => summary.jobs += 1,
        Some("SparkListenerStageCompleted") => summary.stages += 1,
        Some("SparkListenerTaskEnd") => {
            let well = event["Task End Reason"]["Reason"] == "Success";
            *(if well { &mut summary.tasks } else { &mut summary.failed_tasks }) += 1;
            let metrics = &event["Task Metrics"];
            // A damaged log can have any numbers.
            let add = |sum: &mut u64, value: &Value| *sum = sum.saturating_add(value.as_u64().unwrap_or(0));
            add(&mut summary.run_ms, &metrics["Executor Run Time"]);
            add(&mut summary.gc_ms, &metrics["JVM GC Time"]);
            add(&mut summary.spilled_bytes, &metrics["Disk Bytes Spilled"]);
            add(&mut summary.input_bytes, &metrics["Input Metrics"]["Bytes Read"]);
            add(&mut summary.output_bytes, &metrics["Output Metrics"]["Bytes Written"]);
            let shuffled = &metrics["Shuffle Read Metrics"];
            add(&mut summary.shuffle_read_bytes, &shuffled["Remote Bytes Read"]);
            add(&mut summary.shuffle_read_bytes, &shuffled["Local Bytes Read"]);
            add(&mut summary.shuffle_write_bytes, &metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]);
        }
        _ => {}
    }
}

/// For fuzzing: sums up the lines of an event log.
pub(super) fn read_any(text: &str) {
    let mut summary = EventSummary::default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|event| add(&mut summary, &event));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tasks, each of which has collected garbage for 2^64 - 1 milliseconds.
    #[test]
    fn numbers_that_are_too_large_are_no_reason_to_end() {
        let line = format!(r#"{{"Event":"SparkListenerTaskEnd","Task Metrics":{{"JVM GC Time":{}}}}}"#, u64::MAX);
        let (event, mut summary) = (serde_json::from_str(&line).unwrap(), EventSummary::default());
        (0..2).for_each(|_| add(&mut summary, &event));
        assert_eq!((summary.gc_ms, summary.failed_tasks), (u64::MAX, 2));
    }

    #[test]
    fn event_metrics_are_summed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("eventlog_v2_app-1");
        std::fs::create_dir(&log).unwrap();
        let lines = [
            r#"{"Event":"SparkListenerJobStart","Job ID":0}"#,
            r#"{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"Success"},"Task Metrics":{"Executor Run Time":7,"JVM GC Time":2,"Disk Bytes Spilled":3,"Input Metrics":{"Bytes Read":10},"Output Metrics":{"Bytes Written":4},"Shuffle Read Metrics":{"Remote Bytes Read":1,"Local Bytes Read":2},"Shuffle Write Metrics":{"Shuffle Bytes Written":5}}}"#,
            r#"{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"ExceptionFailure"}}"#,
            r#"{"Event":"SparkListenerStageCompleted"}"#,
            r#"{"Event":"SparkListenerTas"#,
        ];
        std::fs::write(log.join("events_1_app-1"), lines.join("\n")).unwrap();
        std::fs::write(log.join("appstatus_app-1"), "").unwrap();
        let summary = sum(&files(folder.path(), "app-1").unwrap()).unwrap();
        let wanted = EventSummary {
            jobs: 1,
            stages: 1,
            tasks: 1,
            failed_tasks: 1,
            input_bytes: 10,
            output_bytes: 4,
            shuffle_read_bytes: 3,
            shuffle_write_bytes: 5,
            spilled_bytes: 3,
            run_ms: 7,
            gc_ms: 2,
        };
        assert_eq!(summary, wanted);
    }
}
