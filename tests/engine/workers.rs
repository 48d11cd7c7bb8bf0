//! Workers wake up when there is work, and end with their engine.

use taskflow::engine::Engine;
use taskflow::prelude::*;
use taskflow_tests::common::{self, Meter, eventually, live, patiently};

use crate::support::{build, many, start, workers};

/// Small runs one after the other, in which whoever comes last must wake whoever sleeps.
#[test]
fn no_wake_up_is_lost_in_many_small_runs() {
    #[task]
    fn sync(n: u32) -> u32 {
        n + 1
    }
    #[task]
    async fn later(n: u32) -> u32 {
        n + 1
    }
    #[task(blocking)]
    fn blocking(n: u32) -> u32 {
        n + 1
    }
    #[task]
    fn sum(numbers: &[u32]) -> u32 {
        numbers.iter().sum()
    }
    let dag = build(|| {
        let first = sync(0);
        sum([sync(later(first)), later(blocking(first)), blocking(sync(first)), sync(sync(first))])
    });
    for number in [1, 2, 4] {
        let engine = workers(number);
        for _ in 0..200 {
            assert_eq!(live(dag.run().engine(&engine)).result(), Some(&12));
        }
    }
}

/// Several threads start runs on one engine while it goes to sleep and wakes.
#[test]
fn runs_can_be_started_from_many_threads_at_once() {
    #[task]
    fn sync(n: u32) -> u32 {
        n + 1
    }
    #[task]
    async fn later(n: u32) -> u32 {
        n + 1
    }
    let engine = workers(2);
    let ended = patiently(move || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4u32)
                .map(|thread| {
                    let engine = &engine;
                    scope.spawn(move || {
                        let dag = build(|| later(sync(sync(later(thread)))));
                        (0..100).filter(|_| start(&dag, engine).wait().result() == Some(&(thread + 4))).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
        })
    });
    assert_eq!(ended, Some(400));
}

#[test]
fn the_global_engine_serves_runs_that_name_no_other() {
    #[task]
    fn one() -> u32 {
        1
    }
    let dag = build(one);
    assert_eq!(live(dag.run()).result(), Some(&1));
    assert_eq!(live(dag.run().engine(Engine::global())).result(), Some(&1));
}

/// "Threads are started when there is work for them .. the threads end when the last handle and the
/// last run are gone."
#[test]
#[cfg(target_os = "linux")]
fn the_threads_of_an_engine_end_with_it() {
    common::in_a_separate_process("workers::the_threads_of_an_engine_end_with_it", || {
        fn threads() -> usize {
            let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process");
            let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            // The kernel cuts names to fifteen bytes.
            names.filter(|name| name.starts_with("taskflow-")).count()
        }
        static BOTH: Meter = Meter::new();
        #[task]
        fn sync() {
            let _inside = BOTH.enter();
            BOTH.wait_for(2);
        }
        #[task(retries = 1, retry_delay = "1ms")]
        async fn later(ctx: &TaskContext) -> Result<()> {
            if ctx.attempt() == 1 { Err("again")? } else { Ok(()) }
        }
        let engine = workers(2);
        assert_eq!(threads(), 0, "none before there is work");
        let dag = build(|| {
            many(2, sync);
            later()
        });
        assert!(live(dag.run().engine(&engine)).is_success());
        assert!(threads() >= 2);
        drop(engine);
        eventually("the threads are gone", || threads() == 0);
    });
}
