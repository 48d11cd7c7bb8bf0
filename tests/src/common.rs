//! Shared helpers: time limits instead of hanging, gates instead of sleeping, short forms of
//! reports.

pub mod rules;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::time::Duration;

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use taskflow::engine::{Event, RunHandle, RunReport, RunRequest, TaskIndex, TaskState};
use taskflow::{Dag, Value};

pub use crate::patience::PATIENCE;

/// Runs it on the live engine.
pub fn live<T: Value>(request: RunRequest<T>) -> RunReport<T> {
    finish(request.start().expect("the request has no mistake"))
}

/// Runs it on the reference driver, which has one thread and virtual time.
pub fn reference<T: Value>(request: RunRequest<T>) -> RunReport<T> {
    request.run_sequentially().expect("the request has no mistake")
}

/// Runs the graph on both drivers and shows each report to `check`.
pub fn on_both_drivers<T: Value>(dag: &Dag<T>, check: impl Fn(&RunReport<T>)) {
    both(|| dag.run(), check);
}

/// Makes the request once for each driver and shows each report to `check`.
pub fn both<T: Value>(request: impl Fn() -> RunRequest<T>, check: impl Fn(&RunReport<T>)) {
    check(&reference(request()));
    check(&live(request()));
}

/// The report of a run; a run that hangs fails the test, with the tasks that it hangs in.
pub fn finish<T: Value>(handle: RunHandle<T>) -> RunReport<T> {
    let control = handle.control();
    match patiently(move || handle.wait()) {
        Some(report) => report,
        None => {
            let running: Vec<_> = control.running().into_iter().map(|task| task.id).collect();
            panic!("the run does not come to an end; running are {running:?}");
        }
    }
}

/// Calls `function` on a thread of its own and waits for its answer as long as [`PATIENCE`] lasts.
pub fn patiently<R: Send + 'static>(function: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (sender, answer) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _ = sender.send(function());
    });
    match answer.recv_timeout(PATIENCE) {
        Ok(answer) => Some(answer),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => None,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// Looks again and again until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    let mut pauses = pauses();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::sleep(pauses());
    }
}

/// The pauses between two looks at something. Without them, a test takes the processor from what it
/// waits for. They grow from 1 to 25 milliseconds, as most things come true at once.
pub fn pauses() -> impl FnMut() -> Duration {
    let mut pause = Duration::from_micros(500);
    move || {
        pause = (pause * 2).min(Duration::from_millis(25));
        pause
    }
}

/// The state of every task, in the order of the plan: `a=success b=skipped`.
pub fn states<T>(report: &RunReport<T>) -> String {
    let states: Vec<String> = report.tasks().map(|task| format!("{}={}", task.id(), task.state())).collect();
    states.join(" ")
}

/// The state of one task.
#[track_caller]
pub fn state_of<T>(report: &RunReport<T>, id: &str) -> TaskState {
    match report.task(id) {
        Some(task) => task.state(),
        None => panic!("no task `{id}` among {}", states(report)),
    }
}

/// The failure of one task, as text.
#[track_caller]
pub fn failure_of<T>(report: &RunReport<T>, id: &str) -> String {
    let task = report.task(id).unwrap_or_else(|| panic!("no task `{id}` among {}", states(report)));
    task.failure().map_or_else(|| "none".to_owned(), |failure| failure.to_string())
}

/// The message of the panic that `function` ends with, and its place as `file:line`.
#[track_caller]
pub fn panic_of<R>(function: impl FnOnce() -> R) -> (String, String) {
    watch_panics();
    let Err(payload) = std::panic::catch_unwind(AssertUnwindSafe(function)) else { panic!("there was no panic") };
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    (text.unwrap_or_default(), PLACE.take().unwrap_or_default())
}

thread_local! {
    /// Where the last panic of the thread was, as `file:line`.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The messages of the panics of random graphs, which would fill the screen.
const HUSHED: [&str; 2] = ["a panic as drawn", "a panic as written"];

/// Notes where panics are, and does not print those that random graphs ask for.
///
/// No test sets another hook, because two that are set at once lose one of them. The engine sets
/// one with the first graph.
pub fn watch_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let _ = Dag::draw("first", |_| {});
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PLACE.set(place);
            if !info.payload_as_str().is_some_and(|message| HUSHED.contains(&message)) {
                before(info);
            }
        }));
    });
}

/// Calls `body` in a separate process, a copy of this test program that runs only the test `name`:
/// for tests that would take down all others if they failed.
#[track_caller]
pub fn in_a_separate_process(name: &'static str, body: impl FnOnce()) {
    const INSIDE: &str = "TASKFLOW_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return body();
    }
    let program = std::env::current_exe().expect("the test program has a path");
    let output =
        patiently(move || Command::new(program).args(["--exact", name, "--nocapture"]).env(INSIDE, name).output());
    let output = output.expect("the process comes to an end").expect("the process starts");
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).lines().take(10).collect::<Vec<_>>().join("\n"),
    );
}

/// The number of cases in `PROPTEST_CASES`, or else `cases`; always the same cases unless
/// `PROPTEST_RNG_SEED` is set.
pub fn cases(cases: u32) -> ProptestConfig {
    let is_set = |variable| std::env::var_os(variable).is_some();
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if !is_set("PROPTEST_CASES") {
        config.cases = cases;
    }
    if !is_set("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// Collects what an observer sees.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub fn observer(&self) -> impl FnMut(&Event) + Send + 'static {
        let log = Arc::clone(&self.0);
        move |event: &Event| locked(&log).push(event.clone())
    }

    pub fn events(&self) -> Vec<Event> {
        locked(&self.0).clone()
    }

    /// The changes of one task, `none>scheduled scheduled>running ..`.
    pub fn of_task(&self, wanted: TaskIndex) -> String {
        let changes = self.events().into_iter().filter_map(|event| match event {
            Event::Task { task, from, to, .. } if task == wanted => Some(format!("{from}>{to}")),
            _ => None,
        });
        changes.collect::<Vec<_>>().join(" ")
    }
}

/// A gate that is closed until it is opened, and then stays open. Made for statics, because a
/// task has no other way to reach its test.
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    /// Closed with the opening of the gate: what async tasks wait for.
    barrier: tokio::sync::Semaphore,
}

impl Gate {
    pub const fn new() -> Self {
        Gate { open: Mutex::new(false), opened: Condvar::new(), barrier: tokio::sync::Semaphore::const_new(0) }
    }

    pub fn open(&self) {
        *locked(&self.open) = true;
        self.opened.notify_all();
        self.barrier.close();
    }

    pub fn is_open(&self) -> bool {
        *locked(&self.open)
    }

    /// Blocks the thread until the gate is open.
    #[track_caller]
    pub fn pass(&self) {
        let (open, _) = self
            .opened
            .wait_timeout_while(locked(&self.open), PATIENCE, |open| !*open)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(*open, "nobody opened the gate");
    }

    /// Waits until the gate is open.
    pub async fn pass_async(&self) {
        // It has no permits; waiting ends when it is closed.
        let waited = tokio::time::timeout(PATIENCE, self.barrier.acquire()).await;
        assert!(waited.is_ok(), "nobody opened the gate");
    }
}

/// Counts who is inside, and how many were at once.
pub struct Meter {
    inside: AtomicUsize,
    peak: AtomicUsize,
    entered: Mutex<usize>,
    changed: Condvar,
}

impl Meter {
    pub const fn new() -> Self {
        Meter {
            inside: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            entered: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// Counts one more until the guard is dropped.
    pub fn enter(&self) -> Inside<'_> {
        self.enter_with(1)
    }

    /// Counts `weight` more until the guard is dropped.
    pub fn enter_with(&self, weight: usize) -> Inside<'_> {
        let now = self.inside.fetch_add(weight, Ordering::SeqCst) + weight;
        self.peak.fetch_max(now, Ordering::SeqCst);
        *locked(&self.entered) += 1;
        self.changed.notify_all();
        Inside { meter: self, weight }
    }

    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    pub fn entered(&self) -> usize {
        *locked(&self.entered)
    }

    /// Blocks the thread until `count` have come in, whether they left or not.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        let (entered, _) = self
            .changed
            .wait_timeout_while(locked(&self.entered), PATIENCE, |entered| *entered < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(*entered >= count, "{count} were to come, {} came", *entered);
    }
}

/// See [`Meter::enter`].
pub struct Inside<'a> {
    meter: &'a Meter,
    weight: usize,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.meter.inside.fetch_sub(self.weight, Ordering::SeqCst);
    }
}

/// The value behind the lock, whatever a panicking test did to it.
pub fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
