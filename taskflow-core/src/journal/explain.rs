//! Explains the state of a task: the rule, limit or dependency that it waits for, or what decided
//! its end.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::graph::{EdgeRule, GraphNode};
use super::history::RunHistory;
use super::steps;
use super::task_history::TaskHistory;
use crate::base::schema::Schema;
use crate::base::{Failure, Timestamp};
use crate::run::{RUN_ENDED, RunState, TaskState};
use crate::task::TriggerRule;

/// Why a task is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Explanation {
    /// The task.
    pub task: String,
    /// Its state.
    pub state: TaskState,
    /// Sentences, the most important first.
    pub why: Vec<String>,
}

impl RunHistory {
    /// Why a task is in its state; `None` if the run has no such task.
    pub fn explain(&self, task: &str) -> Option<Explanation> {
        Some(self.explain_at(self.find(task)?))
    }

    /// Why the task at this place is in its state.
    pub(crate) fn explain_at(&self, place: usize) -> Explanation {
        let known = &self.tasks[place];
        let mut why = match known.state {
            TaskState::None => self.waits(place),
            TaskState::Scheduled => self.waits_for_room(place),
            TaskState::UpForRetry => {
                let attempt = known.attempts.last().map_or(0, |attempt| attempt.number);
                let due = known.retry_at.map(|due| format!("; the next attempt is due at {due}")).unwrap_or_default();
                vec![format!("attempt {attempt} failed ({}){due}", failure(known))]
            }
            TaskState::UpForReschedule | TaskState::Deferred => self.waits_without_slot(known),
            TaskState::Running if self.state != RunState::Running => {
                let attempt = known.attempts.last().map_or(0, |attempt| attempt.number);
                vec![format!(
                    "attempt {attempt} was running when its process ended, so it is lost; another attempt follows"
                )]
            }
            TaskState::Running => {
                let attempt = known.attempts.last();
                let since = attempt.map(|attempt| format!(" (since {})", attempt.started)).unwrap_or_default();
                vec![format!("attempt {} is running{since}", attempt.map_or(0, |attempt| attempt.number))]
            }
            TaskState::Success if known.marked => vec!["it was marked as a success".to_owned()],
            TaskState::Success => {
                let attempt = known.attempts.last().map_or(0, |attempt| attempt.number);
                vec![format!("attempt {attempt} succeeded")]
            }
            TaskState::Failed => {
                let attempt = known.attempts.last().map_or(0, |attempt| attempt.number);
                vec![match known.marked {
                    true => format!("it was marked as failed: {}", failure(known)),
                    false => format!("attempt {attempt} failed and is not retried: {}", failure(known)),
                }]
            }
            TaskState::Skipped | TaskState::UpstreamFailed => self.follows(place),
            TaskState::Cancelled => vec![failure(known)],
            TaskState::Removed => vec!["it is not part of this run".to_owned()],
        };
        if let (_, Some((retry, due))) = self.retries_made()
            && !matches!(known.state, TaskState::Success | TaskState::Skipped | TaskState::Removed)
        {
            why.push(format!("the run is retried at {due} (retry {retry}), and this task with it"));
        }
        if !known.state.is_terminal() && self.state == RunState::Interrupted {
            why.push(format!("no process is running this run: `resume {}` continues it", self.number));
        }
        Explanation { task: known.id.to_string(), state: known.state, why }
    }

    /// Explains every task whose state is not `success`, `removed` or `skipped`.
    pub fn explain_open(&self) -> Vec<Explanation> {
        let settled = [TaskState::Success, TaskState::Removed, TaskState::Skipped];
        let open = self.in_order().filter(|&place| !settled.contains(&self.tasks[place].state));
        open.map(|place| self.explain_at(place)).collect()
    }

    /// What a sensor or a deferred task waits for.
    fn waits_without_slot(&self, known: &TaskHistory) -> Vec<String> {
        let Some(wait) = &known.waits_for else { return Vec::new() };
        let until = wait.until.map(|until| until.to_string());
        let mut why = Vec::new();
        match (&wait.event, until) {
            _ if wait.poke => {
                let pokes = if wait.count == 1 { "one poke".to_owned() } else { format!("{} pokes", wait.count) };
                let next = wait.until.map(|until| format!("; the next poke is due at {until}")).unwrap_or_default();
                why.push(format!("it has found nothing since {}, in {pokes}{next}", wait.since));
            }
            (Some(key), _) if key.starts_with(RUN_ENDED) => {
                let run = &key[RUN_ENDED.len()..];
                why.push(format!("it waits for the run `{run}` to end (since {})", wait.since));
                why.push(format!("`status {run}` shows the state of that run"));
            }
            (Some(key), until) => {
                let until = until.map(|until| format!(", until {until} at the latest")).unwrap_or_default();
                if let Some(question) = &wait.question {
                    why.push(format!("it asks \"{}\" (since {}{until})", question.trim(), wait.since));
                    let answer = wait.answer.as_deref().unwrap_or("JSON");
                    why.push(format!("`release {} {key} --value ..` answers it, with a {answer} as JSON", self.number));
                    if !wait.respondents.is_everybody() {
                        why.push(format!("it is answered by {}", wait.respondents.in_words()));
                    }
                    return why;
                }
                why.push(format!("it waits for the event `{key}` (since {}{until})", wait.since));
                why.push(format!("`release {} {key}` sends it, with `--value JSON` if it takes a value", self.number));
            }
            (None, Some(until)) => why.push(format!("it waits until {until} (since {})", wait.since)),
            (None, None) => {}
        }
        why
    }

    /// What a task with the state `none` waits for.
    fn waits(&self, place: usize) -> Vec<String> {
        let Some(node) = self.shape.nodes.get(place) else { return Vec::new() };
        let mut why = Vec::new();
        let setups = node.inputs.iter().filter(|&&(_, edge)| matches!(edge, EdgeRule::Setup | EdgeRule::Scope));
        let setups: HashSet<u32> = setups.map(|&(setup, _)| setup).collect();
        let gates = [EdgeRule::Gate, EdgeRule::Setup, EdgeRule::Scope];
        let values = [EdgeRule::Required, EdgeRule::Optional, EdgeRule::Outcome, EdgeRule::First];
        for rule in gates.into_iter().chain(values) {
            let upstreams = node.inputs.iter().filter(|&&(_, edge)| edge == rule).map(|&(upstream, _)| upstream);
            // It was named as the setup.
            let upstreams = upstreams.filter(|&upstream| rule != EdgeRule::Required || !setups.contains(&upstream));
            why.extend(self.pending(upstreams, demand(rule)));
        }
        let kind = self.shape.kind(place as u32);
        let demand = match kind.rule.as_str() {
            _ if kind.is_teardown() => "all work of its scope must end".to_owned(),
            "all_success" => "all must succeed".to_owned(),
            rule => format!("with the trigger rule {rule}"),
        };
        why.extend(self.pending(node.after.iter().copied(), &demand));
        if let Some((group, retry, due)) = self.group_that_waits(node).filter(|_| why.is_empty()) {
            why.push(format!("its group `{group}` failed and is retried at {due} (retry {retry})"));
        }
        if why.is_empty() && self.state == RunState::Running && self.tasks[place].id.ends_with(']') {
            why.push("its upstream tasks have ended; the rate limit of its `each` delays its element".to_owned());
        } else if why.is_empty() {
            why.push("it is ready to start as soon as a process runs this run".to_owned());
        }
        why
    }

    /// The group around a node whose retry is not due yet, the number of the retry, and when it is
    /// due.
    fn group_that_waits(&self, node: &GraphNode) -> Option<(&str, u32, Timestamp)> {
        let retried = self.shape.groups_around(node.group).filter_map(|id| Some((id, self.groups.get(id)?)));
        let mut waiting = retried.filter(|(_, retried)| !retried.has_begun && retried.due > Timestamp::now());
        waiting.next().map(|(id, retried)| (id, retried.retry, retried.due))
    }

    /// `waits for 2 of 3 upstream tasks: a (running), b (none); all must succeed`
    fn pending(&self, upstreams: impl Iterator<Item = u32>, demand: &str) -> Option<String> {
        const SHOWN: usize = 5;
        let all: Vec<u32> = upstreams.collect();
        steps::count(all.len());
        let open: Vec<&TaskHistory> =
            all.iter().map(|&task| &self.tasks[task as usize]).filter(|task| !task.state.is_terminal()).collect();
        if open.is_empty() {
            return None;
        }
        let named: Vec<String> =
            open.iter().take(SHOWN).map(|task| format!("`{}` ({})", task.id, task.state)).collect();
        let more = open.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(format!("waits for {} of {} upstream tasks, {}{more}: {demand}", open.len(), all.len(), named.join(", ")))
    }

    /// What a task that may run waits for.
    fn waits_for_room(&self, place: usize) -> Vec<String> {
        let Some(node) = self.shape.nodes.get(place) else { return Vec::new() };
        let kind = &self.shape.kinds[node.kind as usize];
        let running = self.running();
        let mut why = vec![format!("it is ready and waits for a free worker (running tasks of this run: {running})")];
        if let Some(pool) = &kind.pool {
            why.push(format!("it needs {} of the pool `{pool}`, which other tasks may hold", slots(kind.pool_slots)));
        }
        why
    }

    /// What decided the end of a task that did not run.
    fn follows(&self, place: usize) -> Vec<String> {
        let known = &self.tasks[place];
        let Some(cause) = known.cause.as_deref() else { return vec![failure(known)] };
        let mut why = vec![match self.because(place).as_deref() {
            Some(Failure::Skipped { reason }) => format!("its {reason}"),
            _ => format!("its upstream task `{cause}` failed"),
        }];
        if let Some(reason) = self.task(cause).and_then(|task| task.failure.as_ref()) {
            why.push(format!("`{cause}`: {reason}"));
        }
        why
    }
}

fn demand(rule: EdgeRule) -> &'static str {
    match rule.rule() {
        _ if rule == EdgeRule::Gate => "this arm of the branch must be taken",
        _ if matches!(rule, EdgeRule::Setup | EdgeRule::Scope) => "the setup must succeed",
        TriggerRule::AllSuccess => "all must succeed",
        TriggerRule::NoneFailed => "all must succeed or be skipped",
        TriggerRule::AllDone => "all must end",
        _ => "one must succeed",
    }
}

fn slots(count: u32) -> String {
    if count == 1 { "a slot".to_owned() } else { format!("{count} slots") }
}

fn failure(task: &TaskHistory) -> String {
    task.failure.as_ref().map_or_else(|| "the reason is unknown".to_owned(), ToString::to_string)
}
