//! The documents that verbs show.

use serde_json::Value;

use super::{Client, Source, own_dag, segment};
use crate::base::Timestamp;
use crate::cli::choose::Dags;
use crate::cli::error::CliError;
use crate::dag::DagDef;
use crate::journal::{Explanation, RunHistory};
use crate::ops::{
    self, AssetDocument, AuditList, AuditQuery, BackfillStatus, ConsumerStatus, DagStatus, Diagnosis, EventDocument,
    EventQuery, Lineage, NextSlots, PastSlots, RunPages, RunStatus, RunSummaryDocument, SlotQuery, TaskStatus,
    ValueDocument, ValuePreviews,
};
use crate::render::{Format, render};
use crate::run::RunState;
use crate::store::RunFilter;

/// A page of runs.
#[derive(Debug)]
pub(in crate::cli) struct RunPage {
    pub(in crate::cli) runs: Vec<RunSummaryDocument>,
    /// Whether older runs match too.
    pub(in crate::cli) more: bool,
}

/// A run, read once.
#[derive(Debug)]
pub(in crate::cli) struct Run<'s> {
    /// With the runs that it has triggered, its events, and why it is queued, and without tasks:
    /// they are asked of the run.
    pub(in crate::cli) status: RunStatus,
    pub(super) place: Place<'s>,
}

/// Where the rest of a run is.
#[derive(Debug)]
pub(super) enum Place<'s> {
    Here(Box<RunHistory>),
    /// At a service, which has sent the tasks with the status.
    There(&'s Client, Vec<TaskStatus>),
}

/// The most entries of a page of the API.
const PAGE: u32 = 1_000;

impl Source {
    /// The DAGs with their schedules and last runs.
    pub(in crate::cli) fn dags(&self) -> Result<Vec<DagStatus>, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.existing_journal()?;
                let dags: Vec<&'static DagDef> = Dags::of_binary().by_id().collect();
                home.wait(ops::dags(journal.as_ref(), &dags))
            }
            Source::Server(client) => client.list("/dags", &[], usize::MAX),
        }
    }

    /// The ids of the DAGs with a schedule.
    pub(in crate::cli) fn scheduled(&self) -> Result<Vec<String>, CliError> {
        let dags = self.dags()?.into_iter();
        Ok(dags.filter(|dag| dag.schedule.is_some() && !dag.is_gone).map(|dag| dag.dag_id).collect())
    }

    /// The ids of the DAGs with a tag that can be paused. The others start no runs by themselves.
    pub(in crate::cli) fn tagged(&self, tag: &str) -> Result<Vec<String>, CliError> {
        let mut dags = self.dags()?;
        dags.retain(|dag| !dag.is_gone && dag.tags.iter().any(|known| known == tag));
        if dags.is_empty() {
            return Err(CliError::usage(format!("no DAG has the tag `{tag}`")));
        }
        // One with an error has a schedule or events, and the error is said.
        dags.retain(|dag| dag.schedule.is_some() || !dag.consumes.is_empty() || dag.error.is_some());
        if dags.is_empty() {
            let error = format!("no DAG with the tag `{tag}` has a schedule or event parameters");
            return Err(CliError::usage(error));
        }
        Ok(dags.into_iter().map(|dag| dag.dag_id).collect())
    }

    /// The time zone of a DAG, if its schedule has one.
    pub(in crate::cli) fn timezone(&self, dag: &str) -> Result<Option<String>, CliError> {
        match self {
            Source::Home(_) => Ok(own_dag(dag)?.options.timezone.map(str::to_owned)),
            Source::Server(client) => {
                let status: DagStatus = client.get(&format!("/dags/{}", segment(dag)), &[])?;
                Ok(status.timezone.map(std::borrow::Cow::into_owned))
            }
        }
    }

    /// The graph of a DAG.
    pub(in crate::cli) fn graph(&self, dag: &str, format: Format) -> Result<String, CliError> {
        match self {
            Source::Home(_) => {
                let plan = own_dag(dag)?.plan().map_err(|errors| CliError::Failure(errors.to_string()))?;
                Ok(render(&plan, format))
            }
            Source::Server(client) => {
                client.text(&format!("/dags/{}/graph", segment(dag)), &[("format", format.name().to_owned())])
            }
        }
    }

    /// The next slots of a DAG.
    pub(in crate::cli) fn next_slots(&self, dag: &str, count: usize) -> Result<NextSlots, CliError> {
        match self {
            Source::Home(home) => {
                let (journal, dag) = (home.existing_journal()?, own_dag(dag)?);
                home.wait(ops::next_slots(journal.as_ref(), dag, Timestamp::now(), count))
            }
            Source::Server(client) => {
                client.get(&format!("/dags/{}/next", segment(dag)), &[("count", count.min(1_000).to_string())])
            }
        }
    }

    /// The last slots of a DAG.
    pub(in crate::cli) fn slots(&self, dag: &str, query: &SlotQuery) -> Result<Vec<PastSlots>, CliError> {
        match self {
            Source::Home(home) => match home.existing_journal()? {
                Some(journal) => home.wait(ops::slots(&journal, own_dag(dag)?, query)),
                None => Ok(Vec::new()),
            },
            Source::Server(client) => {
                let SlotQuery { fates, before, limit, .. } = query;
                let all = [
                    ("fate", Some(fates.join(",")).filter(|fates| !fates.is_empty())),
                    ("before", before.map(|before| before.to_string())),
                    ("limit", limit.map(|limit| limit.min(PAGE).to_string())),
                ];
                client.get(&format!("/dags/{}/slots", segment(dag)), &given(all))
            }
        }
    }

    /// The runs that match a filter about DAGs, states, times of creation, who asked for them, and
    /// parameters.
    pub(in crate::cli) fn runs(&self, filter: &RunFilter) -> Result<RunPage, CliError> {
        let most = most(filter.limit);
        // One more shows whether there are more.
        let wanted = RunFilter { limit: filter.limit.map(|limit| limit.saturating_add(1)), ..filter.clone() };
        let mut runs: Vec<RunSummaryDocument> = Vec::new();
        self.each_page_of_runs(&wanted, |page| {
            runs.extend_from_slice(page);
            Ok(true)
        })?;
        let more = runs.len() > most;
        runs.truncate(most);
        Ok(RunPage { runs, more })
    }

    /// Calls a function with the runs that match such a filter, page by page, until it returns
    /// `false`.
    pub(in crate::cli) fn each_page_of_runs(
        &self,
        filter: &RunFilter,
        mut each: impl FnMut(&[RunSummaryDocument]) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        match self {
            Source::Home(home) => {
                let Some(journal) = home.existing_journal()? else { return Ok(()) };
                let mut pages = RunPages::new(&journal, filter.clone());
                while let Some(page) = home.wait(pages.next())? {
                    if !each(&page)? {
                        break;
                    }
                }
                Ok(())
            }
            Source::Server(client) => each_page_of(client, filter, &mut each),
        }
    }

    /// A run, named by its number, its id, a unique part of the id, or `last`.
    pub(in crate::cli) fn run(&self, name: &str) -> Result<Run<'_>, CliError> {
        match self {
            Source::Home(home) => {
                let journal = home.journal()?;
                let history = home.wait(ops::history(&journal, name))?;
                let triggered = home.wait(ops::triggered_runs(&journal, &history))?;
                let events = home.wait(ops::emitted_by(&journal, &history))?;
                let dags: Vec<&'static DagDef> = Dags::of_binary().by_id().collect();
                let wait = home.wait(ops::queue_wait(&journal, home.path(), &dags, &history))?;
                let status = RunStatus::without_tasks(&history).with_triggered(triggered).with_events(events);
                Ok(Run { status: status.with_queue_wait(wait), place: Place::Here(Box::new(history)) })
            }
            Source::Server(client) => {
                let run = segment(&client.run_name(name)?);
                let mut status: RunStatus = client.get(&format!("/runs/{run}"), &[])?;
                let tasks = std::mem::take(&mut status.tasks);
                Ok(Run { status, place: Place::There(client, tasks) })
            }
        }
    }

    /// The state of the run with this id.
    pub(in crate::cli) fn run_state(&self, run_id: &str) -> Result<RunState, CliError> {
        match self {
            Source::Home(home) => Ok(home.find(&home.journal()?, run_id)?.state),
            Source::Server(client) => {
                let status: RunStatus = client.get(&format!("/runs/{}", segment(run_id)), &[])?;
                Ok(status.state)
            }
        }
    }

    /// The lineage of a run.
    pub(in crate::cli) fn lineage(&self, run: &str) -> Result<Lineage, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::lineage(&home.journal()?, run)),
            Source::Server(client) => client.get(&format!("/runs/{}/lineage", segment(&client.run_name(run)?)), &[]),
        }
    }

    /// The assets.
    pub(in crate::cli) fn assets(&self) -> Result<Vec<AssetDocument>, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::assets(home.existing_journal()?.as_ref())),
            Source::Server(client) => client.list("/assets", &[], usize::MAX),
        }
    }

    /// Events of assets.
    pub(in crate::cli) fn events(&self, query: &EventQuery) -> Result<Vec<EventDocument>, CliError> {
        match self {
            Source::Home(home) => match home.existing_journal()? {
                Some(journal) => home.wait(ops::events(&journal, query)),
                None => Ok(Vec::new()),
            },
            Source::Server(client) => {
                let number = |number: i64| number.to_string();
                let all = [
                    ("asset", query.asset.clone()),
                    ("partition", query.partition.clone()),
                    ("before", query.before.map(number)),
                    ("limit", query.limit.map(|limit| limit.min(PAGE).to_string())),
                ];
                client.list("/events", &given(all), most(query.limit))
            }
        }
    }

    /// The event with this number, with its payload.
    pub(in crate::cli) fn event(&self, number: i64) -> Result<EventDocument, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::event(&home.journal()?, number)),
            Source::Server(client) => client.get(&format!("/events/{number}"), &[]),
        }
    }

    /// The DAGs with event parameters, or one of them.
    pub(in crate::cli) fn consumers(&self, dag: Option<&str>) -> Result<Vec<ConsumerStatus>, CliError> {
        match self {
            Source::Home(home) => {
                let dags: Vec<&DagDef> = match dag {
                    Some(dag) => vec![own_dag(dag)?],
                    None => Dags::of_binary().by_id().map(|dag| -> &DagDef { dag }).collect(),
                };
                home.wait(ops::consumers(home.existing_journal()?.as_ref(), &dags))
            }
            Source::Server(client) => client.list("/consumers", &given([("dag", dag.map(str::to_owned))]), usize::MAX),
        }
    }

    /// Entries of the audit trail, of this DAG or this run.
    pub(in crate::cli) fn audit(&self, about: Option<&str>, query: &AuditQuery) -> Result<AuditList, CliError> {
        match self {
            Source::Home(home) => {
                let Some(journal) = home.existing_journal()? else { return Ok(AuditList::default()) };
                let about = match about {
                    Some(word) => home.wait(AuditQuery::about(&journal, word))?,
                    None => AuditQuery::default(),
                };
                let AuditQuery { dag, run_id, .. } = about;
                home.wait(ops::audit(&journal, &AuditQuery { dag, run_id, ..query.clone() }))
            }
            Source::Server(client) => audit_of(client, about, query),
        }
    }

    /// The latest backfills.
    pub(in crate::cli) fn backfills(
        &self,
        dag: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Vec<BackfillStatus>, CliError> {
        match self {
            Source::Home(home) => match home.existing_journal()? {
                Some(journal) => home.wait(ops::list_backfills(&journal, dag, None, limit)),
                None => Ok(Vec::new()),
            },
            Source::Server(client) => {
                let page = limit.unwrap_or(PAGE).min(PAGE).to_string();
                let query = given([("dag", dag.map(str::to_owned)), ("limit", Some(page))]);
                let list: Vec<BackfillStatus> = client.list("/backfills", &query, most(limit))?;
                Ok(list.into_iter().map(BackfillStatus::in_own_zone).collect())
            }
        }
    }

    /// A backfill.
    pub(in crate::cli) fn backfill(&self, number: i64) -> Result<BackfillStatus, CliError> {
        match self {
            Source::Home(home) => home.wait(ops::backfill_status(&home.journal()?, number)),
            Source::Server(client) => {
                let status: BackfillStatus = client.get(&format!("/backfills/{number}"), &[])?;
                Ok(status.in_own_zone())
            }
        }
    }

    /// What keeps the home from working.
    pub(in crate::cli) fn doctor(&self) -> Result<Diagnosis, CliError> {
        match self {
            Source::Home(home) => {
                let dags: Vec<&'static DagDef> = Dags::of_binary().by_id().collect();
                Ok(home.block_on(ops::doctor(home.home(), &dags)))
            }
            Source::Server(client) => client.get("/doctor", &[]),
        }
    }

    /// The whole value that a task returned.
    pub(in crate::cli) fn value(&self, run: &Run<'_>, task: &str) -> Result<Value, CliError> {
        match (self, &run.place) {
            (Source::Home(home), Place::Here(history)) => home.wait(ops::value(&home.journal()?, history, task)),
            _ => run.part(&format!("/values/{}", segment(task)), &[]),
        }
    }

    /// The beginning of it.
    pub(in crate::cli) fn value_preview(&self, run: &Run<'_>, task: &str, size: usize) -> Result<String, CliError> {
        match (self, &run.place) {
            (Source::Home(home), Place::Here(history)) => {
                home.wait(ops::value_preview(&home.journal()?, history, task, size))
            }
            _ => run.part(&format!("/values/{}", segment(task)), &[("preview", size.to_string())]),
        }
    }

    /// The whole values of all tasks.
    pub(in crate::cli) fn values(&self, run: &Run<'_>) -> Result<Vec<ValueDocument>, CliError> {
        match (self, &run.place) {
            (Source::Home(home), Place::Here(history)) => home.wait(ops::values(&home.journal()?, history)),
            _ => run.part("/values", &[]),
        }
    }

    /// The beginnings of the values of at most so many tasks.
    pub(in crate::cli) fn value_previews(
        &self,
        run: &Run<'_>,
        size: usize,
        most: Option<usize>,
    ) -> Result<ValuePreviews, CliError> {
        match (self, &run.place) {
            (Source::Home(home), Place::Here(history)) => {
                let journal = home.journal()?;
                Ok(home.block_on(ops::value_previews(&journal, history, size, most)))
            }
            _ => {
                let most = most.map(|most| most.to_string());
                run.part("/values", &given([("preview", Some(size.to_string())), ("limit", most)]))
            }
        }
    }
}

impl Run<'_> {
    /// A document below the address of the run. Of a run of a home there is none.
    fn part<T: serde::de::DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, CliError> {
        match &self.place {
            Place::There(client, _) => client.get(&format!("/runs/{}{path}", self.status.number), query),
            Place::Here(_) => Err(CliError::Failure("a run of a home has no address".to_owned())),
        }
    }

    /// Why a task is in its state.
    pub(in crate::cli) fn explain(&self, task: &str) -> Result<Explanation, CliError> {
        match &self.place {
            Place::Here(history) => Ok(history.explain_at(history.place(task)?)),
            Place::There(..) => self.part(&format!("/tasks/{}/explain", segment(task)), &[]),
        }
    }

    /// Why the tasks that have not succeeded are in their states.
    pub(in crate::cli) fn explain_open(&self) -> Result<Vec<Explanation>, CliError> {
        match &self.place {
            Place::Here(history) => Ok(history.explain_open()),
            Place::There(..) => self.part("/explain", &[]),
        }
    }

    /// Why these tasks are in their states, in their order.
    pub(in crate::cli) fn explain_all(&self, tasks: &[&str]) -> Result<Vec<Explanation>, CliError> {
        match &self.place {
            Place::Here(_) => tasks.iter().map(|task| self.explain(task)).collect(),
            // One request is cheaper than one for each.
            Place::There(..) => {
                let mut open = self.explain_open()?;
                open.retain(|explanation| tasks.contains(&&*explanation.task));
                Ok(open)
            }
        }
    }

    /// The same error as for another task that the run does not have.
    pub(in crate::cli) fn check_task(&self, task: &str) -> Result<(), CliError> {
        match &self.place {
            Place::Here(history) => history.place(task).map(drop).map_err(CliError::from),
            Place::There(_, tasks) => match tasks.iter().any(|known| known.id == task) {
                true => Ok(()),
                false => self.part::<Value>(&format!("/tasks/{}", segment(task)), &[]).map(drop),
            },
        }
    }
}

/// At most how many entries are wanted.
fn most(limit: Option<u32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Calls a function with each page of the runs that match a filter, until it returns `false`.
fn each_page_of(
    client: &Client,
    filter: &RunFilter,
    each: &mut dyn FnMut(&[RunSummaryDocument]) -> Result<bool, CliError>,
) -> Result<(), CliError> {
    let states = filter.states.iter().map(|state| state.name()).collect::<Vec<_>>().join(",");
    let params = filter.params.iter().map(|(name, text)| (format!("param.{}", segment(name)), text.clone()));
    let params: Vec<(String, String)> = params.collect();
    let mut query: Vec<(&str, String)> = given([
        ("dag", filter.dag.clone()),
        ("state", Some(states).filter(|states| !states.is_empty())),
        ("since", filter.since.map(|since| since.to_string())),
        ("by", filter.requested_by.clone()),
        ("limit", Some(filter.limit.map_or(PAGE, |limit| limit.min(PAGE)).to_string())),
    ]);
    query.extend(params.iter().map(|(name, text)| (name.as_str(), text.clone())));
    let mut left = most(filter.limit);
    client.each_page("/runs", &query, &mut |mut page: Vec<RunSummaryDocument>| {
        page.truncate(left);
        left -= page.len();
        // A page of what no index knows can be empty, and yet have a next one.
        Ok(each(&page)? && left > 0)
    })
}

/// Entries of the audit trail, page by page.
fn audit_of(client: &Client, about: Option<&str>, query: &AuditQuery) -> Result<AuditList, CliError> {
    let most = query.limit.unwrap_or(u32::MAX);
    let mut list = AuditList { next: query.before, ..AuditList::default() };
    loop {
        let rest = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(list.entries.len());
        let parameters = given([
            ("about", about.map(str::to_owned)),
            ("by", query.by.clone()),
            ("action", query.action.map(|action| action.to_string())),
            ("since", query.since.map(|since| since.to_string())),
            ("until", query.until.map(|until| until.to_string())),
            ("before", list.next.map(|number| number.to_string())),
            ("limit", Some(rest.min(PAGE as usize).to_string())),
        ]);
        let page: AuditList = client.get("/audit", &parameters)?;
        list.entries.extend(page.entries);
        list.next = page.next;
        if list.next.is_none() || list.entries.len() >= most as usize {
            return Ok(list);
        }
    }
}

/// The parameters that have a value.
pub(super) fn given<const N: usize>(all: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
