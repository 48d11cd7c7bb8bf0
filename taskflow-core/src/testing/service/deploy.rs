//! Another build of the program.

use super::{ServiceTest, done};
use crate::dag::{DagDef, DagOptions, PlanCell};

impl ServiceTest {
    /// Deploys another build of the program, in which a DAG has other options: another timetable,
    /// another `catchup`, an `end`. The process of the service dies as in a
    /// [`crash`](ServiceTest::crash), and the next [`run_until`](ServiceTest::run_until) starts one
    /// of the new build. Until then, who pauses or unpauses the DAG does so with the new build.
    ///
    /// `edit` changes the options that the DAG has now: those of its `#[dag(..)]`, or of the build
    /// before. Its graph, its tasks and their behaviour stay the same.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use taskflow::testing::Test;
    /// # #[task] fn load(day: Date) -> String { format!("{day}") }
    /// #[dag(schedule = "@daily")]
    /// fn daily(#[param(default = |run| run.day())] day: Date) -> String {
    ///     load(day)
    /// }
    /// let mut service = Test::service().dag(daily {});
    /// service.at("2026-01-01T12:00:00Z").run_until("2026-01-02T15:30:00Z");
    /// service.deploy("daily", |options| options.schedule = Some("@hourly".into()));
    /// service.run_until("2026-01-02T17:30:00Z");
    /// // The hours before the deploy were never due.
    /// service.assert_slots("daily", &["2026-01-02", "2026-01-02T16:00:00Z", "2026-01-02T17:00:00Z"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the options of the schedule are not valid, or the test does not serve the DAG.
    #[track_caller]
    pub fn deploy(&mut self, dag: &str, edit: impl FnOnce(&mut DagOptions)) -> &mut Self {
        let &DagDef { id, module, doc, location, mut options, params, result, trace, .. } = self.served(dag);
        edit(&mut options);
        let schedule = done(options.schedule(id)).map_or("no schedule".to_owned(), |schedule| schedule.to_string());
        // A second `#[dag]` with this id would be a mistake in the program of the test. As the
        // definition of a `#[dag]`, this one lives as long as the program.
        let plan = PlanCell::new();
        let build = DagDef { id, module, doc, location, options, params, result, trace, plan };
        let build: &'static DagDef = Box::leak(Box::new(build));
        done(build.plan());
        self.crash();
        self.dags.iter_mut().filter(|served| served.dag.id == id).for_each(|served| served.dag = build);
        self.note(&format!("{id}: another build, {schedule}"));
        self
    }
}
