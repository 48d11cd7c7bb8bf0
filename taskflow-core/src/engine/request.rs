//! A run asked for and not yet started.

use std::marker::PhantomData;

use crate::dag::{DagDef, Params};

/// A run asked for.
#[derive(Debug)]
#[must_use = "a run starts when it is awaited"]
pub struct RunRequest<T> {
    def: &'static DagDef,
    params: Params,
    result: PhantomData<fn() -> T>,
}

impl<T> RunRequest<T> {
    pub(crate) fn of(def: &'static DagDef, params: Params) -> Self {
        RunRequest { def, params, result: PhantomData }
    }
}
