//! The groups of pending events: their keys, and the periods that they are a part of.

use std::collections::BTreeMap;

use super::consumers::raw;
use super::error::OpsError;
use crate::asset::{EventBinding, RawEvent};
use crate::base::ErrorKind;
use crate::dag::DagDef;
use crate::journal::{EventHead, Journal};
use crate::schedule::{ConsumerState, EventGroups};

/// How many heads are read at once, and how many payloads.
const HEADS: u32 = 10_000;
const PAYLOADS: u32 = 500;

/// The groups of the events of a DAG whose runs take one group each. They are read once and kept,
/// since a key is made of the payload.
#[derive(Debug, Default)]
pub(crate) struct GroupReader {
    inputs: Vec<EventBinding>,
    /// By asset, the groups of the events that were read, and from which event to which that is.
    groups: BTreeMap<String, EventGroups>,
    read: BTreeMap<String, (i64, i64)>,
}

impl GroupReader {
    pub(crate) fn of(dag: &DagDef) -> Self {
        let bindings = (dag.params)().into_iter().filter_map(|param| param.event);
        GroupReader { inputs: bindings.filter(EventBinding::is_grouped).collect(), ..GroupReader::default() }
    }

    /// The groups that were read, by asset.
    pub(crate) fn groups(&self) -> &BTreeMap<String, EventGroups> {
        &self.groups
    }

    /// Reads the groups of the events after the cursors; or why that of an event cannot be told.
    pub(crate) async fn read(
        &mut self,
        state: &ConsumerState,
        journal: &Journal,
    ) -> Result<Result<(), String>, OpsError> {
        for binding in &self.inputs {
            let Some(cursor) = state.cursor(&binding.asset) else { continue };
            let groups = self.groups.entry(binding.asset.clone()).or_default();
            let (from, read) = self.read.entry(binding.asset.clone()).or_insert((cursor, cursor));
            if cursor < *from {
                // Somebody has unpaused the DAG, or mended its state.
                *groups = EventGroups::default();
                *read = cursor;
            }
            *from = cursor;
            groups.events.retain(|number, _| *number > cursor);
            *read = cursor.max(*read);
            loop {
                let (events, limit) = next(binding, *read, journal).await?;
                let events = match events {
                    Ok(events) => events,
                    Err(reason) => return Ok(Err(reason)),
                };
                let count = events.len();
                for event in events {
                    let number = event.number;
                    // What is decided needs no group, and may be what its group could not be made
                    // of.
                    if !state.has_decided(&binding.asset, number) {
                        match binding.group(event) {
                            Ok(group) => groups.events.insert(number, group),
                            Err(reason) => return Ok(Err(reason)),
                        };
                    }
                    *read = number;
                }
                if count < limit as usize {
                    break;
                }
            }
            let periods: Vec<&String> = groups.events.values().map(|group| &group.key).collect();
            let known = std::mem::take(&mut groups.parts);
            for period in periods.into_iter().filter(|_| !binding.is_grouped_by_payload()) {
                if !groups.parts.contains_key(period) {
                    let parts = match known.get(period) {
                        Some(parts) => Ok(parts.clone()),
                        None => binding.parts(period),
                    };
                    match parts {
                        Ok(parts) => groups.parts.insert(period.clone(), parts),
                        Err(reason) => return Ok(Err(reason)),
                    };
                }
            }
        }
        Ok(Ok(()))
    }
}

/// The next events of an asset, with their payloads if those are asked for, and how many are read
/// at once.
async fn next(
    binding: &EventBinding,
    after: i64,
    journal: &Journal,
) -> Result<(Result<Vec<RawEvent>, String>, u32), OpsError> {
    let assets = [binding.asset.clone()];
    if !binding.is_grouped_by_payload() {
        let heads = journal.pending(&assets, after, HEADS).await?;
        let raw = |EventHead { number, emitted, partition, .. }: EventHead| RawEvent {
            number,
            at: emitted,
            partition,
            ty: String::new(),
            bytes: Vec::new(),
            run: None,
            task: None,
        };
        return Ok((Ok(heads.into_iter().map(raw).collect()), HEADS));
    }
    let heads = journal.pending(&assets, after, PAYLOADS).await?;
    let numbers: Vec<i64> = heads.iter().map(|head| head.number).collect();
    let events = match journal.events_of(&binding.asset, &numbers).await {
        Ok(events) => Ok(events.into_iter().map(raw).collect()),
        Err(error) if error.kind() == ErrorKind::Damaged => Err(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    Ok((events, PAYLOADS))
}
