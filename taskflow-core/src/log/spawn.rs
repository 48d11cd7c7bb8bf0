//! Handing work to other threads so that it still belongs to the attempt.
//!
//! A thread knows which attempt it works for by the span it is in, and `tokio::spawn`, `std::thread::spawn` and rayon
//! start outside of every span. What such work emits would be in no log.

use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span};

/// As `tokio::spawn`, in the current span: what the future emits goes into the log of the attempt that spawned it.
///
/// The attempt counts as over for its log when the last work that carries its span has ended.
///
/// Dropping the handle detaches the task; it is not cancelled.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::spawn` does.
///
/// ```
/// # #[tokio::main] async fn main() {
/// let handle = taskflow::spawn(async { tracing::info!("in the log of the task"); 42 });
/// assert_eq!(handle.await.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

/// As `tokio::task::spawn_blocking`, in the current span: what the function emits goes into the log of the attempt.
///
/// Dropping the handle detaches the work. A function that has started cannot be stopped.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::task::spawn_blocking` does.
///
/// ```
/// # #[tokio::main] async fn main() {
/// let handle = taskflow::spawn_blocking(|| { tracing::info!("in the log of the task"); 42 });
/// assert_eq!(handle.await.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(function: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(carry(function))
}

/// Wraps a function so that it runs in the span that is current now, on whatever thread it is called: for
/// `std::thread::spawn`, rayon and other pools.
///
/// Call it where the task is: inside the function given to `rayon::scope` or `ThreadPool::install` the thread is one of
/// the pool already, and in no span.
///
/// ```
/// let work = taskflow::carry(|| { tracing::info!("in the log of the task"); 42 });
/// assert_eq!(std::thread::spawn(work).join().unwrap(), 42);
/// ```
pub fn carry<R>(function: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let span = Span::current();
    move || span.in_scope(function)
}
