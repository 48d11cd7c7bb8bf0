//! Groups: parts of a graph with a name and options of their own. Airflow's task groups.

use std::panic::Location;
use std::time::Duration;

use super::builder::{self, GroupWish, Handle};
use super::order::IntoNodes;
use crate::task::{RetryPolicy, TriggerRule};

/// Puts the nodes that `body` adds into a group, and `name.` before their ids. Groups nest.
///
/// ```
/// # use taskflow::prelude::*;
/// # #[task] fn convert(raw: String) -> String { raw }
/// # #[task] fn load(table: &str, rows: &str) -> usize { table.len() + rows.len() }
/// # #[dag] fn daily(raw: String) -> usize {
/// let loaded = group("warehouse", || {
///     let rows = convert(raw);
///     load("flights", rows) // the id of this node is `warehouse.load`
/// });
/// # loaded }
/// # assert!(daily::def().plan().unwrap().find("warehouse.load").is_some());
/// ```
///
/// A name used twice gets a number, as tasks do: `warehouse`, `warehouse_2`. Outside a `#[dag]`
/// function it only calls `body`. A group with options is a [`Group`].
#[track_caller]
pub fn group<R>(name: &str, body: impl FnOnce() -> R) -> R {
    Group::new(name).draw(body)
}

/// A [`group`] with options.
///
/// ```
/// # use std::time::Duration;
/// # use taskflow::{Group, prelude::*};
/// # #[task] fn unlock() {}
/// # #[task] fn load(table: &str) -> usize { table.len() }
/// # #[dag] fn daily() {
/// let unlocked = unlock();
/// Group::new("warehouse").after(unlocked).concurrency(2).draw(|| {
///     for table in ["flights", "planes", "airports"] {
///         load(table); // each of them comes after `unlock`, two at once
///     }
/// });
/// # }
/// # assert!(daily::run().wait().unwrap().is_success());
/// ```
#[derive(Debug)]
#[must_use = "a group is there when it is drawn: `.draw(|| ..)`"]
pub struct Group {
    name: String,
    concurrency: Option<u32>,
    after: Vec<Handle>,
    rule: Option<TriggerRule>,
    retries: u32,
    retry_delay: Duration,
}

impl Group {
    /// A group without options yet. The name: letters, digits, `_`, `-` and `.`.
    pub fn new(name: &str) -> Self {
        let retry_delay = RetryPolicy::DEFAULT_DELAY;
        Group { name: name.to_owned(), concurrency: None, after: Vec::new(), rule: None, retries: 0, retry_delay }
    }

    /// How often the group may be retried as a whole: when all its tasks have ended and it has
    /// failed, all of them run again, including those that succeeded. Tasks outside wait until the
    /// group is over. Default: 0.
    ///
    /// Retries of the tasks come first, and are available again each time. A group fails if a task
    /// failed finally and no other task of the group handles that. The failure of a task outside is
    /// none of the group: it neither causes a retry nor prevents one. The group is not retried if
    /// one of its failures allows no retry.
    ///
    /// A group with retries can neither contain an [`each`](crate::dag::Output::each) or another
    /// group with retries, nor be inside one; pass the result of an `each` into it with
    /// `.collect()`.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The delay before a retry of the group. Default: 10 seconds.
    pub fn retry_delay(mut self, delay: Duration) -> Self {
        self.retry_delay = delay;
        self
    }

    /// How many of its tasks may run at once, in one run, including those of groups and elements
    /// inside it; zero is a build error. Default: as many as the run may.
    pub fn concurrency(mut self, tasks: u32) -> Self {
        self.concurrency = Some(tasks);
        self
    }

    /// Orders its first tasks (those that nothing else in it comes before) after other tasks:
    /// Airflow's `task >> group`.
    #[allow(clippy::needless_pass_by_value, reason = "outputs are handles")]
    pub fn after(mut self, upstreams: impl IntoNodes) -> Self {
        self.after.extend(upstreams.handles());
        self
    }

    /// The trigger rule of its first tasks for what the group comes [`after`](Group::after). A task
    /// with its own rule keeps it.
    pub fn trigger_rule(mut self, rule: TriggerRule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Draws the group: what `body` calls is in it. Outside a `#[dag]` function it only calls
    /// `body`.
    #[track_caller]
    pub fn draw<R>(self, body: impl FnOnce() -> R) -> R {
        let Group { name, concurrency, after, rule, retries, retry_delay } = self;
        let wish = GroupWish { name, concurrency, after, rule, retries, retry_delay, dag: None };
        let _open = builder::open_group(wish, Location::caller());
        body()
    }
}
