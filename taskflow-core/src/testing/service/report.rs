//! What happened while a service ran in virtual time.

use super::{ServiceTest, done, time};
use crate::base::Timestamp;
use crate::journal::{RunHistory, RunSummary, at_once};
use crate::ops::{self, BackfillStatus, ConsumerStatus, EventDocument, EventQuery, PastSlots};
use crate::run::{ConsumedEvents, RunType};
use crate::schedule::Pause;
use crate::store::{RunFilter, RunOrder};

/// What happened.
impl ServiceTest {
    /// All runs of a DAG, by logical date. [`RunSummary::info`] has what started each of them, and
    /// [`started_by`](ServiceTest::started_by) has it in words.
    #[track_caller]
    pub fn runs(&self, dag: &str) -> Vec<RunSummary> {
        let filter = RunFilter { dag: Some(dag.to_owned()), order: RunOrder::LogicalDate, ..RunFilter::default() };
        let mut runs = done(at_once(self.journal.journal().runs(&filter)));
        runs.reverse();
        runs
    }

    /// What started each run of a DAG, in the order in which they were created: `slot
    /// 2026-01-02T00:00:00Z`, `event 3 of sales/orders`, `events 1 to 3 of sales/orders`,
    /// `backfill`, `manual`, or several of them.
    ///
    /// ```
    /// # use taskflow::asset::Events;
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # taskflow::asset! { ORDERS: Asset<u64> = "sales/orders"; }
    /// # #[task] fn sum(orders: &Events<u64>) -> u64 { orders.values().sum() }
    /// #[dag]
    /// fn total(#[event(ORDERS)] orders: Events<u64>) -> u64 {
    ///     sum(orders)
    /// }
    /// let mut service = Test::service().dag(total {});
    /// service.run_until("2026-01-02").emit(&ORDERS, 3).emit(&ORDERS, 4).run_until("2026-01-03");
    /// assert_eq!(service.started_by("total"), ["events 1 to 2 of sales/orders"]);
    /// ```
    #[track_caller]
    pub fn started_by(&self, dag: &str) -> Vec<String> {
        let mut runs = self.runs(dag);
        runs.sort_by_key(|run| run.number);
        runs.iter().map(started_by).collect()
    }

    /// What is stored of a run.
    #[track_caller]
    pub fn history(&self, run: &RunSummary) -> RunHistory {
        done(at_once(ops::history(self.journal.journal(), &run.info.run_id)))
    }

    /// The last slots of a DAG, the latest first: its runs, and the records of why slots and events
    /// became none.
    #[track_caller]
    pub fn slots(&self, dag: &str) -> Vec<PastSlots> {
        done(at_once(ops::past_slots(self.journal.journal(), self.served(dag), u32::MAX)))
    }

    /// Who has paused a DAG, if it is paused now.
    #[track_caller]
    pub fn pause_of(&self, dag: &str) -> Option<Pause> {
        let (journal, served) = (self.journal.journal(), self.served(dag));
        match done(at_once(ops::consumers(Some(journal), &[served]))).pop() {
            Some(consumer) => consumer.pause,
            None => done(at_once(ops::pause_of(journal, served.id))),
        }
    }

    /// Asserts that exactly these slots of the schedule of a DAG have become runs.
    ///
    /// # Panics
    ///
    /// If others have.
    #[track_caller]
    pub fn assert_slots(&self, dag: &str, wanted: &[&str]) -> &Self {
        let runs = self.runs(dag);
        let scheduled = runs.iter().filter(|run| run.info.run_type == RunType::Scheduled);
        let found: Vec<Timestamp> = scheduled.map(|run| run.info.logical_date).collect();
        let wanted: Vec<Timestamp> = wanted.iter().map(|text| time(text)).collect();
        if found != wanted {
            let list = |times: &[Timestamp]| times.iter().map(Timestamp::to_string).collect::<Vec<_>>().join(", ");
            panic!("the slots of `{dag}` are [{}], not [{}]\n{}", list(&found), list(&wanted), self.event_log());
        }
        self
    }

    /// Asserts that exactly this has [started](ServiceTest::started_by) the runs of a DAG.
    ///
    /// # Panics
    ///
    /// If something else has.
    #[track_caller]
    pub fn assert_started_by(&self, dag: &str, wanted: &[&str]) -> &Self {
        let found = self.started_by(dag);
        if found != wanted {
            panic!("the runs of `{dag}` were started by {found:?}, not by {wanted:?}\n{}", self.event_log());
        }
        self
    }

    /// A DAG with event parameters: its cursors, what is pending for it, and what its next run
    /// waits for.
    ///
    /// ```
    /// # use taskflow::asset::{Event, Events};
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # taskflow::asset! { ORDERS: Asset<u64> = "sales/orders"; RATES: Asset<f64> = "rates"; }
    /// # #[task] fn value(orders: &Events<u64>, rate: &Event<f64>) -> f64 { orders.len() as f64 * rate.value }
    /// #[dag]
    /// fn worth(#[event(ORDERS)] orders: Events<u64>, #[event(RATES)] rate: Event<f64>) -> f64 {
    ///     value(orders, rate)
    /// }
    /// let mut service = Test::service().dag(worth {});
    /// service.run_until("2026-01-02").emit(&ORDERS, 3).emit(&ORDERS, 4).run_until("2026-01-03");
    /// assert_eq!(service.consumer("worth").waits_for.as_deref(), Some("an event of rates"));
    /// assert_eq!(service.pending("worth"), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If the DAG has no event parameters.
    #[track_caller]
    pub fn consumer(&self, dag: &str) -> ConsumerStatus {
        let mut consumers = done(at_once(ops::consumers(Some(self.journal.journal()), &[self.served(dag)])));
        let Some(consumer) = consumers.pop() else { panic!("`{dag}` has no event parameters") };
        consumer
    }

    /// How many events are pending for a DAG.
    ///
    /// # Panics
    ///
    /// As [`consumer`](ServiceTest::consumer).
    #[track_caller]
    pub fn pending(&self, dag: &str) -> u64 {
        self.consumer(dag).inputs.iter().map(|input| input.pending).sum()
    }

    /// The events of an asset, oldest first, with their payloads. The results of a DAG are the
    /// events of the asset `dag:` and its id.
    #[track_caller]
    pub fn events(&self, asset: &str) -> Vec<EventDocument> {
        let query = EventQuery { asset: Some(asset.to_owned()), ..EventQuery::default() };
        let mut events = done(at_once(ops::events(self.journal.journal(), &query)));
        events.reverse();
        events
    }

    /// The backfill with this number.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn backfill_status(&self, number: i64) -> BackfillStatus {
        done(at_once(ops::backfill_status(self.journal.journal(), number)))
    }

    /// What the service did, an event on a line with the time of its clock. Identical in every run
    /// of the test, for snapshots.
    pub fn event_log(&self) -> String {
        self.log.concat()
    }
}

fn started_by(run: &RunSummary) -> String {
    let info = &run.info;
    let consumed = info.triggering_events.iter().flat_map(|events| &events.consumed);
    let consumed = consumed.map(|ConsumedEvents { asset, first, last, count, .. }| match count {
        1 => format!("event {first} of {asset}"),
        _ => format!("events {first} to {last} of {asset}"),
    });
    let itself = match info.run_type {
        RunType::Event => None,
        RunType::Scheduled => Some(format!("slot {}", info.logical_date)),
        other => Some(other.to_string()),
    };
    itself.into_iter().chain(consumed).collect::<Vec<_>>().join(", ")
}
