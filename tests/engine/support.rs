//! Engines, runs and graphs of the tests about what runs at once.

use std::num::NonZeroUsize;

use taskflow::engine::{Engine, EngineBuilder, RunHandle};
use taskflow::prelude::*;
use taskflow::{DagOptions, Value};
use taskflow_tests::common::Gate;

taskflow::pool!("three", slots = 3);
taskflow::pool!("one", slots = 1);

pub(crate) fn build<T: Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("limits", body).expect("the graph is sound")
}

pub(crate) fn with_limit<T: Value>(tasks: u32, body: impl FnOnce() -> Output<T>) -> Dag<T> {
    let mut options = DagOptions::NONE;
    options.max_active_tasks = Some(tasks);
    Dag::build_with("limited", options, body).expect("the graph is sound")
}

pub(crate) fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not zero")
}

pub(crate) fn engine(configure: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Engine {
    configure(Engine::builder()).build().expect("the pools are declared")
}

pub(crate) fn workers(number: usize) -> Engine {
    engine(|engine| engine.workers(count(number)))
}

pub(crate) fn start<T: Value>(dag: &Dag<T>, engine: &Engine) -> RunHandle<T> {
    dag.run().engine(engine).start().expect("the graph is sound")
}

/// Opens its gate when it is dropped.
pub(crate) struct OpensWhenDropped(pub(crate) &'static Gate);

impl Drop for OpensWhenDropped {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Calls a task `count` times and returns the last output.
pub(crate) fn many<T>(times: usize, mut task: impl FnMut() -> Output<T>) -> Output<T> {
    let all: Vec<Output<T>> = (0..times).map(|_| task()).collect();
    all[times - 1]
}

/// A task of each kind, which counts itself and waits until `expected` were inside at least once.
macro_rules! kinds {
    ($meter:ident, $expected:expr) => {
        static $meter: Meter = Meter::new();
        #[task]
        fn sync() {
            let _inside = $meter.enter();
            $meter.wait_for($expected);
        }
        #[task]
        async fn later() {
            let _inside = $meter.enter();
            while $meter.entered() < $expected {
                tokio::task::yield_now().await;
            }
        }
        #[task(blocking)]
        fn blocking() {
            let _inside = $meter.enter();
            $meter.wait_for($expected);
        }
    };
}
pub(crate) use kinds;
