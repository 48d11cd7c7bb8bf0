//! Edges without a value: `a >> b`, `a >> [b, c]`, `chain`, `.after(..)`.

use std::ops::Shr;
use std::panic::Location;

use super::builder::{self, Handle};
use super::each::Mapped;
use super::error::BuildError;
use super::output::Output;

/// Nodes to be ordered: an [`Output`], a [`Mapped`], or an array, slice, vector or tuple of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node of the graph",
    label = "only the outputs of tasks can be ordered",
    note = "order an `Output<T>`, a `Mapped<T>`, or an array, a `Vec` or a tuple of them"
)]
pub trait IntoNodes {
    /// Their handles.
    #[doc(hidden)]
    fn handles(&self) -> Vec<Handle>;
}

#[diagnostic::do_not_recommend]
impl<T> IntoNodes for Output<T> {
    fn handles(&self) -> Vec<Handle> {
        vec![self.handle()]
    }
}

/// The node of each element whose values it is made of: what is ordered after it waits for all
/// elements.
#[diagnostic::do_not_recommend]
impl<T> IntoNodes for Mapped<T> {
    fn handles(&self) -> Vec<Handle> {
        vec![self.handle()]
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoNodes> IntoNodes for [T] {
    fn handles(&self) -> Vec<Handle> {
        self.iter().flat_map(IntoNodes::handles).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoNodes, const N: usize> IntoNodes for [T; N] {
    fn handles(&self) -> Vec<Handle> {
        self.as_slice().handles()
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoNodes> IntoNodes for Vec<T> {
    fn handles(&self) -> Vec<Handle> {
        self.as_slice().handles()
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoNodes + ?Sized> IntoNodes for &T {
    fn handles(&self) -> Vec<Handle> {
        (**self).handles()
    }
}

/// `a >> b` runs `b` after `a` and evaluates to `b`, so that `a >> b >> c` is a chain.
impl<T, N: IntoNodes> Shr<N> for Output<T> {
    type Output = N;

    #[track_caller]
    fn shr(self, downstreams: N) -> N {
        connect(&[self.handle()], &downstreams.handles(), Location::caller());
        downstreams
    }
}

/// `mapped >> b` runs `b` after all elements.
impl<T, N: IntoNodes> Shr<N> for Mapped<T> {
    type Output = N;

    #[track_caller]
    fn shr(self, downstreams: N) -> N {
        connect(&[self.handle()], &downstreams.handles(), Location::caller());
        downstreams
    }
}

/// `[a, b] >> c` runs `c` after both.
impl<T, U, const N: usize> Shr<Output<T>> for [Output<U>; N] {
    type Output = Output<T>;

    #[track_caller]
    fn shr(self, downstream: Output<T>) -> Output<T> {
        connect(&self.handles(), &[downstream.handle()], Location::caller());
        downstream
    }
}

/// `vec >> c` runs `c` after all of them.
impl<T, U> Shr<Output<T>> for Vec<Output<U>> {
    type Output = Output<T>;

    #[track_caller]
    fn shr(self, downstream: Output<T>) -> Output<T> {
        connect(&self.handles(), &[downstream.handle()], Location::caller());
        downstream
    }
}

/// The links of a [`chain`]: a tuple of up to twelve nodes or lists of nodes, or a list of nodes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a chain of nodes",
    label = "only outputs of tasks and lists of them can be links of a chain",
    note = "pass a tuple of outputs and lists of outputs, `chain((a, [b, c], d))`, or one list of outputs"
)]
pub trait Chain {
    /// The handles, link by link.
    #[doc(hidden)]
    fn links(&self) -> Vec<Vec<Handle>>;
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($name: IntoNodes),+> IntoNodes for ($($name,)+) {
            fn handles(&self) -> Vec<Handle> {
                self.links().into_iter().flatten().collect()
            }
        }

        #[diagnostic::do_not_recommend]
        impl<$($name: IntoNodes),+> Chain for ($($name,)+) {
            #[allow(non_snake_case, reason = "a macro over the letters of the type parameters")]
            fn links(&self) -> Vec<Vec<Handle>> {
                let ($($name,)+) = self;
                vec![$($name.handles()),+]
            }
        }
    )*};
}

tuples! {
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
}

#[diagnostic::do_not_recommend]
impl<T: IntoNodes, const N: usize> Chain for [T; N] {
    fn links(&self) -> Vec<Vec<Handle>> {
        self.iter().map(IntoNodes::handles).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<T: IntoNodes> Chain for Vec<T> {
    fn links(&self) -> Vec<Vec<Handle>> {
        self.iter().map(IntoNodes::handles).collect()
    }
}

/// Orders the links one after the other, as Airflow's `chain`.
///
/// Between a single node and a list every pair is connected; between two lists of the same length
/// the nodes are connected pair by pair. Two lists of different lengths are a build error;
/// [`chain_linear`] connects those crosswise.
#[track_caller]
#[allow(
    clippy::needless_pass_by_value,
    reason = "outputs are handles; `chain((a, b))` reads better than `chain(&(a, b))`"
)]
pub fn chain(links: impl Chain) {
    let at = Location::caller();
    for pair in links.links().windows(2) {
        match (&*pair[0], &*pair[1]) {
            (from, to) if from.len() == 1 || to.len() == 1 => connect(from, to, at),
            (from, to) if from.len() == to.len() => {
                for (from, to) in from.iter().zip(to) {
                    connect(&[*from], &[*to], at);
                }
            }
            (from, to) => builder::report(BuildError::UnevenChain { left: from.len(), right: to.len(), at: at.into() }),
        }
    }
}

/// Orders the links one after the other, each node of a link before every node of the next:
/// Airflow's `chain_linear`.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "as `chain`")]
pub fn chain_linear(links: impl Chain) {
    for pair in links.links().windows(2) {
        connect(&pair[0], &pair[1], Location::caller());
    }
}

pub(super) fn connect(from: &[Handle], to: &[Handle], at: &'static Location<'static>) {
    for &upstream in from {
        for &downstream in to {
            builder::add_order(upstream, downstream, at);
        }
    }
}
