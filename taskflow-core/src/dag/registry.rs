//! Which DAGs and pools the binary holds.
//!
//! `#[task]`, `#[dag]` and `pool!` register themselves through the `inventory` crate. It has two
//! limits: its order is not stable (so every listing is sorted by name), and a crate that `main`
//! never names is not linked at all (so `main!(my_dags::daily)` and [`Registry::register`] exist).

use std::sync::{Mutex, PoisonError};

use super::def::DagDef;
use super::pool::PoolDef;
use crate::task::TaskDef;

/// What `#[dag]` submits.
#[derive(Debug)]
pub struct DagEntry(pub fn() -> &'static DagDef);

/// What `#[task]` submits.
#[derive(Debug)]
pub struct TaskEntry(pub fn() -> &'static TaskDef);

/// What `pool!` submits.
#[derive(Debug)]
pub struct PoolEntry(pub PoolDef);

inventory::collect!(DagEntry);
inventory::collect!(TaskEntry);
inventory::collect!(PoolEntry);

static EXPLICIT: Mutex<Vec<&'static DagDef>> = Mutex::new(Vec::new());

/// The DAGs and pools of the binary.
#[derive(Debug)]
pub struct Registry;

impl Registry {
    /// Adds a DAG by hand; one that registered itself already is not added twice.
    ///
    /// Naming a DAG of another crate here is also what makes the linker keep that crate.
    pub fn register(dag: &'static DagDef) {
        EXPLICIT.lock().unwrap_or_else(PoisonError::into_inner).push(dag);
    }

    /// Every DAG, sorted by id. Two DAGs of one id are both there.
    pub fn dags() -> Vec<&'static DagDef> {
        let mut dags: Vec<&'static DagDef> = inventory::iter::<DagEntry>().map(|entry| (entry.0)()).collect();
        dags.extend(EXPLICIT.lock().unwrap_or_else(PoisonError::into_inner).iter());
        dags.sort_by_key(|dag| (dag.id, dag.module, dag.location.line));
        dags.dedup_by(|a, b| std::ptr::eq(*a, *b));
        dags
    }

    /// Every task of the linked crates, sorted by id.
    pub fn tasks() -> Vec<&'static TaskDef> {
        let mut tasks: Vec<&'static TaskDef> = inventory::iter::<TaskEntry>().map(|entry| (entry.0)()).collect();
        tasks.sort_by_key(|task| (task.id, task.module, task.location.line));
        tasks
    }

    /// Every pool, sorted by name; of two declarations of one name the one with fewer slots counts.
    pub fn pools() -> Vec<PoolDef> {
        let mut pools: Vec<PoolDef> = inventory::iter::<PoolEntry>().map(|entry| entry.0).collect();
        pools.sort_by_key(|pool| (pool.name, pool.slots));
        pools.dedup_by_key(|pool| pool.name);
        pools
    }
}
