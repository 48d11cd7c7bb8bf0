//! The machine of one run: its task instances and everything that changes.

use std::sync::Arc;

use super::command::Command;
use super::core::Core;
use super::input::{Elements, Input};
use super::settings::Settings;
use crate::base::{Failure, Timestamp};
use crate::dag::{Layout, Plan, Selection};
use crate::run::{Entry, TaskIndex};
use crate::task::Outcome;

pub(crate) struct Machine {
    pub(super) layout: Layout,
    pub(super) core: Core,
}

impl Machine {
    pub(crate) fn new(plan: Arc<Plan>, selection: Option<&Selection>, settings: Settings) -> Self {
        let core = Core::new(&plan, selection, settings);
        Machine { layout: Layout::new(plan), core }
    }

    /// As [`step`](Machine::step) with [`Input::Started`], which has no commands.
    pub(crate) fn start(&mut self, task: TaskIndex, now: Timestamp) {
        let now = self.core.advance(now);
        self.core.task_started(&self.layout, task, now);
    }

    /// The run is requested, but has to wait before it starts.
    pub(crate) fn wait_to_start(&mut self, now: Timestamp) {
        // The times of a run that ends without having started.
        self.core.started = now;
        self.core.past.queued.get_or_insert(now);
    }

    /// Processes an input and appends the commands that follow from it.
    #[inline]
    pub(crate) fn step(&mut self, mut input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        let Machine { layout, core } = self;
        if let Input::Finished { task, attempt, outcome, .. } = &mut input
            && let Outcome::Success(elements) = outcome
            && let Some(elements) = elements.take_if(|_| core.is_running(*task, *attempt))
        {
            *outcome = Machine::expand(layout, core, *task, *elements, now);
        }
        core.step(layout, input, now, commands);
        if core.tries_again {
            self.try_again(now, commands);
        }
    }

    fn expand(
        layout: &mut Layout,
        core: &mut Core,
        task: TaskIndex,
        Elements { count, labels }: Elements,
        now: Timestamp,
    ) -> Outcome<Option<Box<Elements>>> {
        // Nothing starts any more, so the elements would never run.
        if let Some(halted) = &core.halted
            && !core.is_spared(layout, task)
        {
            return Outcome::Failed(Box::new(Failure::Cancelled { reason: halted.reason.clone() }));
        }
        let refuse = |message| Outcome::Failed(Box::new(Failure::Error { chain: vec![message], retryable: false }));
        if let Some(limit) = layout.limit(task).filter(|&limit| count > limit) {
            return refuse(format!("the list has {count} elements, and its `each` takes at most {limit}"));
        }
        let Some(block) = layout.expand(task, count) else {
            return refuse(format!("{count} elements exceed the number of tasks that a run can have"));
        };
        core.grow(layout, &block);
        if core.settings.recorded {
            core.entries.push((now.max(core.latest), Entry::Expanded { task, count }));
            let labels = labels.iter().map(|labels| labels.to_vec());
            core.entries.extend(labels.map(|labels| (now.max(core.latest), Entry::Labelled { task, labels })));
        }
        core.labels.extend(labels.map(|labels| (task, labels)));
        Outcome::Success(None)
    }
}
