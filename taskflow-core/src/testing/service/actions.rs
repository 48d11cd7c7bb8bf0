//! What people do while a service runs in virtual time.

use std::collections::HashMap;

use super::turn::recorded;
use super::{ServiceTest, done, time};
use crate::asset::{Asset, Partition};
use crate::base::Timestamp;
use crate::dag::{DagDef, ParamError, Params};
use crate::engine::RunRequest;
use crate::journal::{Note, StoredBackfill, TaskFilter, at_once};
use crate::ops::{self, OpsError};
use crate::run::{RunInfo, Stored};
use crate::schedule::{BackfillRequest, Catchup, Pause, SlotRange, Unpause};
use crate::store::NewEvent;
use crate::value::{AnyValue, TypeInfo, Value};

/// Who does it.
fn by_the_test(reason: &str) -> Note {
    Note { by: "the test".to_owned(), reason: reason.to_owned() }
}

/// Schedules and runs.
impl ServiceTest {
    /// Clears the failed tasks of the last run of a DAG, by logical date, and runs them again.
    ///
    /// # Panics
    ///
    /// If the DAG has no run, or nothing of the run has failed.
    #[track_caller]
    pub fn clear_failed(&mut self, dag: &str) -> &mut Self {
        let Some(run) = self.runs(dag).pop() else { panic!("`{dag}` has no run") };
        let failed = TaskFilter::all().failed();
        done(at_once(self.journal.journal().clear(&run.info.run_id, &failed, &by_the_test(""))));
        self.note(&format!("{dag}: {} is cleared", run.info.run_id));
        // A service that dies meanwhile is followed by one that resumes the run.
        if self.up.is_some() && self.start_run(&run).is_err() {
            self.crash();
        }
        self
    }

    /// Pauses a DAG, until it is unpaused. Its slots pass, and its events stay pending.
    #[track_caller]
    pub fn pause(&mut self, dag: &str, reason: &str) -> &mut Self {
        self.pause_dag(dag, reason, None);
        self.note(&format!("{dag}: paused"));
        self
    }

    /// Pauses a DAG until a time of the machine's clock: the service then ends the pause, or the
    /// next one, if it is down. The slots up to there are recorded as paused.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn daily(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// let mut service = Test::service().dag(daily {});
    /// service.run_until("2026-01-01T12:00:00Z").pause_until("daily", "the warehouse moves", "2026-01-03T12:00:00Z");
    /// service.run_until("2026-01-05T12:00:00Z");
    /// service.assert_slots("daily", &["2026-01-04", "2026-01-05"]);
    /// assert_eq!(service.pause_of("daily"), None);
    /// ```
    #[track_caller]
    pub fn pause_until(&mut self, dag: &str, reason: &str, until: &str) -> &mut Self {
        self.pause_dag(dag, reason, Some(time(until)));
        self.note(&format!("{dag}: paused until {until}"));
        self
    }

    #[track_caller]
    fn pause_dag(&mut self, dag: &str, reason: &str, until: Option<Timestamp>) {
        let (served, note) = (self.served(dag), by_the_test(reason));
        let Pause { .. } = done(at_once(ops::pause(self.journal.journal(), served, &note, until)));
    }

    /// Unpauses a DAG. `catchup` decides about the slots that passed; the events of the pause are
    /// consumed.
    #[track_caller]
    pub fn unpause(&mut self, dag: &str, catchup: Catchup) -> &mut Self {
        self.unpause_with(dag, catchup, Unpause::All)
    }

    /// Unpauses a DAG. `catchup` decides about the slots that passed, and `events` about the events
    /// that were emitted.
    ///
    /// ```
    /// # use taskflow::asset::Event;
    /// # use taskflow::prelude::*;
    /// # use taskflow::schedule::{Catchup, Unpause};
    /// # use taskflow::testing::Test;
    /// # taskflow::asset! { ORDERS: Asset<u64> = "sales/orders"; }
    /// # #[task] fn copy(order: &Event<u64>) -> u64 { order.value }
    /// # #[dag] fn invoice(#[event(ORDERS)] order: Event<u64>) -> u64 { copy(order) }
    /// let mut service = Test::service().dag(invoice {});
    /// service.run_until("2026-01-02").pause("invoice", "the printer is away");
    /// service.emit(&ORDERS, 3).emit(&ORDERS, 4).run_until("2026-01-03");
    /// service.unpause_with("invoice", Catchup::None, Unpause::Newest).run_until("2026-01-04");
    /// service.assert_started_by("invoice", &["event 2 of sales/orders"]);
    /// ```
    #[track_caller]
    pub fn unpause_with(&mut self, dag: &str, catchup: Catchup, events: Unpause) -> &mut Self {
        let (served, note) = (self.served(dag), by_the_test(""));
        let slots = done(at_once(ops::unpause(self.journal.journal(), served, &note, catchup, events)));
        self.note(&format!("{dag}: unpaused"));
        slots.iter().for_each(|slots| self.note(&recorded(dag, slots)));
        self
    }

    /// Resets the schedule of a DAG to the present time of the machine's clock, which was ahead:
    /// see [`reset_schedule`](crate::ops::reset_schedule).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn daily(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// let years = Duration::from_secs(10 * 365 * 86_400);
    /// let mut service = Test::service().dag(daily {});
    /// service.at("2026-01-01T12:00:00Z").clock_forward(years).run_until("2026-01-01T13:00:00Z");
    /// service.clock_back(years).reset_schedule("daily").run_until("2026-01-02T12:00:00Z");
    /// service.assert_slots("daily", &["2026-01-02"]);
    /// ```
    #[track_caller]
    pub fn reset_schedule(&mut self, dag: &str) -> &mut Self {
        let (served, note) = (self.served(dag), by_the_test(""));
        let reset = done(at_once(ops::reset_schedule(self.journal.journal(), served, &note)));
        self.note(&format!("{dag}: its schedule continues from {}", reset.to));
        self
    }

    /// Queues a manual run of a DAG.
    #[track_caller]
    pub fn trigger(&mut self, dag: &str) -> &mut Self {
        let (dag, at) = (self.served(dag), self.clock());
        self.triggered += 1;
        let mut info = dag.options.complete(RunInfo::manual(dag.id, at));
        info.run_id = format!("manual__{at}_{}", self.triggered);
        let plan = done(dag.plan());
        let params = match Params::from_text(plan.params(), &info, &HashMap::new(), |_| None) {
            Ok(params) => params,
            Err(errors) => panic!("{}", errors.iter().map(ParamError::to_string).collect::<Vec<_>>().join("; ")),
        };
        done(at_once(self.journal.journal().enqueue(RunRequest::<()>::of_plan(plan, info, params))));
        self
    }
}

/// Events.
impl ServiceTest {
    /// Emits an event of an asset, as somebody outside the service would. DAGs that consume the
    /// asset start when the service [runs](ServiceTest::run_until) again, those that the service
    /// has not seen yet excepted: they begin after the last event.
    ///
    /// ```
    /// # use taskflow::asset::Events;
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// taskflow::asset! { ORDERS: Asset<u64> = "sales/orders"; }
    ///
    /// #[task]
    /// fn sum(orders: &Events<u64>) -> u64 {
    ///     orders.values().sum()
    /// }
    /// #[dag]
    /// fn total(#[event(ORDERS, settle = "10m")] orders: Events<u64>) -> u64 {
    ///     sum(orders)
    /// }
    ///
    /// let mut service = Test::service().dag(total {});
    /// service.run_until("2026-01-01T06:00:00Z").emit(&ORDERS, 3);
    /// service.run_until("2026-01-01T06:05:00Z").emit(&ORDERS, 4);
    /// service.run_until("2026-01-01T07:00:00Z");
    /// assert_eq!(service.runs("total")[0].created.to_string(), "2026-01-01T06:15:00Z");
    /// assert_eq!(service.events("dag:total")[0].payload, Some(7.into()));
    /// ```
    #[track_caller]
    pub fn emit<T: Value>(&mut self, asset: &Asset<T>, payload: T) -> &mut Self {
        self.emit_event(asset, &(), None, payload)
    }

    /// Emits an event of a partition of an asset. Otherwise as [`emit`](ServiceTest::emit).
    ///
    /// ```
    /// # use taskflow::asset::{Day, Event};
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// taskflow::asset! { ORDERS: Asset<u64, Day> = "sales/orders"; }
    ///
    /// # #[task] fn describe(order: &Event<u64, Day>) -> String { format!("{}: {}", order.partition, order.value) }
    /// #[dag]
    /// fn report(#[event(ORDERS)] order: Event<u64, Day>) -> String {
    ///     describe(order)
    /// }
    /// let mut service = Test::service().dag(report {});
    /// service.run_until("2026-01-02").emit_partition(&ORDERS, Date::new(2026, 1, 1).unwrap(), 3);
    /// service.run_until("2026-01-03");
    /// assert_eq!(service.events("dag:report")[0].payload, Some("2026-01-01: 3".into()));
    /// ```
    #[track_caller]
    pub fn emit_partition<T: Value, P: Partition>(
        &mut self,
        asset: &Asset<T, P>,
        partition: impl Into<P>,
        payload: T,
    ) -> &mut Self {
        self.emit_event(asset, &partition.into(), None, payload)
    }

    /// Emits an event of an asset unless it has one with this key. Otherwise as
    /// [`emit`](ServiceTest::emit).
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// taskflow::asset! { ORDERS: Asset<u64> = "sales/orders"; }
    ///
    /// let mut service = Test::service();
    /// service.emit_once(&ORDERS, "order 7", 3).emit_once(&ORDERS, "order 7", 4);
    /// assert_eq!(service.events("sales/orders").len(), 1);
    /// ```
    #[track_caller]
    pub fn emit_once<T: Value>(&mut self, asset: &Asset<T>, key: &str, payload: T) -> &mut Self {
        self.emit_event(asset, &(), Some(key), payload)
    }

    #[track_caller]
    fn emit_event<T: Value, P: Partition>(
        &mut self,
        asset: &Asset<T, P>,
        partition: &P,
        key: Option<&str>,
        payload: T,
    ) -> &mut Self {
        let (ty, payload) = (TypeInfo::of_value::<T>(), AnyValue::new(payload));
        let event = NewEvent {
            asset: asset.name().to_owned(),
            partition: partition.key(),
            key: key.map(str::to_owned),
            ty: ty.short(),
            value: Stored::Inline(done(ty.encode(&payload))),
            emitted: self.clock(),
            run: None,
            task: None,
            by: by_the_test("").by,
            on_change: false,
        };
        let emitted = done(at_once(self.journal.journal().emit(vec![event])));
        for emitted in emitted {
            self.note(&format!("event {} of {}", emitted.number(), asset.name()));
        }
        self
    }
}

/// Backfills.
impl ServiceTest {
    /// Starts a backfill of the slots of a DAG from `first` to `last`, inclusive, that have no run.
    /// Returns its number.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn daily(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// let mut service = Test::service().dag(daily {});
    /// service.at("2026-03-01");
    /// let backfill = service.backfill("daily", "2025-03-01", "2026-02-28");
    /// service.run_until("2026-03-01T01:00:00Z");
    /// let status = service.backfill_status(backfill);
    /// assert_eq!((status.phase.name(), status.counts.success), ("done", 365));
    /// ```
    #[track_caller]
    pub fn backfill(&mut self, dag: &str, first: &str, last: &str) -> i64 {
        let ranges = vec![SlotRange { from: time(first), to: time(last) }];
        self.backfill_with(dag, &BackfillRequest { ranges, ..BackfillRequest::default() })
    }

    /// Starts a backfill with other options. Returns its number.
    ///
    /// # Panics
    ///
    /// If it is refused: see [`try_backfill`](ServiceTest::try_backfill).
    #[track_caller]
    pub fn backfill_with(&mut self, dag: &str, request: &BackfillRequest) -> i64 {
        done(self.try_backfill(dag, request))
    }

    /// As [`backfill_with`](ServiceTest::backfill_with), for a backfill that may be refused.
    ///
    /// ```
    /// # use taskflow::ops::OpsError;
    /// # use taskflow::prelude::*;
    /// # use taskflow::schedule::{BackfillRequest, SlotRange};
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn daily(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// let mut service = Test::service().dag(daily {});
    /// service.at("2026-01-01T12:00:00Z").run_until("2026-01-02");
    /// let ranges = vec![SlotRange::slot("2026-01-02".parse().unwrap())];
    /// let request = BackfillRequest { ranges, ..BackfillRequest::default() };
    /// let refused = service.try_backfill("daily", &request);
    /// assert!(matches!(refused, Err(OpsError::NothingToBackfill { .. })));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start_backfill`](crate::ops::start_backfill).
    #[track_caller]
    pub fn try_backfill(&mut self, dag: &str, request: &BackfillRequest) -> Result<i64, OpsError> {
        let (served, note) = (self.served(dag), by_the_test(""));
        let started = at_once(ops::start_backfill(self.journal.journal(), served, request, None, &note))?;
        let number = started.status.number;
        self.note(&format!("{dag}: backfill {number} starts with {}", started.preview.totals));
        Ok(number)
    }

    /// Pauses a backfill: none of its runs starts until it is resumed.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # use std::time::Duration;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// # #[dag(schedule = "@daily")]
    /// # fn refilled(#[param(default = |run| run.day())] day: Date) -> String { load(day) }
    /// let hour = Duration::from_secs(3600);
    /// let mut service = Test::service().dag_with(refilled {}, |test| test.takes(load {}, hour));
    /// service.at("2026-03-01T00:30:00Z");
    /// let backfill = service.backfill("refilled", "2026-02-01", "2026-02-10");
    /// service.run_until("2026-03-01T02:00:00Z").pause_backfill(backfill).run_until("2026-03-01T12:00:00Z");
    /// assert_eq!(service.backfill_status(backfill).pending, 8);
    /// service.resume_backfill(backfill).run_until("2026-03-01T13:30:00Z").cancel_backfill(backfill, true);
    /// service.run_until("2026-03-01T14:00:00Z");
    /// let counts = service.backfill_status(backfill).counts;
    /// assert_eq!((counts.success, counts.cancelled, counts.dropped), (3, 1, 6));
    /// ```
    #[track_caller]
    pub fn pause_backfill(&mut self, number: i64) -> &mut Self {
        done(at_once(ops::pause_backfill(self.journal.journal(), number, &by_the_test(""))));
        self.note(&format!("backfill {number} is paused"));
        self
    }

    /// Resumes a backfill that is paused: see [`pause_backfill`](ServiceTest::pause_backfill).
    #[track_caller]
    pub fn resume_backfill(&mut self, number: i64) -> &mut Self {
        // A build that was deployed is not the program of the test.
        let dag_of = |stored: &StoredBackfill| -> Result<&'static DagDef, OpsError> {
            let served = self.dags.iter().find(|served| served.dag.id == stored.dag);
            let foreign = || OpsError::ForeignBackfill { number: stored.number, dag: stored.dag.clone() };
            served.map(|served| served.dag).ok_or_else(foreign)
        };
        done(at_once(ops::resume_backfill_of(self.journal.journal(), number, dag_of, &by_the_test(""))));
        self.note(&format!("backfill {number} is resumed"));
        self
    }

    /// Cancels a backfill: its pending slots are dropped. Active runs continue unless `running` is
    /// set. See [`pause_backfill`](ServiceTest::pause_backfill).
    #[track_caller]
    pub fn cancel_backfill(&mut self, number: i64, running: bool) -> &mut Self {
        done(at_once(ops::cancel_backfill(self.journal.journal(), number, running, &by_the_test(""), None)));
        self.note(&format!("backfill {number} is cancelled"));
        self
    }
}
