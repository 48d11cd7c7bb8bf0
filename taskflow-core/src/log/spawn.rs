//! Moves work to other threads so that it still belongs to the attempt.
//!
//! The current span of a thread identifies its attempt, and `tokio::spawn`, `std::thread::spawn`
//! and rayon start outside of every span. Events of such work would not be logged.

use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span};

/// Like `tokio::spawn`, in the current span: events of the future are logged for the attempt that
/// spawned it.
///
/// The log of the attempt stays open until the last work in its span has ended.
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

/// Like `tokio::task::spawn_blocking`, in the current span: events of the function are logged for
/// the attempt.
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

/// Wraps a function so that it runs in the span that is current now, on any thread: for
/// `std::thread::spawn`, rayon and other pools.
///
/// Call it in the task itself: inside the function passed to `rayon::scope` or
/// `ThreadPool::install`, the thread already belongs to the pool and is in no span.
///
/// ```
/// let work = taskflow::carry(|| { tracing::info!("in the log of the task"); 42 });
/// assert_eq!(std::thread::spawn(work).join().unwrap(), 42);
/// ```
pub fn carry<R>(function: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let span = Span::current();
    move || span.in_scope(function)
}
