//! The runtime that drives what stores wait for.
//!
//! A store is used from several runtimes and from threads without one: the writer, the dispatcher
//! of callbacks, programs. A socket or a timer works only while the runtime it was made in runs. So
//! each journal has one runtime for its store, with I/O and timers, driven by a thread of its own
//! (`taskflow-store`) from the first use until the last handle is dropped.
//!
//! 1. A store that has sockets makes them inside a task that it spawns on the handle of
//!    [`StoreRuntime::start`]. Its methods await the answer of that task, which works from every
//!    runtime.
//! 2. A thread without a runtime calls a store with [`StoreRuntime::block_on`]. It must not do so
//!    inside async code.
//! 3. The runtime never waits for its tasks when it is dropped, so the last handle may be dropped
//!    anywhere, also inside another runtime.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

/// A handle to the runtime of a store. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct StoreRuntime {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Started at the first use: a journal of a simulation never needs it.
    runtime: Mutex<Option<Runtime>>,
}

impl StoreRuntime {
    /// Starts the runtime unless it runs.
    ///
    /// # Errors
    ///
    /// When the system refuses its thread.
    pub(crate) fn start(&self) -> io::Result<Handle> {
        let mut runtime = self.inner.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let started =
            Builder::new_multi_thread().worker_threads(1).thread_name("taskflow-store").enable_all().build()?;
        let handle = started.handle().clone();
        *runtime = Some(started);
        Ok(handle)
    }

    /// Waits for a future on this thread; the runtime drives its sockets and timers.
    ///
    /// # Errors
    ///
    /// As [`StoreRuntime::start`].
    ///
    /// # Panics
    ///
    /// Inside async code.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        Ok(self.start()?.block_on(future))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for StoreRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreRuntime")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_runtime_serves_threads_outside_any_runtime() {
        let runtime = StoreRuntime::default();
        let accepted = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = tokio::spawn(tokio::net::TcpStream::connect(address));
            tokio::time::sleep(Duration::from_millis(1)).await;
            let accepted = listener.accept().await.is_ok();
            client.await.unwrap().unwrap();
            accepted
        });
        assert!(accepted.unwrap());
    }

    #[tokio::test]
    async fn the_last_handle_can_be_dropped_inside_a_runtime() {
        let runtime = StoreRuntime::default();
        let task = runtime.start().unwrap().spawn(std::future::pending::<()>());
        drop(runtime);
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
