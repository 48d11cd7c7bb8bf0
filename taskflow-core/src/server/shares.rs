//! What nobody may take alone: so much of it for each owner who is known by name.
//!
//! A user is one owner, whatever they are known by: several tokens and sessions give no larger
//! share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::auth::Owner;

/// The shares of all owners.
#[derive(Debug)]
pub(super) struct Shares {
    each: usize,
    of: Mutex<HashMap<Owner, Arc<Semaphore>>>,
}

impl Shares {
    pub(super) fn new(each: usize) -> Self {
        Shares { each, of: Mutex::default() }
    }

    /// The share of an owner.
    pub(super) fn of(&self, owner: &Owner) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if !of.contains_key(owner) {
            // Nobody holds or waits for the others.
            of.retain(|_, share| Arc::strong_count(share) > 1);
        }
        Arc::clone(of.entry(owner.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_forgotten_when_nobody_needs_them() {
        let shares = Shares::new(2);
        for name in 0..100 {
            drop(shares.of(&Owner::User(name.to_string())).try_acquire_owned().unwrap());
        }
        assert!(shares.of.lock().unwrap().len() <= 1);
    }
}
