//! What a simulated run emitted.

use std::sync::Arc;

use super::outcome::Outcome;
use crate::asset::{Asset, Partition};
use crate::run::{Emission, Stored};
use crate::value::{TypeInfo, Value};

/// An event of an asset that a task emitted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EmittedEvent {
    /// The name of the asset.
    pub asset: String,
    /// The stored form of the partition.
    pub partition: Option<String>,
    /// The key of an event that is emitted once.
    pub key: Option<String>,
    /// The id of the task instance.
    pub task: String,
    /// The payload as JSON; what JSON cannot represent is text.
    pub payload: serde_json::Value,
    bytes: Vec<u8>,
}

impl EmittedEvent {
    pub(super) fn of(emission: Emission) -> Option<Self> {
        let Emission { asset, partition, key, ty, value, task, .. } = emission;
        // A simulated run has no files.
        let Stored::Inline(bytes) = value else { return None };
        let payload = crate::value::to_json(&bytes, &ty).unwrap_or_default();
        Some(EmittedEvent { asset, partition, key, task: task?, payload, bytes })
    }
}

impl<T> Outcome<T> {
    /// The events of assets that the tasks emitted, in order. An event that shares its key with an
    /// earlier one, or that is left out because nothing has changed, is missing if the test
    /// is [stored](super::Test::stored).
    pub fn events(&self) -> &[EmittedEvent] {
        &self.events
    }

    /// The payloads of the events of an asset that the tasks emitted, in order.
    ///
    /// # Panics
    ///
    /// If a payload is not a `V`: another asset has the same name.
    #[track_caller]
    pub fn emitted<V: Value, P: Partition>(&self, asset: &Asset<V, P>) -> Vec<V> {
        let ty = TypeInfo::of_value::<V>();
        let mut payloads = Vec::new();
        for event in self.events.iter().filter(|event| event.asset == asset.name()) {
            let payload = ty.decode(&event.bytes).ok().and_then(|value| value.downcast::<V>().ok());
            let Some(payload) = payload.and_then(Arc::into_inner) else {
                self.fail(&format!("an event of `{}` is not a {}", asset.name(), ty.short()));
            };
            payloads.push(payload);
        }
        payloads
    }
}
