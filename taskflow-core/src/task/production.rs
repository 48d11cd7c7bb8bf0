//! The asset that the value of a task is an event of.

use std::fmt;

use super::emit::EmitRequest;
use super::host::Pushed;
use crate::asset::{Asset, AssetDef, RunPartition};
use crate::run::RunInfo;
use crate::value::Value;

/// The option `produces`: an asset, and how the value of the task becomes an event of it.
#[derive(Clone, Copy)]
pub struct Production {
    /// The asset.
    pub asset: AssetDef,
    /// Whether there is no event if the payload is that of the last event.
    pub on_change: bool,
    /// The partition that a run is about.
    partition: fn(&RunInfo) -> Option<String>,
}

impl Production {
    /// For a task whose value is a `T`.
    pub const fn new<T: Value, P: RunPartition>(asset: Asset<T, P>, on_change: bool) -> Self {
        Production { asset: asset.def(), on_change, partition: |run| P::of_run(run).key() }
    }

    /// The event of a value.
    pub(crate) fn request(&self, run: &RunInfo, value: Pushed) -> EmitRequest {
        EmitRequest {
            asset: self.asset.name.to_owned(),
            partition: (self.partition)(run),
            key: None,
            value,
            on_change: self.on_change,
        }
    }
}

impl fmt::Debug for Production {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Production({})", self.asset.name)
    }
}
