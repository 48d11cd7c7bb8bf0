//! Labels for the elements of a list: `list.label(|x| ..).each(..)`.

use std::fmt;
use std::sync::Arc;

use super::each::{EachResult, Mapped};
use super::output::Output;
use crate::value::{AnyValue, Value};

/// A list whose elements have labels, returned by [`Output::label`].
#[must_use = "labels do nothing without tasks for the elements: add `.each(..)`"]
pub struct Labelled<T> {
    list: Output<Vec<T>>,
    labels: Labels,
}

/// The closure that labels the elements of a list.
#[derive(Clone)]
pub(crate) struct Labels(Arc<Naming>);

type Naming = dyn Fn(&AnyValue) -> Vec<String> + Send + Sync;

impl Labels {
    /// The labels of the elements, in order. Runs user code.
    pub(crate) fn of(&self, list: &AnyValue) -> Vec<String> {
        (self.0)(list)
    }
}

impl<T: Value + Clone> Output<Vec<T>> {
    /// Labels the elements for display: Airflow's `map_index_template`. Their tasks keep their ids,
    /// `load[3]`; `status` and the live view say `load[3] (2013-03)`.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn months() -> Vec<u32> { vec![1, 2, 3] }
    /// # #[task] fn load(month: u32) -> u32 { month }
    /// # #[task] fn sum(rows: &[u32]) -> u32 { rows.iter().sum() }
    /// # #[dag] fn year() -> u32 {
    /// let loaded = months().label(|month| format!("2013-{month:02}")).each(load);
    /// # sum(loaded) }
    /// # assert_eq!(year::run().wait().unwrap().result(), Some(&6));
    /// ```
    ///
    /// The closure is called when the list is there, once for each element; if it panics, the list
    /// fails.
    pub fn label<L: fmt::Display>(self, label: impl Fn(&T) -> L + Send + Sync + 'static) -> Labelled<T> {
        let labels = move |list: &AnyValue| {
            let list = list.downcast_ref::<Vec<T>>();
            list.map(|list| list.iter().map(|element| label(element).to_string()).collect()).unwrap_or_default()
        };
        Labelled { list: self, labels: Labels(Arc::new(labels)) }
    }
}

impl<T: Value + Clone> Labelled<T> {
    /// As [`Output::each`].
    #[track_caller]
    pub fn each<R: EachResult>(self, body: impl FnOnce(Output<T>) -> R) -> Mapped<R::Item> {
        self.list.each_with(Some(self.labels), body)
    }
}

impl<T> fmt::Debug for Labelled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Labelled({:?})", self.list)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Labels")
    }
}
