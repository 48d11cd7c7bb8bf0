//! What the engine has of a log.

use std::path::PathBuf;
use std::sync::Arc;

use super::RunLog;
use crate::base::{Failure, Timestamp, units};
use crate::callback::DeliveryLog;
use crate::engine::{Archive, Attached, Commits, Recorder};
use crate::journal::events::PAYLOADS;
use crate::run::{AdmissionWait, Emission, Encoded, Entry, Stored};
use crate::store::NewEvent;
use crate::value::{AnyValue, TypeInfo};

/// A log as the engine sees it. The queue holds the `Arc` as well.
#[derive(Debug)]
pub(in crate::journal) struct Log(pub(in crate::journal) Arc<RunLog>);

impl Recorder for Log {
    fn attach(&self, commits: Commits) {
        let mut state = self.0.lock();
        state.commits = Some(commits);
        // The owner of the run is to be visible even if nothing happens for a while, as before a
        // retry. Without an admission nothing happens at all.
        let (size, urgent) = (state.buffer.size(), state.admission.is_some());
        self.0.queue.announce(&self.0, state, size, urgent);
        self.0.queue.hurry();
    }

    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, attached: Attached, urgent: bool) -> u64 {
        let Attached { mut value, emissions } = attached;
        let log = &self.0;
        let mut state = log.lock();
        let before = state.size();
        for (at, entry) in entries.drain(..) {
            state.note(at, &entry);
            let has_value = matches!(entry, Entry::Succeeded { .. } | Entry::Pushed { .. });
            let value = if has_value { value.take() } else { None };
            state.buffer.push(at, entry, value);
            state.recorded += 1;
        }
        for emission in emissions {
            state.events_size += size_of_val(&emission) + emission.value.inline_len();
            state.events.push(new_event(&log.run_id, emission));
        }
        let grown = state.size() - before;
        let recorded = state.recorded;
        log.queue.announce(log, state, grown, urgent);
        recorded
    }

    fn hurry(&self) {
        self.0.queue.hurry();
    }

    fn store_here(&self, engine: usize) {
        self.0.queue.store_here(engine);
    }

    fn encode(&self, task: &str, ty: TypeInfo, value: &AnyValue) -> Result<Encoded, Failure> {
        let options = &self.0.options;
        let refuse = |reason: String| Failure::Error { chain: vec![reason], retryable: false };
        let bytes = ty.encode(value).map_err(|error| {
            refuse(format!("the value of task `{task}`, a {}, cannot be stored: {error}", ty.short()))
        })?;
        if bytes.len() > options.value_limit {
            return Err(refuse(format!(
                "the value of task `{task}`, a {}, takes {} to store, and the limit is {}: return something smaller, such as \
                 the path of a file that holds it, or raise the limit",
                ty.short(),
                units::bytes(bytes.len() as u64),
                units::bytes(options.value_limit as u64)
            )));
        }
        Ok(match options.blobs {
            Some(_) if bytes.len() > options.inline_limit => Encoded::Large(bytes),
            _ => Encoded::Inline(bytes),
        })
    }

    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let Some(blobs) = &self.0.options.blobs else { return Ok(Stored::Inline(bytes.to_vec())) };
        blobs.put(&self.0.run_id, bytes).map(Stored::File).map_err(|error| {
            let reason = format!("the value of task `{task}` cannot be written: {error}");
            // A full disk is not the fault of the task: the run stops, and resuming it runs the
            // task again.
            self.0.give_up(&reason);
            Failure::Cancelled { reason }
        })
    }

    fn spill_payload(&self, event: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let Some(blobs) = &self.0.options.blobs else { return Ok(Stored::Inline(bytes.to_vec())) };
        blobs.put_shared(PAYLOADS, bytes).map(Stored::File).map_err(|error| {
            let reason = format!("the payload of event `{event}` cannot be written: {error}");
            // As a value that cannot be written.
            self.0.give_up(&reason);
            Failure::Cancelled { reason }
        })
    }

    fn pools_of(&self) -> Option<usize> {
        self.0.shares_pools.then(|| self.0.queue.store_id())
    }

    fn waits(&self) -> Option<AdmissionWait> {
        Some(self.0.lock().admission.as_ref()?.wait.clone())
    }

    fn store_wait(&self) -> Option<Arc<str>> {
        self.0.queue.store_wait()
    }

    fn over(&self) {
        // From here on another process may claim the run. The lock goes before the guard.
        let guard = {
            let mut state = self.0.lock();
            // A run that leaves before its admission leaves no trace of this process.
            state.given_up |= state.admission.is_some();
            state.guard.take()
        };
        drop(guard);
    }

    fn is_strict(&self) -> bool {
        self.0.options.durability.is_strict()
    }

    fn generation(&self, task: &str) -> u32 {
        self.0.generations.get(task).copied().unwrap_or(0)
    }

    fn number(&self) -> Option<i64> {
        self.0.number()
    }

    fn delivery_log(&self) -> Arc<dyn DeliveryLog> {
        Arc::clone(&self.0.delivery_log)
    }

    fn artifacts(&self) -> Option<PathBuf> {
        self.0.journal.artifacts_of(&self.0.run_id)
    }

    fn archive(&self) -> Option<Arc<dyn Archive>> {
        Some(Arc::new(self.0.journal.clone()))
    }
}

/// An event of a run as it is stored.
fn new_event(run_id: &str, emission: Emission) -> NewEvent {
    let Emission { asset, partition, key, ty, value, task, at, on_change } = emission;
    let (run, by) = (Some(run_id.to_owned()), String::new());
    NewEvent { asset, partition, key, ty, value, emitted: at, run, task, by, on_change }
}
