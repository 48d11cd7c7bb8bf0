//! Runs take turns: a large one does not hold back a small one.
#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use std::sync::atomic::{AtomicUsize, Ordering};

use taskflow::engine::Engine;
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, finish};

use crate::support::{build, count, engine, start, workers};

/// The tasks of a large run: enough that a worker can lose its core for a while.
const LARGE: usize = 100_000;

/// F1: a large run is under way when a small one starts, also beside programs that keep all cores
/// busy; the small one does not wait for its end.
fn assert_fair(engine: &Engine, large: &Dag<()>, small: &Dag<()>, seen: &AtomicUsize, started: &Gate, release: &Gate) {
    let large = start(large, engine);
    started.pass();
    let small = start(small, engine);
    release.open();
    assert!(finish(small).is_success());
    let before = seen.load(Ordering::SeqCst);
    assert!(before < LARGE / 2, "the small run had to wait for {before} tasks of the large one");
    assert!(finish(large).is_success());
}

macro_rules! fair {
    ($name:ident, $engine:expr, large: $large:ident, small: $small:ident) => {
        #[test]
        fn $name() {
            static RAN: AtomicUsize = AtomicUsize::new(0);
            // How many tasks of the large run had run when the last task of the small one ran.
            static SEEN: AtomicUsize = AtomicUsize::new(usize::MAX);
            static STARTED: Gate = Gate::new();
            static RELEASE: Gate = Gate::new();
            #[task]
            fn first() {
                STARTED.open();
                RELEASE.pass();
            }
            #[task]
            fn sync() {
                RAN.fetch_add(1, Ordering::SeqCst);
            }
            #[task]
            async fn later() {
                RAN.fetch_add(1, Ordering::SeqCst);
            }
            #[task]
            fn small_sync(_before: Option<()>) {
                SEEN.store(RAN.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            #[task]
            async fn small_later(_before: Option<()>) {
                SEEN.store(RAN.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            let _ = (sync::def(), later::def(), small_sync::def(), small_later::def());
            let large = build(|| {
                let first = first();
                for _ in 0..LARGE {
                    $large().after(first);
                }
                first
            });
            let small = build(|| $small($small($small(None))));
            assert_fair(&$engine, &large, &small, &SEEN, &STARTED, &RELEASE);
        }
    };
}

fair!(a_large_run_does_not_hold_back_a_small_one_on_one_worker, workers(1), large: sync, small: small_sync);
fair!(a_large_run_does_not_hold_back_a_small_one_on_two_workers, workers(2), large: sync, small: small_sync);
fair!(a_large_run_does_not_hold_back_an_async_one, workers(1), large: sync, small: small_later);
fair!(
    a_large_async_run_does_not_hold_back_a_small_one_under_a_limit,
    engine(|engine| engine.workers(count(1)).max_active_tasks(count(1))),
    large: later,
    small: small_later
);
fair!(
    a_large_async_run_does_not_hold_back_a_sync_one_under_a_limit,
    engine(|engine| engine.workers(count(1)).max_active_tasks(count(1))),
    large: later,
    small: small_sync
);
fair!(
    a_large_run_does_not_hold_back_an_async_one_under_a_limit,
    engine(|engine| engine.workers(count(1)).max_active_tasks(count(1))),
    large: sync,
    small: small_later
);

#[test]
fn many_concurrent_runs_all_finish() {
    #[task]
    fn number(n: u64) -> u64 {
        n
    }
    #[task]
    async fn double(n: u64) -> u64 {
        tokio::task::yield_now().await;
        n * 2
    }
    #[task(blocking)]
    fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }
    let dags: Vec<Dag<u64>> =
        (1..=50u64).map(|size| build(|| sum((0..size).map(|n| double(number(n))).collect::<Vec<_>>()))).collect();
    for workers_and_limit in [(1, None), (2, Some(3)), (4, None)] {
        let (number, limit) = workers_and_limit;
        let engine = engine(|engine| {
            let engine = engine.workers(count(number));
            limit.map_or(engine.clone(), |limit| engine.max_active_tasks(count(limit)))
        });
        let handles: Vec<_> = dags.iter().map(|dag| start(dag, &engine)).collect();
        for (size, handle) in (1u64..).zip(handles) {
            assert_eq!(finish(handle).result(), Some(&(size * (size - 1))));
        }
    }
}
