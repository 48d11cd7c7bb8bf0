//! The page of a backfill: how far it is, its slots, what failed, and what can be done with it.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::action::Action;
use super::address;
use super::backfill_failures::FailedSlots;
use super::backfill_list::{BackfillRow, row, span};
use super::command::Program;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, not_found, request};
use super::run_facts::{Event, Fact};
use super::slot_table::{SlotMark, SlotTable};
use super::strip::typical;
use super::times::{Clock, took};
use crate::base::ErrorKind;
use crate::journal::Journal;
use crate::ops::accounts::Right;
use crate::ops::{self, BackfillSlot, BackfillSlots, BackfillStatus, OpsError};
use crate::schedule::{BackfillOrder, BackfillPhase, BackfillScope};
use crate::server::auth::Visitor;
use crate::server::permit::{Permit, View};
use crate::store::RunFilter;

/// How many slots the table is made of.
const SLOTS: usize = 10_000;
/// How many active runs are named.
const ACTIVE: usize = 20;
/// From how many runs the usual time is.
const RECENT: u32 = 25;

#[derive(Debug, Template)]
#[template(path = "backfill.html")]
struct BackfillPage {
    frame: Frame,
    row: BackfillRow,
    dag_href: String,
    actions: Vec<Action>,
    /// Who has paused or cancelled it, and why.
    banner: String,
    trouble: String,
    facts: Vec<Fact>,
    slots: SlotTable,
    /// How many slots are not in the table.
    more: u64,
    active: Vec<Crumb>,
    more_active: usize,
    failed: FailedSlots,
    retry: String,
    events: Vec<Event>,
}

pub(super) async fn show(state: Visitor, Path(number): Path<String>) -> Page {
    let as_of = state.streams.place();
    let backfill = Permit::<View, _>::of_backfill(&state, number_of(&number)?).await?.backfill();
    let request = request(Some(backfill.timezone));
    let clock = &request.clock;
    let number = backfill.number;
    let slots = slots_of(&state, &backfill).await?;
    let active = backfill.active.iter().take(ACTIVE).map(|run| {
        let words =
            format!("{}{}", clock.at(run.slot).text, if run.blocks { ", which has to succeed first" } else { "" });
        match run.number {
            Some(number) => Crumb::link(words, address::run(number)),
            None => Crumb::link(words, address::with("/runs", &[("dag", &backfill.dag_id)])),
        }
    });
    let active = active.collect();
    let failed = FailedSlots::of(&state.journal, &backfill, &slots.slots, clock).await?;
    let events = backfill.history.iter().map(|action| {
        let at = clock.at(action.at);
        let what = format!("{} by {}", action.what, action.by);
        Event { at: at.text, relative: at.full, iso: at.iso, what, detail: action.reason.clone() }
    });
    let usual = match backfill.phase {
        BackfillPhase::Active => usual(&state.journal, &backfill.dag_id).await?,
        _ => None,
    };
    let row = row(&backfill, clock);
    let path = vec![Crumb::link("Backfills", "/backfills"), Crumb::here(format!("Backfill {number}"))];
    let title = format!("Backfill {number} · {}", backfill.dag_id);
    let topics = format!("backfills,dag:{}", backfill.dag_id);
    let may_change = state.may(Right::Operate, &backfill.dag_id) && !state.options.read_only;
    let is_known = state.dags.iter().any(|dag| dag.id == backfill.dag_id);
    let calendar = address::dag(&backfill.dag_id) + "/calendar";
    Ok(Html(html(&BackfillPage {
        frame: Frame::new(&request, Place::Backfills, title, path).live(topics, as_of).with_sign(row.mark),
        dag_href: address::dag(&backfill.dag_id),
        actions: if may_change && is_known { actions(&backfill) } else { Vec::new() },
        banner: banner(&backfill.phase, clock),
        trouble: backfill.trouble.clone().unwrap_or_default(),
        facts: facts(&backfill, usual, clock),
        more: if slots.more { backfill.slots.saturating_sub(SLOTS as u64) } else { 0 },
        slots: SlotTable::of(&marks(&slots.slots), clock, |month| address::with(&calendar, &[("month", month)])),
        active,
        more_active: backfill.active.len().saturating_sub(ACTIVE),
        failed,
        retry: Program::of(&state.home).line(&["backfills", "retry", &number.to_string()]),
        events: events.collect(),
        row,
    })))
}

/// The number of a backfill in an address.
pub(super) fn number_of(text: &str) -> Result<i64, super::reply::PageProblem> {
    text.parse().map_err(|_| not_found(format!("There is no backfill `{text}`")))
}

/// The slots, unless the schedule is gone.
async fn slots_of(state: &Visitor, backfill: &BackfillStatus) -> Result<BackfillSlots, OpsError> {
    let Some(dag) = state.dags.iter().find(|dag| dag.id == backfill.dag_id) else {
        return Ok(BackfillSlots::default());
    };
    match ops::backfill_slots(&state.journal, dag, backfill.number, SLOTS).await {
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged) => Ok(BackfillSlots::default()),
        slots => slots,
    }
}

fn marks(slots: &[BackfillSlot]) -> Vec<SlotMark> {
    let mark = |slot: &BackfillSlot| match (&*slot.state, slot.run) {
        (state, Some(_)) => Mark::of(state),
        ("failed", None) => Mark { words: "failed: no run could be made", ..Mark::of_slot("failed") },
        ("paused", None) => Mark::of_slot("paused"),
        ("dropped", None) => Mark { words: "dropped", ..Mark::of_slot("superseded") },
        ("left_alone", None) => Mark { words: "left alone", ..Mark::of_slot("skipped") },
        _ => Mark { words: "pending", ..Mark::of_slot("waiting") },
    };
    let of = |slot: &BackfillSlot| SlotMark {
        at: slot.at,
        mark: mark(slot),
        note: if slot.is_pending && slot.run.is_some() { ", not decided yet" } else { "" },
        href: slot.run.map(address::run).unwrap_or_default(),
    };
    slots.iter().map(of).collect()
}

/// How long a run of a DAG usually takes, in milliseconds.
pub(super) async fn usual(journal: &Journal, dag: &str) -> Result<Option<u64>, OpsError> {
    let filter = RunFilter { dag: Some(dag.to_owned()), limit: Some(RECENT), ..RunFilter::default() };
    Ok(typical(&journal.runs(&filter).await?))
}

/// When so many runs are done, in words.
pub(super) fn expected(runs: u64, limit: u32, usual: u64) -> String {
    let rounds = runs.div_ceil(u64::from(limit.max(1)));
    took(rounds.saturating_mul(usual))
}

/// What can be done with it now.
fn actions(backfill: &BackfillStatus) -> Vec<Action> {
    let here = address::backfill(backfill.number);
    let form = |words, name: &str| Action::form(words, format!("{here}/{name}"));
    let is_open = matches!(backfill.phase, BackfillPhase::Active | BackfillPhase::Paused { .. });
    let can_extend = !backfill.as_one_run && backfill.order != BackfillOrder::Random;
    let mut actions = Vec::new();
    match backfill.phase {
        BackfillPhase::Active => actions.push(form("Pause…", "pause")),
        BackfillPhase::Paused { .. } => actions.push(form("Resume…", "resume")),
        _ => {}
    }
    if is_open {
        actions.push(form("Limit…", "limit"));
    }
    if can_extend && !matches!(backfill.phase, BackfillPhase::Cancelled { .. }) {
        actions.push(form("Extend…", "extend"));
    }
    if !backfill.failed.is_empty() {
        actions.push(form("Retry failed…", "retry"));
    }
    if is_open || (matches!(backfill.phase, BackfillPhase::Cancelled { .. }) && !backfill.active.is_empty()) {
        actions.push(form("Cancel…", "cancel"));
    }
    actions
}

fn banner(phase: &BackfillPhase, clock: &Clock) -> String {
    let words = |what: &str, by: &str, reason: &str, at| {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        format!("{what} by {by}, {}{reason}", clock.at(at).text)
    };
    match phase {
        BackfillPhase::Paused { by, reason, since } => words("Paused", by, reason, *since),
        BackfillPhase::Cancelled { by, reason, at } => words("Cancelled", by, reason, *at),
        BackfillPhase::Active | BackfillPhase::Done { .. } => String::new(),
    }
}

/// Which slots of a range are run, in words.
pub(super) fn scope_words(scope: BackfillScope) -> &'static str {
    match scope {
        BackfillScope::Missing => "Slots without a run",
        BackfillScope::Failed => "Slots whose run has failed",
        BackfillScope::All => "All slots",
    }
}

fn facts(backfill: &BackfillStatus, usual: Option<u64>, clock: &Clock) -> Vec<Fact> {
    let counts = &backfill.counts;
    let order = match backfill.order {
        BackfillOrder::Oldest => "oldest first",
        BackfillOrder::Newest => "newest first",
        BackfillOrder::Random => "in random order",
    };
    let scope = match backfill.as_one_run {
        true => Fact::new("Runs", "one run for all slots"),
        false => Fact::new("Runs", scope_words(backfill.scope)).hint(order),
    };
    let mut facts = vec![
        Fact::new("Slots", backfill.slots.to_string()).hint(span(backfill, clock)),
        scope,
        Fact::new("At once", backfill.limit.to_string()).hint(match backfill.active.len() {
            0 => String::new(),
            active => format!("{active} now"),
        }),
    ];
    if backfill.pending > 0 {
        facts.push(Fact::new("Pending", backfill.pending.to_string()).hint("not decided"));
    }
    facts.push(Fact::new("Succeeded", counts.success.to_string()));
    facts.push(Fact::new("Failed", counts.failed.to_string()));
    if counts.cancelled > 0 {
        facts.push(Fact::new("Cancelled", counts.cancelled.to_string()));
    }
    if counts.dropped > 0 {
        facts.push(Fact::new("Dropped", counts.dropped.to_string()));
    }
    for (why, count) in &counts.left {
        facts.push(Fact::new("Left alone", count.to_string()).hint(why.describe()));
    }
    if let Some(usual) = usual.filter(|_| backfill.pending > 0 && !backfill.as_one_run) {
        let words = expected(backfill.pending + backfill.active.len() as u64, backfill.limit, usual);
        facts.push(Fact::new("Done in about", words).hint(format!("a run usually takes {}", took(usual))));
    }
    let params = backfill.params.iter().map(|(name, texts)| format!("{name}={}", texts.join(",")));
    let params: Vec<String> = params.collect();
    if !params.is_empty() {
        facts.push(Fact::new("Parameters", params.join(" ")));
    }
    facts
}
