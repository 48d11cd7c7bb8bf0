//! The runs of all DAGs.

use askama::Template;
use axum::extract::Query;
use axum::response::Html;

use super::address;
use super::dag_list::Filter;
use super::escape::{html, segment};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::problem::sentence;
use super::reply::{Asked, Page, asked, request};
use super::times::{Clock, Moment, took_for};
use crate::base::Timestamp;
use crate::journal::RunSummary;
use crate::ops::accounts::Right;
use crate::ops::{self, OpsError, RunCount, RunList, RunListFormat};
use crate::run::{RunState, RunType, TaskState};
use crate::schedule::{Moment as Typed, Zone};
use crate::server::auth::Visitor;
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, View};
use crate::store::{RunFilter, RunOrder};

/// How many runs a page has.
const RUNS: u32 = 50;

#[derive(Debug, Template)]
#[template(path = "run_list.html")]
struct RunListPage {
    frame: Frame,
    rows: Vec<RunRow>,
    filters: Vec<Filter>,
    types: Vec<(&'static str, bool)>,
    dags: Vec<&'static str>,
    dag: String,
    state: String,
    run_type: String,
    by: String,
    param: String,
    /// Whether it is no parameter, or the DAG has none of the name.
    is_param_wrong: bool,
    times: [TimeField; 4],
    has_times: bool,
    /// What is wrong with one of them, or empty.
    mistake: String,
    is_filtered: bool,
    /// Whether runs can be selected, to change them.
    can_change: bool,
    first: String,
    next: String,
    /// How many runs the whole list has, in words.
    count: String,
    /// The list as files, with all its pages.
    files: [(&'static str, String); 2],
}

/// A field with a point in time.
#[derive(Debug)]
struct TimeField {
    label: &'static str,
    name: &'static str,
    value: String,
    is_wrong: bool,
}

#[derive(Debug)]
struct RunRow {
    mark: Mark,
    number: i64,
    href: String,
    dag: String,
    about: Moment,
    run_type: &'static str,
    created: Moment,
    took: String,
    /// `8 tasks`, or how many did not succeed.
    tasks: String,
    can_select: bool,
}

/// The states as filters: what still changes, what needs attention, what is done.
const STATES: [RunState; 6] = [
    RunState::Running,
    RunState::Queued,
    RunState::Failed,
    RunState::Interrupted,
    RunState::Cancelled,
    RunState::Success,
];

/// Which runs a list has. An empty text stands for any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listed<'q> {
    pub(super) dag: &'q str,
    pub(super) state: &'q str,
    pub(super) run_type: &'q str,
    /// Who has asked for them.
    pub(super) by: &'q str,
    /// A parameter with its value, as it was typed: `month=2013-01`.
    pub(super) param: &'q str,
    /// Days or times in UTC, as they were typed, in the order of [`TIMES`].
    pub(super) times: [&'q str; 4],
}

/// The fields with points in time. The API has the same.
pub(super) const TIMES: [&str; 4] = ["since", "before", "logical_since", "logical_before"];

/// The point in time that a text of a field means; a day is its beginning in UTC.
fn time_of(text: &str) -> Result<Option<Timestamp>, String> {
    match text {
        "" => Ok(None),
        text => text.parse::<Typed>().and_then(|typed| typed.in_zone(&Zone::UTC)).map(Some),
    }
}

impl Listed<'_> {
    /// The newest first.
    pub(super) fn filter(&self) -> RunFilter {
        let [since, before, logical_since, logical_before] = self.times.map(|text| time_of(text).ok().flatten());
        RunFilter {
            since,
            before,
            logical_since,
            logical_before,
            dag: (!self.dag.is_empty()).then(|| self.dag.to_owned()),
            states: STATES.into_iter().filter(|state| state.name() == self.state).collect(),
            run_types: RunType::ALL.into_iter().filter(|known| known.name() == self.run_type).collect(),
            requested_by: (!self.by.is_empty()).then(|| self.by.to_owned()),
            params: self.param().map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect(),
            order: RunOrder::Number,
            ..RunFilter::default()
        }
    }

    /// The name and the value of the parameter.
    fn param(&self) -> Option<(&str, &str)> {
        let (name, text) = self.param.split_once('=')?;
        Some((name.trim_end(), text.trim_start())).filter(|(name, _)| !name.is_empty())
    }

    /// What is wrong with the parameter or a point in time, in a sentence. Without it, more runs
    /// would match.
    pub(super) fn mistake(&self) -> Option<String> {
        if !self.param.is_empty() && self.param().is_none() {
            return Some(format!("`{}` is not a parameter with its value, such as month=2013-01.", self.param));
        }
        let text = self.times.into_iter().find(|text| time_of(text).is_err())?;
        Some(format!("`{text}` is neither a day such as 2026-01-31 nor a time such as 2026-01-31T06:00:00Z."))
    }

    /// Whether it leaves no run out. A state that does not exist leaves none out.
    pub(super) fn is_all(&self) -> bool {
        self.filter() == Listed::default().filter()
    }

    /// The list from its beginning, or after a run.
    pub(super) fn address(&self, after: &str) -> String {
        let Listed { dag, state, run_type, by, param, times } = self;
        let query = [("state", *state), ("dag", *dag), ("type", *run_type), ("by", *by), ("param", *param)];
        let path = address::with(&address::with("/runs", &query), &[("after", after)]);
        with_times(&path, *times)
    }

    /// All of the list, as a file of the API.
    fn file(&self, format: RunListFormat) -> String {
        let filter = self.filter();
        let state = filter.states.first().map_or("", |state| state.name());
        let run_type = filter.run_types.first().map_or("", |run_type| run_type.name());
        let path = format!("/api/v1/runs.{}", format.name());
        let query = [("state", state), ("dag", self.dag), ("run_type", run_type), ("by", self.by)];
        let mut path = address::with(&path, &query);
        if let Some((name, text)) = self.param() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path += &format!("param.{}={}", segment(name), segment(text));
        }
        let times = [filter.since, filter.before, filter.logical_since, filter.logical_before];
        let times = times.map(|time| time.map(|time| time.to_string()).unwrap_or_default());
        with_times(&path, times.each_ref().map(String::as_str))
    }
}

fn with_times(address: &str, times: [&str; 4]) -> String {
    address::with(address, &[0, 1, 2, 3].map(|at| (TIMES[at], times[at])))
}

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let (dag, chosen, run_type) = (asked(&query, "dag"), asked(&query, "state"), asked(&query, "type"));
    let (by, param) = (asked(&query, "by"), asked(&query, "param"));
    let listed = Listed { dag, state: chosen, run_type, by, param, times: TIMES.map(|name| asked(&query, name)) };
    let mut mistake = listed.mistake();
    let mut is_param_wrong = !param.is_empty() && listed.param().is_none();
    let after = match asked(&query, "after") {
        "" => None,
        // The place of a run that was pruned meanwhile is not known.
        run => Some(
            Permit::<View, _>::of_run(&state, &RunKey::parse(run.to_owned())?).await?.run().cursor(RunOrder::Number),
        ),
    };
    let filter = state.runs(RunFilter { after, limit: Some(RUNS), ..listed.filter() }).await?;
    // Many runs are looked at for these.
    let is_costly = filter.is_unindexed();
    let _turn = match is_costly {
        true => Some(state.turn(state.principal()).await?),
        false => None,
    };
    let mut list = RunList { runs: Vec::new(), more: false, next: None };
    if mistake.is_none() {
        match ops::list_runs(&state.journal, &filter).await {
            Ok(found) => list = found,
            Err(error @ OpsError::UnknownParam { .. }) => {
                mistake = Some(sentence(&error.to_string()));
                is_param_wrong = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let count = match (list.more, after) {
        (false, None) => counted(list.runs.len() as u64, false),
        // To count them, as many would be looked at again.
        _ if is_costly => String::new(),
        _ => ops::count_runs(&state.journal, &filter).await.map(|RunCount { count, more }| counted(count, more))?,
    };
    let at = |state: &str, after: &str| Listed { state, ..listed }.address(after);
    let all = Filter { words: "All".to_owned(), count: None, href: at("", ""), is_chosen: chosen.is_empty() };
    let states = STATES.iter().map(|state| Filter {
        words: Mark::of(state.name()).words.to_owned(),
        count: None,
        href: at(state.name(), ""),
        is_chosen: state.name() == chosen,
    });
    let next = list.next.map(|place| at(chosen, &place.number().to_string()));
    let path = vec![Crumb::here("Runs")];
    let may_change = |run: &RunSummary| !state.options.read_only && state.may(Right::Operate, &run.info.dag_id);
    let rows = list.runs.iter().map(|run| RunRow { can_select: may_change(run), ..row(run, &request.clock) });
    let rows: Vec<RunRow> = rows.collect();
    let frame = Frame::new(&request, Place::Runs, "Runs", path);
    Ok(Html(html(&RunListPage {
        // They would be looked at again with each change of any run.
        frame: if is_costly { frame } else { frame.live("runs", as_of) },
        can_change: rows.iter().any(|row| row.can_select),
        rows,
        filters: std::iter::once(all).chain(states).collect(),
        types: RunType::ALL.iter().map(|known| (known.name(), known.name() == run_type)).collect(),
        dags: state.dags.iter().map(|dag| dag.id).filter(|dag| state.may(Right::View, dag)).collect(),
        dag: dag.to_owned(),
        state: chosen.to_owned(),
        run_type: run_type.to_owned(),
        by: by.to_owned(),
        param: param.to_owned(),
        is_param_wrong,
        is_filtered: !listed.is_all() || mistake.is_some(),
        times: [0, 1, 2, 3].map(|at| TimeField {
            label: ["Created since", "Created before", "Logical date since", "Logical date before"][at],
            name: TIMES[at],
            value: listed.times[at].to_owned(),
            is_wrong: time_of(listed.times[at]).is_err(),
        }),
        has_times: listed.times.iter().any(|text| !text.is_empty()),
        mistake: mistake.unwrap_or_default(),
        first: if after.is_some() { at(chosen, "") } else { String::new() },
        next: next.unwrap_or_default(),
        count,
        files: [("CSV", RunListFormat::Csv), ("JSON Lines", RunListFormat::JsonLines)]
            .map(|(words, format)| (words, listed.file(format))),
    })))
}

/// `1 run`, `1,204 runs`, `at least 10,000 runs`
fn counted(count: u64, more: bool) -> String {
    let digits = count.to_string();
    let mut number = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            number.push(',');
        }
        number.push(digit);
    }
    match (count, more) {
        (1, false) => "1 run".to_owned(),
        (_, false) => format!("{number} runs"),
        (0 | 1, true) => String::new(),
        (_, true) => format!("at least {number} runs"),
    }
}

fn row(run: &RunSummary, clock: &Clock) -> RunRow {
    let is_plain = run.state == RunState::Success || run.counts.is_empty();
    let counts = run.counts.iter().filter(|(state, _)| *state != TaskState::Success);
    let counts = counts.map(|(state, count)| format!("{count} {}", Mark::of(state.name()).words));
    let tasks = if run.tasks == 1 { "1 task".to_owned() } else { format!("{} tasks", run.tasks) };
    RunRow {
        mark: Mark::of(run.state.name()),
        number: run.number,
        href: address::run(run.number),
        dag: run.info.dag_id.clone(),
        about: clock.at(run.info.logical_date),
        run_type: run.info.run_type.name(),
        created: clock.at(run.created),
        took: match run.ended {
            Some(ended) => took_for(ended.since(run.created)),
            None if run.state == RunState::Running => took_for(clock.since(run.created)),
            None => String::new(),
        },
        tasks: if is_plain { tasks } else { counts.collect::<Vec<_>>().join(", ") },
        can_select: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_runs_is_in_words_and_says_if_there_may_be_more() {
        for (count, more, words) in [
            (0, false, "0 runs"),
            (1, false, "1 run"),
            (50, false, "50 runs"),
            (1_204, false, "1,204 runs"),
            (10_000, true, "at least 10,000 runs"),
            (37, true, "at least 37 runs"),
            (0, true, ""),
        ] {
            assert_eq!(counted(count, more), words);
        }
    }
}
