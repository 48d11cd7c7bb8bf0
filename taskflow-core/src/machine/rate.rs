//! The rate of a mapping: how often one of its elements may begin.
//!
//! 1. The first task of an element that could be scheduled takes the next free time of its list:
//!    then the element begins. Until then none of its tasks is scheduled; a timer wakes them.
//! 2. Once an element has begun, its tasks are not held back: neither the second task nor a retry.
//! 3. In a resumed run the first element may begin at once. Elements that had begun are not held
//!    back.

use super::core::Core;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::dag::Layout;
use crate::run::TaskIndex;

impl Core {
    /// Whether the element of a task may not begin yet; then a timer is set.
    pub(super) fn is_held_back(&mut self, graph: &Layout, task: TaskIndex, now: Timestamp) -> bool {
        let Some(at) = graph.at(task) else { return false };
        let Some(rate) = graph.plan().mapping(graph.mapping_at(at)).rate else { return false };
        if self.tasks[task].attempt > 0 {
            return false;
        }
        let is_known = self.element_starts.get(&at.block).is_some_and(|starts| starts.begins.contains_key(&at.element));
        // By a task that ran in an earlier session, or before a retry of the run.
        let has_begun = !is_known && {
            let nodes = &graph.plan().mapping(graph.mapping_at(at)).nodes;
            nodes.iter().filter_map(|&node| graph.task(node, Some(at))).any(|task| self.tasks[task].attempt > 0)
        };
        let starts = self.element_starts.entry(at.block).or_default();
        let begins = *starts.begins.entry(at.element).or_insert_with(|| {
            if has_begun {
                return now;
            }
            let begins = starts.next.max(now);
            starts.next = begins + rate.interval();
            begins
        });
        if begins > now {
            self.timers.insert((begins, Timer::Begin(task)));
        }
        begins > now
    }
}
