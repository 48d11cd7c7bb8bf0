//! The rate of a mapping: how often one of its elements may begin.
//!
//! 1. The first task of an element that could be scheduled takes the next free moment of its list, and that is when the
//!    element begins. Until then none of its tasks is scheduled; they are woken by a timer.
//! 2. Once an element has begun nothing holds its tasks back: neither its second task nor a retry of the first.
//! 3. A run that goes on after a crash begins with a free moment. Elements that had begun before are not held back again.

use super::core::Core;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::dag::Layout;

impl Core {
    /// Whether the element of a task that could be scheduled has yet to begin; then a timer is set.
    pub(super) fn is_held_back(&mut self, graph: &Layout, task: u32, now: Timestamp) -> bool {
        let Some(at) = graph.at(task) else { return false };
        let Some(rate) = graph.plan().mappings()[graph.mapping_at(at) as usize].rate else { return false };
        if self.tasks[task as usize].attempt > 0 {
            return false;
        }
        let pace = self.paces.entry(at.block).or_default();
        let begins = *pace.begins.entry(at.element).or_insert_with(|| {
            let begins = pace.next.max(now);
            pace.next = begins + rate.interval();
            begins
        });
        if begins > now {
            self.timers.insert((begins, Timer::Begin(task)));
        }
        begins > now
    }
}
