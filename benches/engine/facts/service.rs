//! The service: from a slot to its run, from an event to the next DAG, what it costs when nothing
//! happens, the preview of a backfill, and the pure step.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use taskflow::graph::{DagDef, DagOptions};
use taskflow::journal::Journal;
use taskflow::ops::preview_backfill;
use taskflow::prelude::*;
use taskflow::schedule::{BackfillRequest, Recurrence, Schedule, ScheduleSource, Situation, Zone, step};
use taskflow::service::{Service, ServiceEvent, ServiceOptions};
use taskflow::{Durability, Engine, Registry};

use super::process::scratch;
use super::{Fact, Problem, round};
use crate::machine;

#[task]
fn nothing() {}

#[dag]
fn empty() {
    nothing();
}

/// The time at which it ends.
#[task]
fn stamp() -> i64 {
    Timestamp::now().as_nanos()
}

#[dag]
fn producer() -> i64 {
    stamp()
}

/// As it was measured apart from this bench: `docs/performance.md` has the method.
const AIRFLOW: &str = "1.1 s, of which 0.6 to 0.7 s pass until the next turn of its scheduler";

/// How long after the end of the task of `producer` the task of `receiver` starts.
static RECEIVED: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

#[task]
fn receive(sent: &Event<i64>) {
    let took = Timestamp::now().since(Timestamp::from_nanos(sent.value));
    RECEIVED.lock().unwrap_or_else(PoisonError::into_inner).push(took);
}

#[dag(max_active_runs = 4)]
fn receiver(#[event(producer)] sent: Event<i64>) {
    receive(sent);
}

/// The times of the events of a service.
#[derive(Debug, Default)]
struct Seen {
    /// From a slot until its run was stored, and until it had started.
    stored: Vec<Duration>,
    started: Vec<Duration>,
}

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = scratch("service")?;
    // A home that has been served before would catch up on the slots since then.
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let idle = |dags: usize| runtime.block_on(idle(&folder.join(format!("idle{dags}")), dags));
    // Before anything else has taken memory.
    let preview = runtime.block_on(preview(&folder.join("preview")))?;
    let idle_hundred = idle(100)?;
    let one = runtime.block_on(served(&folder.join("one"), 1, "every 1s", Duration::from_secs(30)))?;
    let many = runtime.block_on(served(&folder.join("many"), 1_000, "every 10s", Duration::from_secs(45)))?;
    let events = runtime.block_on(events(&folder.join("events")))?;
    Ok(vec![
        Fact {
            what: "slot to run stored, one DAG each second",
            measured: percentiles(&one.stored),
            budget: "p99 20 ms",
        },
        Fact { what: "slot to run started, one DAG each second", measured: percentiles(&one.started), budget: "" },
        Fact {
            what: "slot to run stored, 1,000 DAGs due at once",
            measured: percentiles(&many.stored),
            budget: "200 ms for all",
        },
        Fact { what: "slot to run started, 1,000 DAGs due at once", measured: percentiles(&many.started), budget: "" },
        Fact {
            what: "end of a task to the first task of the next DAG",
            measured: percentiles(&events),
            budget: "p99 5 ms",
        },
        Fact {
            what: "the same in Airflow 3.3.2, from one task to the next of a run",
            measured: AIRFLOW.to_owned(),
            budget: "",
        },
        Fact { what: "an idle service of 100 DAGs", measured: idle_hundred, budget: "1 % of a core, 60 MB" },
        Fact { what: "an idle service of 10,000 DAGs", measured: idle(10_000)?, budget: "" },
        Fact {
            what: "a preview of a backfill over five years of minutes",
            measured: preview,
            budget: "3 s of the processor, 20 MB",
        },
        Fact {
            what: "a day of minute slots of 1,000 DAGs, decided by the pure step",
            measured: round(decided(1_000, Duration::from_secs(86_400))),
            budget: "",
        },
        Fact {
            what: "ten years of minute slots of one DAG, decided by the pure step",
            measured: round(decided(1, Duration::from_secs(3_652 * 86_400))),
            budget: "5 s",
        },
    ])
}

/// DAGs with one task and this schedule.
fn dags(count: usize, schedule: &'static str) -> Vec<&'static DagDef> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);

    let base = empty::def();
    let dag = |_| {
        let id: &'static str = format!("bench_{}", SERIAL.fetch_add(1, Ordering::Relaxed)).leak();
        let mut options = DagOptions::NONE;
        options.schedule = Some(ScheduleSource::Text(schedule));
        let dag: &'static DagDef = Box::leak(Box::new(DagDef {
            id,
            module: base.module,
            doc: base.doc,
            location: base.location,
            options,
            params: base.params,
            result: base.result,
            trace: base.trace,
            plan: OnceLock::new(),
        }));
        Registry::register(dag);
        dag
    };
    (0..count).map(dag).collect()
}

/// Serves DAGs for some time.
async fn served(home: &Path, count: usize, schedule: &'static str, time: Duration) -> Result<Seen, Problem> {
    let journal = Journal::open(home).await?;
    let engine = Engine::builder().build()?;
    let options = ServiceOptions {
        with_schedules: true,
        grace: Duration::from_secs(5),
        durability: Durability::Strict,
        max_active_runs: taskflow::ops::DEFAULT_MAX_ACTIVE_RUNS,
    };
    let service = Service::new(home, &journal, &engine, dags(count, schedule), options)?;
    let seen = Mutex::new(Seen::default());
    let stop = async {
        tokio::time::sleep(time).await;
        "the measurement is over".to_owned()
    };
    let report = |event| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            ServiceEvent::Due { slot, .. } => seen.stored.push(Timestamp::now().since(slot)),
            ServiceEvent::Started { run, .. } => seen.started.push(Timestamp::now().since(run.info.logical_date)),
            _ => {}
        }
    };
    service.run(stop, report).await;
    journal.close().await?;
    Ok(seen.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The times from the end of a task to the first task of the DAG that consumes its result.
async fn events(home: &Path) -> Result<Vec<Duration>, Problem> {
    const RUNS: usize = 200;

    let journal = Journal::open(home).await?;
    let engine = Engine::builder().build()?;
    let options = ServiceOptions {
        with_schedules: true,
        grace: Duration::from_secs(5),
        durability: Durability::Strict,
        max_active_runs: taskflow::ops::DEFAULT_MAX_ACTIVE_RUNS,
    };
    let dags = vec![producer::def(), receiver::def()];
    let service = Service::new(home, &journal, &engine, dags, options)?;
    let stop = async {
        // A new consumer begins with the events after its first turn.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..RUNS {
            if let Err(error) = producer::run().journal(&journal).engine(&engine).await {
                return error.to_string();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        "the measurement is over".to_owned()
    };
    service.run(stop, |_| {}).await;
    journal.close().await?;
    Ok(std::mem::take(&mut *RECEIVED.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// What a service of DAGs costs that are due once a year: of a core, after its first turn, and
/// memory.
async fn idle(home: &Path, count: usize) -> Result<String, Problem> {
    const TIME: Duration = Duration::from_secs(20);

    let journal = Journal::open(home).await?;
    let engine = Engine::builder().build()?;
    let options = ServiceOptions {
        with_schedules: true,
        grace: Duration::from_secs(5),
        durability: Durability::Strict,
        max_active_runs: taskflow::ops::DEFAULT_MAX_ACTIVE_RUNS,
    };
    let service = Service::new(home, &journal, &engine, dags(count, "@yearly"), options)?;
    let used = Mutex::new((Duration::ZERO, 0));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let before = cpu();
        tokio::time::sleep(TIME).await;
        *used.lock().unwrap_or_else(PoisonError::into_inner) = (cpu().saturating_sub(before), resident());
        "the measurement is over".to_owned()
    };
    service.run(stop, |_| {}).await;
    journal.close().await?;
    let (used, resident) = *used.lock().unwrap_or_else(PoisonError::into_inner);
    let percent = 100.0 * used.as_secs_f64() / TIME.as_secs_f64();
    Ok(format!("{percent:.2} % of a core, {} MB", resident / 1_000_000))
}

/// What a preview of a backfill of 2,629,440 slots without runs costs: time of the processor, time,
/// and the memory of the process at the peak.
async fn preview(home: &Path) -> Result<String, Problem> {
    const SLOTS: u64 = 2_629_440;

    let journal = Journal::open(home).await?;
    let dag = dags(1, "* * * * *")[0];
    let ranges = vec![dag.options.slot_range("2021-03-01/2026-02-28")?];
    let request = BackfillRequest { ranges, ..BackfillRequest::default() };
    machine::forget_peak();
    let (before, started) = (cpu(), Instant::now());
    let preview = preview_backfill(Some(&journal), dag, &request).await?;
    let (used, took, peak) = (cpu().saturating_sub(before), started.elapsed(), machine::peak());
    journal.close().await?;
    if preview.totals.new != SLOTS {
        return Err(format!("the preview has {} new slots, not {SLOTS}", preview.totals.new).into());
    }
    Ok(format!("{} of the processor, {}, {} MB at the peak", round(used), round(took), peak / 1_000_000))
}

/// The memory that this process uses at present, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    1_024 * line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0)
}

/// The time of the processor that this process has used.
fn cpu() -> Duration {
    // The fields 14 and 15, in hundredths of a second; the second one, the name, is in parentheses.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// The time that it takes to decide the minute slots of DAGs, each run of which ends at once.
fn decided(dags: usize, time: Duration) -> Duration {
    let Ok(minutely) = Recurrence::parse("* * * * *", &Zone::UTC) else { return Duration::ZERO };
    let started = Instant::now();
    for _ in 0..dags {
        let schedule = Schedule::new(minutely.clone());
        let mut now: Timestamp = "2026-01-01T00:00:30Z".parse().unwrap_or(Timestamp::EPOCH);
        let end = now + time;
        let mut state = None;
        while now < end {
            let situation = Situation { now, active: 0, unsuccessful: None, failures: Vec::new() };
            let stepped = step(&schedule, state.as_ref(), &situation);
            state = Some(stepped.state);
            now = stepped.wake.unwrap_or(end);
        }
    }
    started.elapsed()
}

fn percentiles(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
    match (at(0.5), at(0.99), times.last()) {
        (Some(&half), Some(&most), Some(&all)) => {
            format!("p50 {}, p99 {}, max {} of {}", round(half), round(most), round(all), times.len())
        }
        _ => "no slot was due".to_owned(),
    }
}
