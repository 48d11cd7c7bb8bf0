//! Labels for the elements of a list: `list.label(|x| ..).each(..)`.

use std::fmt;
use std::sync::Arc;

use super::each::EachResult;
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

impl<T: Value + Clone> Labelled<T> {
    /// See [`Output::label`].
    pub(super) fn new<L: fmt::Display>(list: Output<Vec<T>>, label: impl Fn(&T) -> L + Send + Sync + 'static) -> Self {
        let labels = move |list: &AnyValue| {
            let list = list.downcast_ref::<Vec<T>>();
            list.map(|list| list.iter().map(|element| label(element).to_string()).collect()).unwrap_or_default()
        };
        Labelled { list, labels: Labels(Arc::new(labels)) }
    }

    /// As [`Output::each`].
    #[track_caller]
    pub fn each<R: EachResult>(self, body: impl FnOnce(Output<T>) -> R) -> R::Mapped {
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
