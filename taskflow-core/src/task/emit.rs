//! Emitting events of assets.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::TaskContext;
use super::host::{DetachedHost, Pushed};
use crate::asset::{Asset, Partition};
use crate::base::Failure;
use crate::base::text::bounded;
use crate::value::{AnyValue, TypeInfo, Value};

/// The most bytes of a key or a partition, and how many of a longer one are shown.
const KEY: usize = 512;
const SHOWN: usize = 64;

/// Why an event could not be emitted.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no event of asset `{asset}` can be emitted: {failure}")]
#[non_exhaustive]
pub struct EmitError {
    /// The name of the asset.
    pub asset: String,
    /// The reason.
    pub failure: Box<Failure>,
}

/// An event that an attempt emits.
#[derive(Clone)]
pub(crate) struct EmitRequest {
    pub(crate) asset: String,
    /// The stored form of the partition.
    pub(crate) partition: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) value: Pushed,
    /// Whether it is left out if the last event has the same payload.
    pub(crate) on_change: bool,
}

impl fmt::Debug for EmitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmitRequest({})", self.asset)
    }
}

impl TaskContext {
    /// Emits an event of an asset: DAGs that consume the asset can start.
    ///
    /// The event is stored together with the success of the task. An attempt that fails, is skipped
    /// or is cancelled emits nothing, and neither does a call that waits; a task that is cleared
    /// emits again. A task can emit any number of events. In a run without a journal, events are
    /// dropped.
    ///
    /// `#[task(produces = ..)]` emits the value of the task.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// taskflow::asset! {
    ///     /// Exchange rates of the day.
    ///     RATES: Asset<Vec<f64>> = "ecb/rates";
    /// }
    ///
    /// #[task]
    /// fn fetch(ctx: &TaskContext) -> Result<usize> {
    ///     let rates = vec![1.08, 0.86];
    ///     let count = rates.len();
    ///     ctx.emit(&RATES, rates)?;
    ///     Ok(count)
    /// }
    /// # fn main() -> Result<()> {
    ///
    /// let context = TaskContext::detached("fetch");
    /// fetch::call(&context)?;
    /// assert_eq!(context.emitted(&RATES), [[1.08, 0.86]]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the payload cannot be stored.
    pub fn emit<T: Value>(&self, asset: &Asset<T>, payload: T) -> Result<(), EmitError> {
        self.emit_event(asset, &(), None, payload)
    }

    /// Emits an event of a partition of an asset, such as a day. Otherwise as
    /// [`emit`](TaskContext::emit).
    ///
    /// ```
    /// use taskflow::asset::Day;
    /// use taskflow::prelude::*;
    ///
    /// taskflow::asset! {
    ///     ORDERS: Asset<u64, Day> = "warehouse/orders";
    /// }
    ///
    /// #[task]
    /// fn load(ctx: &TaskContext, files: Vec<(Date, u64)>) -> Result<()> {
    ///     for (day, rows) in files {
    ///         ctx.emit_partition(&ORDERS, day, rows)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If the payload cannot be stored, or the partition has more than 512 bytes.
    pub fn emit_partition<T: Value, P: Partition>(
        &self,
        asset: &Asset<T, P>,
        partition: impl Into<P>,
        payload: T,
    ) -> Result<(), EmitError> {
        self.emit_event(asset, &partition.into(), None, payload)
    }

    /// Emits an event of an asset unless there is one with this key: for a task that may see the
    /// same input twice. Otherwise as [`emit`](TaskContext::emit).
    ///
    /// Keys are those of the asset, whichever task or run emits. The first event with a key counts;
    /// later ones are dropped, whatever their payload. A task that is cleared does not emit again.
    ///
    /// # Errors
    ///
    /// If the payload cannot be stored, or the key has more than 512 bytes.
    pub fn emit_once<T: Value>(&self, asset: &Asset<T>, key: &str, payload: T) -> Result<(), EmitError> {
        self.emit_event(asset, &(), Some(key), payload)
    }

    /// Emits an event of a partition of an asset unless the asset has an event with this key: as
    /// [`emit_once`](TaskContext::emit_once) and [`emit_partition`](TaskContext::emit_partition).
    ///
    /// # Errors
    ///
    /// As those.
    pub fn emit_partition_once<T: Value, P: Partition>(
        &self,
        asset: &Asset<T, P>,
        partition: impl Into<P>,
        key: &str,
        payload: T,
    ) -> Result<(), EmitError> {
        self.emit_event(asset, &partition.into(), Some(key), payload)
    }

    fn emit_event<T: Value, P: Partition>(
        &self,
        asset: &Asset<T, P>,
        partition: &P,
        key: Option<&str>,
        payload: T,
    ) -> Result<(), EmitError> {
        let failed = |failure| EmitError { asset: asset.name().to_owned(), failure: Box::new(failure) };
        let partition = partition.key();
        for (what, text) in [("key", key), ("partition", partition.as_deref())] {
            if let Some(text) = text.filter(|text| text.len() > KEY) {
                let reason = format!("the {what} `{}` has more than {KEY} bytes", bounded(text, SHOWN));
                return Err(failed(Failure::Error { chain: vec![reason], retryable: false }));
            }
        }
        match &partition {
            None => tracing::info!(target: "taskflow", "emits an event of {}", asset.name()),
            Some(partition) => tracing::info!(target: "taskflow", "emits an event of {} {partition}", asset.name()),
        }
        let value = Pushed::Live(TypeInfo::of_value::<T>(), AnyValue::new(payload));
        let (asset, key) = (asset.name().to_owned(), key.map(str::to_owned));
        self.host().emit(EmitRequest { asset, partition, key, value, on_change: false }).map_err(failed)
    }

    /// The payloads that a task has emitted of an asset, for unit tests of the task with a context
    /// made by [`TaskContext::detached`].
    ///
    /// # Panics
    ///
    /// If the context belongs to a run, or a payload cannot be stored.
    pub fn emitted<T: Value, P: Partition>(&self, asset: &Asset<T, P>) -> Vec<T> {
        let around: &dyn Any = &**self.host();
        let host = around.downcast_ref::<DetachedHost>();
        let host = host.expect("`emitted` is for contexts made with `TaskContext::detached`");
        let ty = TypeInfo::of_value::<T>();
        let payload = |request: EmitRequest| {
            let bytes = request.value.encode().expect("the payload can be stored");
            let value = ty.decode(&bytes).expect("the stored payload can be read");
            let value = value.downcast::<T>().ok().and_then(Arc::into_inner);
            value.expect("the payload has the type of the asset")
        };
        host.emissions().into_iter().filter(|request| request.asset == asset.name()).map(payload).collect()
    }
}
