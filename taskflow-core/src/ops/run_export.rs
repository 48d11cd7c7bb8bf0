//! Lists of runs as text: CSV for spreadsheets, JSON Lines for programs. A home may have a million
//! runs: they are read page by page.

use std::borrow::Cow;

use super::error::OpsError;
use super::list::{RunList, RunSummaryDocument, list_runs};
use crate::base::csv;
use crate::base::text::{one_line, visible_json};
use crate::journal::Journal;
use crate::store::RunFilter;

/// How many runs are read at once.
const PAGE: u32 = 1_000;

/// The names of the columns: those of the members of the document.
const COLUMNS: [&str; 13] = [
    "number",
    "run_id",
    "dag_id",
    "state",
    "run_type",
    "logical_date",
    "created",
    "ended",
    "tasks",
    "counts",
    "worker",
    "build",
    "version",
];

/// The form of a list of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunListFormat {
    /// CSV with a row of names. No cell is a formula to a spreadsheet.
    Csv,
    /// A JSON document a line.
    JsonLines,
}

impl RunListFormat {
    /// Every form.
    pub const ALL: [RunListFormat; 2] = [RunListFormat::Csv, RunListFormat::JsonLines];

    /// The name, which is also the ending of the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            RunListFormat::Csv => "csv",
            RunListFormat::JsonLines => "jsonl",
        }
    }

    /// What comes before the first run.
    pub fn head(self) -> String {
        let mut text = String::new();
        if self == RunListFormat::Csv {
            csv::add_row(&mut text, COLUMNS.map(Cow::from));
        }
        text
    }

    /// The lines of some runs.
    pub fn lines(self, runs: &[RunSummaryDocument]) -> String {
        let mut text = String::new();
        for run in runs {
            match self {
                RunListFormat::Csv => csv::add_row(&mut text, cells(run)),
                RunListFormat::JsonLines => {
                    // It has no maps with other keys than texts.
                    text += &visible_json(&serde_json::to_string(run).unwrap_or_default());
                    text.push('\n');
                }
            }
        }
        text
    }
}

fn cells(run: &RunSummaryDocument) -> [Cow<'_, str>; COLUMNS.len()] {
    // `failed=2 success=38`
    let counts = run.counts.iter().map(|(state, count)| format!("{state}={count}")).collect::<Vec<_>>();
    [
        run.number.to_string().into(),
        one_line(&run.run_id),
        one_line(&run.dag_id),
        run.state.name().into(),
        run.run_type.name().into(),
        run.logical_date.to_string().into(),
        run.created.to_string().into(),
        run.ended.map(|ended| ended.to_string()).unwrap_or_default().into(),
        run.tasks.to_string().into(),
        counts.join(" ").into(),
        one_line(&run.worker),
        one_line(&run.build),
        one_line(&run.version),
    ]
}

/// The runs that match a filter, in its order, page by page. A run that is there from the first
/// page to the last one is on exactly one of them.
#[derive(Clone, Debug)]
pub struct RunPages {
    journal: Journal,
    /// What is left.
    filter: RunFilter,
    /// How many runs a page has.
    size: u32,
    is_over: bool,
}

impl RunPages {
    /// The pages of the runs that match a filter, as many runs as it allows.
    pub fn new(journal: &Journal, filter: RunFilter) -> Self {
        RunPages { journal: journal.clone(), filter, size: PAGE, is_over: false }
    }

    /// The next page; `None` after the last one. Cancel safe.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<RunSummaryDocument>>, OpsError> {
        if self.is_over {
            return Ok(None);
        }
        loop {
            let limit = self.filter.limit.map_or(self.size, |left| left.min(self.size));
            let filter = RunFilter { limit: Some(limit), ..self.filter.clone() };
            let RunList { runs, next, .. } = list_runs(&self.journal, &filter).await?;
            let read = u32::try_from(runs.len()).unwrap_or(limit);
            self.filter.limit = self.filter.limit.map(|left| left.saturating_sub(read));
            self.is_over = next.is_none() || self.filter.limit == Some(0);
            self.filter.after = next;
            match (runs.is_empty(), self.is_over) {
                (true, true) => return Ok(None),
                // None of those that were looked at match.
                (true, false) => {}
                (false, _) => return Ok(Some(runs.iter().map(RunSummaryDocument::of).collect())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, json};

    use super::*;
    use crate::base::Timestamp;
    use crate::dag::Dag;
    use crate::run::{RunState, RunType};

    fn run() -> RunSummaryDocument {
        let at = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
        let mut counts = Map::new();
        counts.insert("failed".to_owned(), json!(2));
        counts.insert("success".to_owned(), json!(38));
        RunSummaryDocument {
            number: 7,
            run_id: "=cmd|' /C calc'!A0".to_owned(),
            dag_id: "etl, \"daily\"".to_owned(),
            state: RunState::Failed,
            run_type: RunType::Scheduled,
            logical_date: at(0),
            created: at(60),
            ended: None,
            tasks: 40,
            counts,
            worker: "host:1".to_owned(),
            build: "b\u{202e}".to_owned(),
            version: "v".to_owned(),
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_member() {
        let members = serde_json::to_value(run()).unwrap();
        let known: BTreeSet<&str> = members.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(BTreeSet::from(COLUMNS), known);
        assert_eq!(RunListFormat::Csv.head(), COLUMNS.join(",") + "\n");
        let expected = "7,'=cmd|' /C calc'!A0,\"etl, \"\"daily\"\"\",failed,scheduled,1970-01-01T00:00:00Z,\
                        1970-01-01T00:01:00Z,,40,failed=2 success=38,host:1,b\\u{202e},v\n";
        assert_eq!(RunListFormat::Csv.lines(&[run()]), expected);
    }

    #[tokio::test]
    async fn pages_have_all_runs_once_while_others_are_stored() {
        let journal = Journal::in_memory().unwrap();
        let dag = Dag::draw("exported_runs", |dag| _ = dag.add("hello", |_| Ok(()))).unwrap();
        let enqueue = async || journal.enqueue(dag.run()).await.unwrap().number;
        let mut stored = Vec::new();
        for _ in 0..7 {
            stored.push(enqueue().await);
        }
        stored.reverse();
        let read = async |limit: Option<u32>| {
            let filter = RunFilter { limit, ..RunFilter::default() };
            let mut pages = RunPages { size: 2, ..RunPages::new(&journal, filter) };
            let mut sizes = Vec::new();
            let mut numbers = Vec::new();
            while let Some(page) = pages.next().await.unwrap() {
                sizes.push(page.len());
                numbers.extend(page.iter().map(|run| run.number));
                enqueue().await;
            }
            assert_eq!(pages.next().await.unwrap(), None);
            (sizes, numbers)
        };
        assert_eq!(read(None).await, (vec![2, 2, 2, 1], stored));
        assert_eq!(read(Some(3)).await.0, [2, 1]);
        assert_eq!(read(Some(2)).await.0, [2]);
        let none = RunFilter { dag: Some("another".to_owned()), ..RunFilter::default() };
        assert_eq!(RunPages::new(&journal, none).next().await.unwrap(), None);
    }

    #[test]
    fn a_line_is_the_document() {
        let text = RunListFormat::JsonLines.lines(&[run(), run()]);
        let lines: Vec<RunSummaryDocument> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [run(), run()]);
        assert!(!text.contains('\u{202e}'), "{text}");
        assert_eq!(RunListFormat::JsonLines.head(), "");
    }
}
