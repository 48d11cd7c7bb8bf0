//! What attempts and the ends of runs emit.
//!
//! 1. A task emits an event: the thread of the task encodes the payload and writes a large one to a
//!    file. The event is a [note](super::notes) of the attempt.
//! 2. The value of a task with `produces` is an event as well, and that of the result of the DAG
//!    is one that is emitted when the run ends in success. Both are prepared where the value is
//!    encoded.
//! 3. When the attempt is reported as a success, under the lock of the engine, the recorder
//!    receives its events together with the entry of the success, so that the journal stores both
//!    or neither. The events of any other attempt are dropped.

use super::attempt::Instance;
use super::report::returned;
use super::run_shared::RunShared;
use crate::base::{Failure, catch};
use crate::dag::NodeIndex;
use crate::run::{Emission, Encoded, Stored};
use crate::task::{EmitRequest, Pushed};
use crate::value::AnyValue;

/// Above this size in bytes a payload that was encoded elsewhere goes to a file.
const LARGE: usize = 48 << 10;

/// What the success of an attempt emits besides the events of its notes.
#[derive(Debug, Default)]
pub(crate) struct Emits {
    /// The event of `produces`.
    pub(crate) produced: Option<Emission>,
    /// The payload of the event that the run emits if it ends in success.
    pub(crate) result: Option<Stored>,
}

impl RunShared {
    /// An event of the task instance with this id, with its payload encoded. Blocks on the disk if
    /// the payload is large.
    ///
    /// # Errors
    ///
    /// Why the payload cannot be stored.
    pub(super) fn emission(&self, task: &str, request: EmitRequest) -> Result<Emission, Failure> {
        let EmitRequest { asset, partition, key, value, on_change } = request;
        let named = || format!("{task}:{asset}");
        let value_ty = value.ty();
        let stored = match (&self.recorder, &value) {
            (Some(recorder), Pushed::Live(ty, live)) => {
                match catch(|| recorder.encode(&named(), *ty, live)).and_then(std::convert::identity)? {
                    Encoded::Inline(bytes) => Stored::Inline(bytes),
                    Encoded::Large(bytes) => recorder.spill_payload(&named(), &bytes)?,
                }
            }
            (Some(recorder), Pushed::Stored(_, bytes)) if bytes.len() > LARGE => {
                recorder.spill_payload(&named(), bytes)?
            }
            (_, value) => {
                let encoded = catch(|| value.encode())?;
                Stored::Inline(encoded.map_err(|reason| Failure::Error { chain: vec![reason], retryable: false })?)
            }
        };
        let (task, at) = (Some(task.to_owned()), self.clock.now());
        Ok(Emission { asset, partition, key, ty: value_ty, value: stored, task, at, on_change })
    }

    /// Whether the value of a node is the result of the DAG.
    #[inline]
    fn is_result(&self, node: NodeIndex) -> bool {
        self.plan.result().is_some_and(|source| source.as_task() == Some(node))
    }

    /// The result of the DAG as it is stored, from the value of its task. A value that is in a file
    /// of the run is not copied.
    ///
    /// # Errors
    ///
    /// Why it cannot be stored.
    fn result_payload(&self, value: &AnyValue, stored: &Stored) -> Result<Option<Stored>, Failure> {
        if self.plan.result_projection().is_none() {
            return Ok(Some(stored.clone()));
        }
        // A projection that fails leaves the run without a result. The report says why.
        let Ok(projected) = returned(&self.plan, value.clone()) else { return Ok(None) };
        self.encoded_result(&projected)
    }

    /// The result of the DAG as it is stored, encoded.
    ///
    /// # Errors
    ///
    /// Why it cannot be stored.
    pub(super) fn encoded_result(&self, result: &AnyValue) -> Result<Option<Stored>, Failure> {
        let Some(recorder) = &self.recorder else { return Ok(None) };
        let (id, ty) = (self.plan.id(), self.plan.result_type());
        Ok(Some(match catch(|| recorder.encode(id, ty, result)).and_then(std::convert::identity)? {
            Encoded::Inline(bytes) => Stored::Inline(bytes),
            Encoded::Large(bytes) => recorder.spill(id, &bytes)?,
        }))
    }

    /// The event of the result of the DAG, with this payload.
    pub(super) fn result_emission(&self, value: Stored) -> Emission {
        Emission {
            asset: crate::asset::of_dag(self.plan.id()),
            partition: None,
            key: None,
            ty: self.plan.result_type().short(),
            value,
            task: None,
            at: self.clock.now(),
            on_change: false,
        }
    }
}

/// Adds to a success what it emits: the event of `produces`, and the payload of the result of the
/// DAG. `stored` is the value as the journal stores it.
///
/// # Errors
///
/// Why a payload cannot be stored: that is a failure of the task.
pub(super) fn emits(
    run: &RunShared,
    task: &Instance,
    value: &AnyValue,
    stored: Option<&Stored>,
) -> Result<Option<Box<Emits>>, Failure> {
    let is_result = stored.is_some() && run.is_result(task.node);
    if !is_result && !run.has_products {
        return Ok(None);
    }
    let def = run.plan.def(task.node);
    let produced = def.produces.as_ref().map(|production| {
        let value = match stored {
            // It is encoded already.
            Some(Stored::Inline(bytes)) => Pushed::Stored(def.output.short(), bytes.as_slice().into()),
            _ => Pushed::Live(def.output, value.clone()),
        };
        let request = catch(|| production.request(&run.info, value))?;
        run.emission(task.id(&run.plan), request)
    });
    let produced = produced.transpose()?;
    let result = match stored {
        Some(stored) if is_result => run.result_payload(value, stored)?,
        _ => None,
    };
    Ok((produced.is_some() || result.is_some()).then(|| Box::new(Emits { produced, result })))
}
