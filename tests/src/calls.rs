//! How often something was called.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::common::locked;

/// Counts calls by name. Made for statics, because a task has no other way to reach its test.
pub struct Calls(Mutex<BTreeMap<String, u32>>);

impl Calls {
    pub const fn new() -> Self {
        Calls(Mutex::new(BTreeMap::new()))
    }

    /// Counts a call, and returns how many there were with it.
    pub fn call(&self, name: &str) -> u32 {
        let mut calls = locked(&self.0);
        let count = calls.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// How many calls there were.
    pub fn of(&self, name: &str) -> u32 {
        locked(&self.0).get(name).copied().unwrap_or(0)
    }
}
