//! Finds tasks by their ids.

use std::hash::{BuildHasher as _, RandomState};

use super::steps;

/// The slot of no task.
const FREE: u32 = u32::MAX;

/// The places of tasks, by id: a hash table that holds places only. The ids stay where they are,
/// and every call gets a function that returns the id at a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdIndex {
    /// At least twice as many as places; their number is a power of two.
    slots: Vec<u32>,
    len: usize,
    state: RandomState,
}

impl IdIndex {
    /// The index of the first `len` places. Of equal ids the first one counts.
    pub(super) fn of<'a>(len: usize, id_at: impl Fn(u32) -> &'a str) -> Self {
        let mut index = IdIndex::default();
        index.empty(len);
        (0..len as u32).for_each(|place| index.add(place, &id_at));
        index
    }

    /// The place of an id.
    pub(super) fn get<'a>(&self, id: &str, id_at: impl Fn(u32) -> &'a str) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = self.first_slot(id);
        loop {
            steps::count(1);
            match self.slots[slot] {
                FREE => return None,
                place if id_at(place) == id => return Some(place),
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// The place of an id. If it is new, it gets the next place, which is the error.
    pub(super) fn get_or_push<'a>(&mut self, id: &str, id_at: impl Fn(u32) -> &'a str) -> Result<u32, u32> {
        let next = self.len as u32;
        if 2 * (self.len + 1) > self.slots.len() {
            self.empty(self.len + 8);
            (0..next).for_each(|place| self.add(place, &id_at));
        }
        let mut slot = self.first_slot(id);
        loop {
            steps::count(1);
            match self.slots[slot] {
                FREE => break,
                place if id_at(place) == id => return Ok(place),
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        self.slots[slot] = next;
        self.len += 1;
        Err(next)
    }

    /// Empties the index and makes room for this many places.
    fn empty(&mut self, len: usize) {
        self.len = 0;
        self.slots = vec![FREE; (2 * len).next_power_of_two()];
    }

    fn add<'a>(&mut self, place: u32, id_at: &impl Fn(u32) -> &'a str) {
        let id = id_at(place);
        let mut slot = self.first_slot(id);
        self.len += 1;
        steps::count(1);
        while self.slots[slot] != FREE {
            if id_at(self.slots[slot]) == id {
                return;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = place;
    }

    fn first_slot(&self, id: &str) -> usize {
        self.state.hash_one(id) as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_at_its_first_place() {
        let ids: Vec<String> = (0..1000).map(|n| format!("task[{}]", n % 900)).collect();
        let at = |place: u32| &*ids[place as usize];
        let mut grown = IdIndex::default();
        let first: Vec<&String> = ids.iter().take(900).collect();
        for (place, id) in (0..).zip(&first) {
            assert_eq!(grown.get_or_push(id, |place| first[place as usize]), Err(place));
            assert_eq!(grown.get_or_push(id, |place| first[place as usize]), Ok(place));
        }
        for index in [IdIndex::of(ids.len(), at), grown] {
            for (place, id) in ids.iter().enumerate() {
                assert_eq!(index.get(id, at), Some(place as u32 % 900));
            }
            assert_eq!(index.get("task[900]", at), None);
        }
        assert_eq!(IdIndex::default().get("task", at), None);
    }
}
