//! The calling convention between the engine and tasks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use smallvec::SmallVec;

use super::TaskContext;
use crate::base::BoxError;
use crate::value::{AnyValue, into_owned, into_shared};

/// The result of calling a task: its value, or the error it returned.
pub type Produced = Result<AnyValue, BoxError>;

/// A boxed `Send` future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The inputs of an attempt, in the order of the parameters. Each can be taken once.
#[derive(Default)]
pub struct Inputs(SmallVec<[Option<AnyValue>; 3]>);

impl Inputs {
    /// Adds the next input.
    #[inline]
    pub fn push(&mut self, value: AnyValue) {
        self.0.push(Some(value));
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops the inputs that were not taken.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Replaces the `index`-th input.
    pub(crate) fn replace(&mut self, index: usize, value: AnyValue) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(value);
        }
    }

    /// Takes the `index`-th input by value: moved if this is the last handle, cloned otherwise.
    ///
    /// # Panics
    ///
    /// If it was already taken or is not a `T`; generated code does neither.
    pub fn owned<T: Clone + Send + Sync + 'static>(&mut self, index: usize) -> T {
        into_owned(self.take(index))
    }

    /// Takes the `index`-th input for borrowing.
    ///
    /// # Panics
    ///
    /// Like [`Inputs::owned`].
    pub fn shared<T: Send + Sync + 'static>(&mut self, index: usize) -> Arc<T> {
        into_shared(self.take(index))
    }

    /// Takes the `index`-th input with its type erased.
    pub(crate) fn erased(&mut self, index: usize) -> AnyValue {
        self.take(index)
    }

    #[inline]
    fn take(&mut self, index: usize) -> AnyValue {
        self.0.get_mut(index).and_then(Option::take).expect("each input of a task is taken once")
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inputs({})", self.0.len())
    }
}

/// The body of a task that returns its first input unchanged, whatever its type.
pub(crate) fn pass_on(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    Ok(inputs.erased(0))
}
