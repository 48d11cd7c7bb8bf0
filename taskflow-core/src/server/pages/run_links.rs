//! Links to runs that are known by their ids.
//!
//! An address names a run by its number. The id of an old run can be the number of another run, or
//! `last`: an address with it would lead to that one.

use std::collections::HashMap;

use super::address;
use crate::ops::accounts::Right;
use crate::server::auth::Visitor;

/// The addresses of runs, each of which is looked up once.
pub(super) struct RunLinks<'v> {
    visitor: &'v Visitor,
    known: HashMap<String, String>,
}

impl<'v> RunLinks<'v> {
    pub(super) fn of(visitor: &'v Visitor) -> Self {
        RunLinks { visitor, known: HashMap::new() }
    }

    /// The address of the run with this id; empty if there is none that they may see.
    pub(super) async fn to(&mut self, run_id: &str) -> String {
        if let Some(known) = self.known.get(run_id) {
            return known.clone();
        }
        let address = match self.visitor.journal.find_id(run_id).await {
            Ok(run) if self.visitor.may(Right::View, &run.info.dag_id) => address::run(run.number),
            // It was pruned, or cannot be read: the page shows everything else.
            Ok(_) | Err(_) => String::new(),
        };
        self.known.insert(run_id.to_owned(), address.clone());
        address
    }
}
