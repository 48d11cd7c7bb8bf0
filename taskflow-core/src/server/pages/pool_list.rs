//! Pools and limits: who holds slots since when, who waits for them, and why queued runs wait.

use askama::Template;
use axum::response::Html;

use super::address;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use super::run_facts::Fact;
use super::times::{Clock, Moment};
use crate::ops::accounts::Right;
use crate::ops::{self, LimitStatus, PoolStatus};
use crate::server::auth::Visitor;

/// How many tasks that hold slots, and that wait for them, are shown of each pool.
const SHOWN: usize = 20;

#[derive(Debug, Template)]
#[template(path = "pool_list.html")]
struct PoolListPage {
    frame: Frame,
    facts: Vec<Fact>,
    pools: Vec<PoolSection>,
    queued: Vec<TaskRow>,
    more_queued: usize,
}

#[derive(Debug)]
struct PoolSection {
    name: String,
    /// `3 of 4 slots taken`.
    taken: String,
    /// The size that the program declares, if the configuration has another one.
    declared: String,
    parts: Vec<Part>,
    holders: Vec<TaskRow>,
    more_holders: usize,
    waiting: Vec<TaskRow>,
    more_waiting: usize,
}

/// A part of the bar of a pool, in thousandths.
#[derive(Debug)]
struct Part {
    x: u64,
    width: u64,
    title: String,
}

/// A task or a run.
#[derive(Debug)]
struct TaskRow {
    mark: Mark,
    name: String,
    href: String,
    run: String,
    slots: String,
    since: Moment,
    why: String,
}

pub(super) async fn show(state: Visitor) -> Page {
    let as_of = state.streams.place();
    // Whoever waits for a slot waits for the tasks of other DAGs.
    state.check_everywhere(Right::View)?;
    let request = request(None);
    let clock = &request.clock;
    let limits = ops::limits(&state.journal, state.home.path(), state.home.config(), &state.dags).await?;
    let queued = limits.queued.iter().map(|run| TaskRow {
        mark: Mark::of("queued"),
        name: run.dag_id.clone(),
        href: address::run(run.number),
        run: format!("run {}", run.number),
        slots: String::new(),
        since: clock.at(run.since),
        why: run.why.clone(),
    });
    let queued: Vec<TaskRow> = queued.collect();
    let path = vec![Crumb::here("Pools and limits")];
    Ok(Html(html(&PoolListPage {
        frame: Frame::new(&request, Place::Pools, "Pools and limits", path).live("runs,pools", as_of),
        facts: facts(&limits, clock),
        pools: limits.pools.iter().map(|pool| section(pool, clock)).collect(),
        more_queued: limits.queued_runs.saturating_sub(queued.len()),
        queued,
    })))
}

fn facts(limits: &LimitStatus, clock: &Clock) -> Vec<Fact> {
    let mut facts = Vec::new();
    match &limits.service {
        Some(service) => {
            let limit = service.max_active_runs.map(|limit| format!(" of {limit}")).unwrap_or_default();
            facts.push(Fact::new("Active runs", format!("{}{limit}", limits.active_runs)).hint("max_active_runs"));
            let since = service.since.map(|since| format!("since {}", clock.at(since).text)).unwrap_or_default();
            facts.push(Fact::new("Service", service.worker.clone()).hint(since));
        }
        None => facts.push(Fact::new("Service", "none").hint("queued runs wait for one")),
    }
    facts.push(Fact::new("Queued runs", limits.queued_runs.to_string()));
    facts.push(Fact::new("Running tasks", limits.running_tasks.to_string()));
    facts
}

fn section(pool: &PoolStatus, clock: &Clock) -> PoolSection {
    let whole = u64::from(pool.size.max(pool.taken).max(1));
    let (mut parts, mut x) = (Vec::new(), 0);
    for holder in pool.holders.iter().take(SHOWN * 5) {
        let width = (u64::from(holder.slots) * 1_000 / whole).max(1);
        // A hair of ground between two holders.
        let title = format!("{} of run {}", holder.task, holder.number);
        parts.push(Part { x, width: width.saturating_sub(4).max(1), title });
        x += width;
    }
    let slots = |slots: u32| if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
    let row = |mark, (task, dag, number): (&str, &str, i64), taken, since, why: &str| TaskRow {
        mark: Mark::of(mark),
        name: task.to_owned(),
        href: address::task(number, task),
        run: format!("{dag}, run {number}"),
        slots: slots(taken),
        since: clock.at(since),
        why: why.to_owned(),
    };
    let holders = pool.holders.iter().take(SHOWN);
    let holders = holders.map(|of| row("running", (&of.task, &of.dag_id, of.number), of.slots, of.since, ""));
    let waiting = pool.waiting.iter().take(SHOWN);
    let waiting = waiting.map(|of| row("scheduled", (&of.task, &of.dag_id, of.number), of.slots, of.since, &of.why));
    PoolSection {
        name: pool.pool.clone(),
        taken: format!("{} of {} taken", pool.taken, slots(pool.size)),
        declared: pool.declared.map(|size| format!("the program declares {size}")).unwrap_or_default(),
        parts,
        holders: holders.collect(),
        more_holders: pool.holders.len().saturating_sub(SHOWN),
        waiting: waiting.collect(),
        more_waiting: pool.waiting.len().saturating_sub(SHOWN),
    }
}
