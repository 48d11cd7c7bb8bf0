//! What needs a person: runs that failed or stopped, questions, DAGs that nothing starts or that
//! fall behind, deadlines that were or will be missed, notifications that were not delivered.

use std::collections::HashMap;
use std::time::Duration;

use super::action::Action;
use super::address;
use super::command::Program;
use super::marks::Mark;
use super::times::{Clock, Moment};
use crate::base::text::bounded;
use crate::journal::{Journal, RunSummary, word_of};
use crate::ops::{DagStatus, DeadlineList, FailedDelivery, MissedSlotDeadline, OpsError};
use crate::run::{RunState, TaskState};
use crate::server::auth::Principal;

/// A pause that is older may have been forgotten.
const LONG_PAUSE: Duration = Duration::from_secs(7 * 86_400);
/// The histories of more runs are not read.
const HISTORIES: usize = 20;

/// For how long a notification that was not delivered is news, and the most bytes of its error.
const DAY: Duration = Duration::from_secs(86_400);
const ERROR: usize = 300;

/// Something that needs a person.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) mark: Mark,
    pub(crate) dag: String,
    pub(crate) href: String,
    /// What it is about: the run, the task.
    pub(crate) about: String,
    /// The message of the failure, or the question.
    pub(crate) detail: String,
    pub(crate) since: Option<Moment>,
    /// What those who may operate the DAG can do here.
    pub(crate) action: Option<Action>,
    /// The line that others copy.
    pub(crate) command: String,
}

/// What of DAGs and their runs needs a person, with what a principal can do about it, apart from
/// rights to the DAG. `recent` has the last runs of the DAGs that may need
/// one, the newest first.
pub(super) async fn needs(
    journal: &Journal,
    principal: &Principal,
    dags: &[DagStatus],
    recent: &HashMap<String, Vec<RunSummary>>,
    program: &Program,
    clock: &Clock,
) -> Result<Vec<Need>, OpsError> {
    let (mut needs, mut read) = (Vec::new(), 0);
    for dag in dags {
        let runs = recent.get(&dag.dag_id).map_or(&[][..], Vec::as_slice);
        if let Some(error) = &dag.error {
            needs.push(Need {
                mark: Mark::of("interrupted"),
                dag: dag.dag_id.clone(),
                href: address::dag(&dag.dag_id),
                about: "its schedule or its events cannot be served".to_owned(),
                detail: error.clone(),
                since: None,
                action: None,
                command: program.line(&["doctor"]),
            });
        }
        if let Some(pause) = &dag.pause
            && clock.since(pause.since) > LONG_PAUSE
        {
            needs.push(Need {
                mark: Mark::of_slot("paused"),
                dag: dag.dag_id.clone(),
                href: address::dag(&dag.dag_id),
                about: format!("paused by {}", pause.by),
                detail: pause.reason.clone(),
                since: Some(clock.at(pause.since)),
                action: Some(Action::form("Unpause…", address::dag(&dag.dag_id) + "/unpause")),
                command: program.line(&["unpause", &dag.dag_id]),
            });
        }
        if let Some(behind) = &dag.behind {
            needs.push(Need {
                mark: Mark::of_slot("waiting"),
                dag: dag.dag_id.clone(),
                href: address::dag(&dag.dag_id) + "/slots",
                about: format!("falls behind: {} slots wait", behind.slots),
                detail: "Its runs take longer than the time between its slots, or nothing starts them.".to_owned(),
                since: Some(clock.at(behind.first)),
                action: None,
                command: program.line(&["slots", &dag.dag_id]),
            });
        }
        let ended = runs.iter().find(|run| run.state.is_terminal() || run.state == RunState::Interrupted);
        if let Some(run) = ended.filter(|run| matches!(run.state, RunState::Failed | RunState::Interrupted)) {
            read += 1;
            needs.push(of_run(journal, run, runs, program, clock, read <= HISTORIES).await?);
        }
        for run in runs.iter().filter(|run| run.state == RunState::Running) {
            read += 1;
            if read <= HISTORIES {
                questions(journal, principal, run, program, clock, &mut needs).await?;
            }
        }
    }
    Ok(needs)
}

/// What of deadlines, and of notifications that were not delivered in the last day, needs a person.
pub(crate) fn late(
    deadlines: Option<&DeadlineList>,
    deliveries: &[FailedDelivery],
    program: &Program,
    clock: &Clock,
) -> Vec<Need> {
    let need = |mark: &str, dag: &str, run: Option<i64>| Need {
        mark: Mark::of(mark),
        dag: dag.to_owned(),
        href: run.map_or_else(|| "/deadlines".to_owned(), address::run),
        about: String::new(),
        detail: String::new(),
        since: None,
        action: None,
        command: match run {
            Some(run) => program.line(&["status", &run.to_string()]),
            None => program.line(&["slots", dag]),
        },
    };
    let unlikely = deadlines.into_iter().flat_map(DeadlineList::unlikely).map(|due| Need {
        about: format!("is unlikely to meet its deadline {}", due.rule),
        detail: match due.expected {
            Some(expected) => format!("Due {}, expected {}.", clock.at(due.deadline).text, clock.at(expected).text),
            None => format!("Due {}.", clock.at(due.deadline).text),
        },
        ..need("upstream_failed", &due.dag_id, due.run)
    });
    // The latest of each DAG stands for the others.
    let mut of_dags: Vec<(&MissedSlotDeadline, u64)> = Vec::new();
    for missed in deadlines.into_iter().flat_map(DeadlineList::news) {
        match of_dags.iter_mut().find(|(known, _)| known.dag_id == missed.dag_id) {
            Some((_, count)) => *count += missed.missed.count,
            None => of_dags.push((missed, missed.missed.count)),
        }
    }
    let missed = of_dags.into_iter().map(|(missed, count)| Need {
        about: match (count, clock.at(missed.missed.deadline).text) {
            (1, at) => format!("has missed its deadline of {at}"),
            (count, at) => format!("has missed {count} deadlines in a day, that of {at} last"),
        },
        detail: missed.missed.reason.clone(),
        since: Some(clock.at(missed.missed.noticed)),
        ..need("failed", &missed.dag_id, missed.missed.run)
    });
    let failed = deliveries.iter().filter(|failed| clock.since(failed.delivery.at) < DAY).map(|failed| Need {
        about: format!("run {}: {} was not delivered", failed.number, failed.delivery.callback),
        detail: bounded(failed.delivery.error.as_deref().unwrap_or_default(), ERROR).into_owned(),
        since: Some(clock.at(failed.delivery.at)),
        ..need("up_for_retry", &failed.dag_id, Some(failed.number))
    });
    unlikely.chain(missed).chain(failed).collect()
}

/// A run that failed or stopped.
async fn of_run(
    journal: &Journal,
    run: &RunSummary,
    runs: &[RunSummary],
    program: &Program,
    clock: &Clock,
    reads: bool,
) -> Result<Need, OpsError> {
    let number = run.number.to_string();
    let mut need = Need {
        mark: Mark::of(run.state.name()),
        dag: run.info.dag_id.clone(),
        href: address::run(run.number),
        about: format!("run {number}"),
        detail: String::new(),
        since: Some(clock.at(run.ended.unwrap_or(run.created))),
        action: None,
        command: String::new(),
    };
    if run.state == RunState::Interrupted {
        need.detail = "No process runs it any more.".to_owned();
        need.action = Some(Action::direct("Resume", need.href.clone() + "/resume"));
        need.command = program.line(&["resume", &number]);
        return Ok(need);
    }
    let failed = runs.iter().take_while(|run| run.state != RunState::Success);
    let failed = failed.filter(|run| run.state == RunState::Failed).count();
    if failed > 1 {
        need.about = format!("run {number}, {failed} failures in a row");
    }
    need.action = Some(Action::direct("Retry", need.href.clone() + "/retry"));
    need.command = program.line(&["retry", &number]);
    if reads {
        let rollup = journal.rollups(&[run.number]).await?.remove(&run.number);
        match rollup.as_ref().and_then(|rollup| rollup.failures().first()) {
            Some(failure) => {
                let first = failure.tasks.first().map_or(0, |&first| first as usize);
                let task = rollup.as_ref().map(|rollup| rollup.id_of(first)).unwrap_or_default();
                need.about = format!("{task} in {}", need.about);
                need.detail.clone_from(&failure.sample);
            }
            // No task failed that could be retried.
            None => {
                need.detail = rollup.map(|rollup| rollup.halted().to_owned()).unwrap_or_default();
                need.action = None;
            }
        }
    }
    Ok(need)
}

/// The questions that tasks of a run ask.
async fn questions(
    journal: &Journal,
    principal: &Principal,
    run: &RunSummary,
    program: &Program,
    clock: &Clock,
    needs: &mut Vec<Need>,
) -> Result<(), OpsError> {
    let rollup = journal.rollups(&[run.number]).await?.remove(&run.number);
    if !rollup.is_some_and(|rollup| rollup.has(TaskState::Deferred)) {
        return Ok(());
    }
    let history = journal.history(&word_of(run.number)).await?;
    for task in &history.tasks {
        let Some(wait) = &task.waits_for else { continue };
        let Some(question) = &wait.question else { continue };
        let answer = wait.view().command(run.number).unwrap_or_default();
        let words: Vec<&str> = answer.iter().map(String::as_str).collect();
        needs.push(Need {
            mark: Mark::of("deferred"),
            dag: run.info.dag_id.clone(),
            href: address::task(run.number, &task.id),
            about: format!("{} in run {} asks", task.id, run.number),
            detail: question.trim().to_owned(),
            since: Some(clock.at(wait.since)),
            action: principal
                .may_answer(&wait.respondents, &history.info.requested_by)
                .then(|| Action::form("Answer…", address::approval(run.number, &task.id))),
            command: program.line(&words),
        });
    }
    Ok(())
}
