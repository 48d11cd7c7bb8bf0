//! The elements of a mapped task: how many are in which state, how long they took, why they failed,
//! and a table of them. The page grows with none of the elements but those of its table.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Html;

use super::address;
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, asked, request};
use super::times::took;
use crate::journal::RunSummary;
use crate::ops::accounts::Right;
use crate::ops::{self, Durations, Element, ElementQuery, ElementsSummary};
use crate::run::TaskState;
use crate::server::auth::Visitor;

/// How many elements a page of the table has.
const ROWS: usize = 100;
/// The width and the height of the histogram, and the width of bars and strip.
const WIDTH: usize = 1_000;
const HEIGHT: usize = 90;

#[derive(Debug, Template)]
#[template(path = "mapped.html")]
struct MappedPage {
    frame: Frame,
    id: String,
    mark: Mark,
    run: i64,
    count: usize,
    history_href: String,
    here: String,
    clear: String,
    failed: usize,
    bars: Vec<Bar>,
    took: Option<Took>,
    strip: Vec<Bar>,
    failures: Vec<FailureRow>,
    chips: Vec<Filter>,
    state: String,
    label: String,
    message: String,
    first: String,
    last: String,
    has_labels: bool,
    rows: Vec<ElementRow>,
    shown: String,
    previous: String,
    next: String,
}

/// A part of a picture.
#[derive(Debug)]
struct Bar {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    family: &'static str,
    title: String,
    /// Empty if it leads nowhere.
    href: String,
}

/// How long the elements took.
#[derive(Debug)]
struct Took {
    p50: String,
    p95: String,
    p99: String,
    bars: Vec<Bar>,
    /// Where p50, p95 and p99 are.
    lines: [usize; 3],
    least: String,
    most: String,
    longest: Vec<ElementRow>,
}

#[derive(Debug)]
struct FailureRow {
    message: String,
    sample: String,
    count: usize,
    href: String,
    examples: Vec<(String, String)>,
}

#[derive(Debug)]
struct ElementRow {
    mark: Mark,
    id: String,
    href: String,
    label: String,
    attempts: u8,
    took: String,
    message: String,
}

impl ElementRow {
    fn of(run: i64, element: &Element) -> ElementRow {
        ElementRow {
            mark: Mark::of(element.state.name()),
            id: element.id.clone(),
            href: address::task(run, &element.id),
            label: element.label.clone().unwrap_or_default(),
            attempts: element.attempts,
            took: element.took_ms.map(|millis| took(u64::from(millis))).unwrap_or_default(),
            message: element.message.clone().unwrap_or_default(),
        }
    }
}

pub(super) async fn show(state: &Visitor, run: &RunSummary, task: &str, query: &BTreeMap<String, String>) -> Page {
    let summary = ops::elements_summary(&state.journal, run, task).await?;
    let some = |name: &str| Some(asked(query, name).to_owned()).filter(|text| !text.is_empty());
    let number = |name: &str| asked(query, name).parse::<usize>().ok();
    let chosen = asked(query, "state");
    let wanted = ElementQuery {
        states: TaskState::ALL.into_iter().filter(|state| state.name() == chosen).collect(),
        label: some("label"),
        message: some("message"),
        first: number("first").unwrap_or(0),
        last: number("last"),
        skip: number("from").unwrap_or(0),
        limit: ROWS,
    };
    let list = ops::elements(&state.journal, run, task, &wanted).await?;
    let request = request(run.info.timezone_name());
    let here = address::task(run.number, task);
    let with = |changes: &[(&str, &str)]| {
        let names = ["state", "label", "message", "first", "last"];
        let mut all: BTreeMap<&str, &str> = names.into_iter().map(|name| (name, asked(query, name))).collect();
        all.extend(changes.iter().copied());
        address::with(&here, &all.into_iter().collect::<Vec<_>>()) + "#elements"
    };
    let worst = summary.strip.iter().map(|state| Mark::of(state.name())).min_by_key(|mark| mark.urgency());
    let mark = worst.unwrap_or(Mark::of("none"));
    let failed = summary.states.iter().find(|known| known.state == TaskState::Failed).map_or(0, |known| known.count);
    let dag = &*run.info.dag_id;
    let is_known = state.dags.iter().any(|known| known.id == dag);
    let can_change = is_known
        && !state.options.read_only
        && !matches!(run.state.name(), "running" | "queued")
        && state.may(Right::Operate, dag);
    // An address can name any place.
    let skipped = wanted.skip.min(list.count);
    let end = skipped + list.elements.len();
    let rows: Vec<ElementRow> = list.elements.iter().map(|element| ElementRow::of(run.number, element)).collect();
    let path = vec![
        Crumb::link(dag, address::dag(dag)),
        Crumb::link(format!("Run {}", run.number), address::run(run.number)),
        Crumb::here(task),
    ];
    let page_from = |from: usize| with(&[("from", &from.to_string())]);
    Ok(Html(html(&MappedPage {
        frame: Frame::new(&request, Place::Runs, format!("{task} · run {}", run.number), path).with_sign(mark),
        id: task.to_owned(),
        mark,
        run: run.number,
        count: summary.count,
        history_href: address::task_of_dag(dag, task),
        clear: match can_change && failed > 0 {
            true => address::with(&(address::run(run.number) + "/clear"), &[("tasks", task), ("which", "failed")]),
            false => String::new(),
        },
        failed,
        bars: state_bars(&summary, &with),
        strip: strip(&summary, &with),
        failures: summary
            .failures
            .iter()
            .map(|failure| FailureRow {
                message: failure.message.clone(),
                sample: failure.sample.clone(),
                count: failure.count,
                href: address::with(&here, &[("message", &failure.message)]) + "#elements",
                examples: failure.examples.iter().map(|id| (id.clone(), address::task(run.number, id))).collect(),
            })
            .collect(),
        took: summary.took.as_ref().map(|durations| Took::of(run.number, durations)),
        chips: chips(&summary, chosen, &with),
        state: chosen.to_owned(),
        label: asked(query, "label").to_owned(),
        message: asked(query, "message").to_owned(),
        first: asked(query, "first").to_owned(),
        last: asked(query, "last").to_owned(),
        has_labels: wanted.label.is_some() || rows.iter().any(|row| !row.label.is_empty()),
        shown: match list.count {
            0 => String::new(),
            count => format!("{} to {end} of {count}", skipped + 1),
        },
        previous: if skipped > 0 { page_from(skipped.saturating_sub(ROWS)) } else { String::new() },
        next: if end < list.count { page_from(end) } else { String::new() },
        rows,
        here,
    })))
}

/// The address of the page with other parameters.
type Address<'a> = &'a dyn Fn(&[(&str, &str)]) -> String;

fn chips(summary: &ElementsSummary, chosen: &str, with: Address<'_>) -> Vec<Filter> {
    let all = Filter {
        words: "All".to_owned(),
        count: Some(summary.count),
        href: with(&[("state", "")]),
        is_chosen: chosen.is_empty(),
    };
    let states = summary.states.iter().map(|known| Filter {
        words: Mark::of(known.state.name()).words.to_owned(),
        count: Some(known.count),
        href: with(&[("state", known.state.name())]),
        is_chosen: known.state.name() == chosen,
    });
    std::iter::once(all).chain(states).collect()
}

/// The states as parts of one bar. A state that few have is still seen.
fn state_bars(summary: &ElementsSummary, with: Address<'_>) -> Vec<Bar> {
    const LEAST: usize = 4;

    let mut states: Vec<_> = summary.states.iter().map(|known| (Mark::of(known.state.name()), known)).collect();
    states.sort_by_key(|(mark, _)| mark.urgency());
    let room = WIDTH.saturating_sub(states.len() * LEAST);
    let mut x = 0;
    let bars = states.into_iter().map(|(mark, known)| {
        let width = LEAST + known.count * room / summary.count.max(1);
        let bar = Bar {
            x,
            y: 0,
            width,
            height: 12,
            family: mark.family,
            title: format!("{} {}", known.count, mark.words),
            href: with(&[("state", known.state.name()), ("first", ""), ("last", "")]),
        };
        x += width;
        bar
    });
    bars.collect()
}

/// The elements in their order, as lengths of equal states.
fn strip(summary: &ElementsSummary, with: Address<'_>) -> Vec<Bar> {
    let parts = summary.strip.len();
    let mut bars = Vec::new();
    let mut start = 0;
    for at in 1..=parts {
        if at < parts && summary.strip[at] == summary.strip[start] {
            continue;
        }
        let (x, end) = (start * WIDTH / parts, at * WIDTH / parts);
        let (first, last) = (start * summary.count / parts, at * summary.count / parts - 1);
        let mark = Mark::of(summary.strip[start].name());
        let height = match mark.family {
            "bad" => 24,
            "blocked" => 18,
            _ => 12,
        };
        bars.push(Bar {
            x,
            y: 24 - height,
            width: (end - x).max(1),
            height,
            family: mark.family,
            title: format!("{first} to {last}: {}", mark.words),
            href: with(&[("state", ""), ("first", &first.to_string()), ("last", &last.to_string())]),
        });
        start = at;
    }
    bars
}

impl Took {
    fn of(run: i64, durations: &Durations) -> Took {
        let bars = &durations.histogram;
        let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
        let step = WIDTH / bars.len().max(1);
        let words = |millis: u32| took(u64::from(millis));
        // Where a duration is: in its bar, by its part of it.
        let place = |millis: u32| {
            let bar = bars.partition_point(|bar| bar.to_ms <= millis).min(bars.len().saturating_sub(1));
            bars.get(bar).map_or(0, |known| {
                let width = (known.to_ms - known.from_ms).max(1) as usize;
                bar * step + (millis.saturating_sub(known.from_ms) as usize * step / width).min(step)
            })
        };
        let bar = |(at, bar): (usize, &ops::Bar)| {
            let height = if bar.count == 0 { 0 } else { (bar.count * HEIGHT / most).max(2) };
            Bar {
                x: at * step,
                y: HEIGHT - height,
                width: step.saturating_sub(2).max(1),
                height,
                family: "run",
                title: format!("{} took {} to {}", bar.count, words(bar.from_ms), words(bar.to_ms)),
                href: String::new(),
            }
        };
        Took {
            p50: words(durations.p50_ms),
            p95: words(durations.p95_ms),
            p99: words(durations.p99_ms),
            lines: [durations.p50_ms, durations.p95_ms, durations.p99_ms].map(place),
            least: bars.first().map(|bar| words(bar.from_ms)).unwrap_or_default(),
            most: bars.last().map(|bar| words(bar.to_ms.saturating_sub(1))).unwrap_or_default(),
            bars: bars.iter().enumerate().map(bar).collect(),
            longest: durations.longest.iter().map(|element| ElementRow::of(run, element)).collect(),
        }
    }
}
