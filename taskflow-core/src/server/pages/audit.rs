//! The audit trail: who has changed what, and the newest of it on the pages of what was changed.

use super::address;
use super::audit_words::{changes, details};
use super::escape::{Sentence, html};
use super::frame::{Crumb, Frame, Place};
use super::reply::{Asked, Page, asked, request};
use super::times::{Clock, Moment};
use crate::ops::accounts::Right;
use crate::ops::{self, Action, AuditEntry, AuditQuery, OpsError, Outcome};
use crate::server::auth::Visitor;
use crate::server::keys::{DagKey, RunKey};
use crate::server::permit::{Audit, Permit};
use askama::Template;
use axum::extract::Query;
use axum::response::Html;

/// How many entries a page has, and how many the page of a run or a DAG.
const ENTRIES: u32 = 50;
const NEWEST: u32 = 5;

#[derive(Debug, Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Vec<AuditRow>,
    /// Every action, and whether it is the chosen one.
    actions: Vec<(&'static str, bool)>,
    dags: Vec<&'static str>,
    dag: String,
    run: String,
    by: String,
    is_filtered: bool,
    first: String,
    next: String,
}

/// An entry of the trail.
#[derive(Debug)]
pub(crate) struct AuditRow {
    pub(crate) at: Moment,
    /// Who, and what: together, a sentence.
    pub(crate) who: String,
    pub(crate) did: Sentence,
    /// What it is about: the DAG, the run, the backfill or the asset.
    pub(crate) about: Vec<Crumb>,
    /// What became of it, unless it was done.
    pub(crate) outcome: &'static str,
    /// `active → paused`
    pub(crate) changes: Vec<String>,
    /// What only few want to know.
    pub(crate) details: Vec<(&'static str, String)>,
}

/// The newest entries about a run or a DAG.
#[derive(Debug)]
pub(crate) struct AuditSection {
    pub(crate) rows: Vec<AuditRow>,
    /// The page with all of them.
    pub(crate) href: String,
}

impl AuditSection {
    /// Of a DAG with its runs.
    pub(crate) async fn of_dag(state: &Visitor, dag: &str, clock: &Clock) -> Result<Self, OpsError> {
        let query = AuditQuery { dag: Some(dag.to_owned()), ..AuditQuery::default() };
        AuditSection::of(state, dag, query, address::with("/audit", &[("dag", dag)]), clock).await
    }

    /// Of a run.
    pub(crate) async fn of_run(
        state: &Visitor,
        dag: &str,
        run_id: &str,
        number: i64,
        clock: &Clock,
    ) -> Result<Self, OpsError> {
        let query = AuditQuery { run_id: Some(run_id.to_owned()), ..AuditQuery::default() };
        AuditSection::of(state, dag, query, address::with("/audit", &[("run", &number.to_string())]), clock).await
    }

    /// Empty for those who may not read it.
    async fn of(state: &Visitor, dag: &str, query: AuditQuery, href: String, clock: &Clock) -> Result<Self, OpsError> {
        if !state.may(Right::Audit, dag) {
            return Ok(AuditSection { rows: Vec::new(), href: String::new() });
        }
        let query = AuditQuery { limit: Some(NEWEST), ..query };
        let list = ops::audit(&state.journal, &query).await?;
        Ok(AuditSection { rows: list.entries.iter().map(|entry| row(entry, clock)).collect(), href })
    }
}

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Page {
    let request = request(None);
    let [dag, run, by, action] = ["dag", "run", "by", "action"].map(|name| asked(&query, name));
    if !state.principal().may_everywhere(Right::Audit) {
        if (run, dag) == ("", "") {
            state.check_everywhere(Right::Audit)?;
        }
        if !dag.is_empty() {
            Permit::<Audit, _>::of_dag(&state, &DagKey::parse(dag.to_owned())?)?;
        }
        if !run.is_empty() {
            Permit::<Audit, _>::of_run(&state, &RunKey::parse(run.to_owned())?).await?;
        }
    }
    let mut wanted = match run {
        "" => AuditQuery::default(),
        run => AuditQuery::about_run(&state.journal, run).await?,
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (wanted.dag, wanted.by) = (text(dag), text(by));
    wanted.action = action.parse::<Action>().ok();
    wanted.before = asked(&query, "before").parse().ok();
    wanted.limit = Some(ENTRIES);
    let list = ops::audit(&state.journal, &wanted).await?;
    let at = |before: &str| {
        address::with("/audit", &[("dag", dag), ("run", run), ("by", by), ("action", action), ("before", before)])
    };
    let is_chosen = |known: &Action| wanted.action == Some(*known);
    Ok(Html(html(&AuditPage {
        frame: Frame::new(&request, Place::Audit, "Audit", vec![Crumb::here("Audit")]),
        rows: list.entries.iter().map(|entry| row(entry, &request.clock)).collect(),
        actions: Action::ALL.iter().map(|known| (known.name(), is_chosen(known))).collect(),
        dags: state.dags.iter().map(|dag| dag.id).filter(|dag| state.may(Right::Audit, dag)).collect(),
        dag: dag.to_owned(),
        run: run.to_owned(),
        by: by.to_owned(),
        is_filtered: [dag, run, by, action].iter().any(|text| !text.is_empty()),
        first: if wanted.before.is_some() { at("") } else { String::new() },
        next: list.next.map(|next| at(&next.to_string())).unwrap_or_default(),
    })))
}

fn row(entry: &AuditEntry, clock: &Clock) -> AuditRow {
    let mut about = Vec::new();
    about.extend(entry.dag_id.as_ref().map(|dag| Crumb::link(dag.clone(), address::dag(dag))));
    about.extend(entry.run.map(|number| Crumb::link(format!("run {number}"), address::run(number))));
    about.extend(entry.backfill.map(|number| Crumb::link(format!("backfill {number}"), address::backfill(number))));
    about.extend(entry.asset.as_ref().map(|asset| Crumb::link(asset.clone(), address::asset(asset))));
    let is_done = entry.outcome == Outcome::Applied;
    let did = entry.sentence.strip_prefix(&*entry.actor.name).map_or(&*entry.sentence, str::trim_start);
    AuditRow {
        at: clock.at(entry.at),
        who: if did.len() < entry.sentence.len() { entry.actor.name.clone() } else { String::new() },
        did: Sentence::new(did),
        about,
        outcome: if is_done { "" } else { entry.outcome.words() },
        changes: if is_done { changes(entry, clock) } else { Vec::new() },
        details: details(entry, clock),
    }
}
