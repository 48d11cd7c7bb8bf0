//! Indices with a type: a number of one kind of thing cannot index another kind.
//!
//! An index is a `u32`, in memory and in stored data. [`index_type`] declares a kind, [`IndexVec`]
//! is a vector that only this kind can index.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut, Range};

/// A kind of index.
pub(crate) trait Indexing: Copy {
    /// The index with this number.
    fn from_number(number: u32) -> Self;
    /// The number.
    fn number(self) -> u32;

    /// The index of this position.
    ///
    /// # Panics
    ///
    /// If the position does not fit into 32 bits: so many things do not fit in memory either.
    #[inline]
    fn at(position: usize) -> Self {
        Self::from_number(u32::try_from(position).expect("fewer than 2^32 things of a kind fit in memory"))
    }

    /// The position in a list of all things of this kind.
    #[inline]
    fn position(self) -> usize {
        self.number() as usize
    }
}

/// Declares a kind of index.
macro_rules! index_type {
    ($($(#[$doc:meta])* $vis:vis struct $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        #[repr(transparent)]
        $vis struct $name(u32);

        #[allow(dead_code, reason = "a kind that is not public need not use all of them")]
        impl $name {
            /// The index with this number.
            #[inline]
            $vis const fn new(number: u32) -> Self {
                $name(number)
            }

            /// The number.
            #[inline]
            $vis const fn as_u32(self) -> u32 {
                self.0
            }

            /// The position in a list of all things of this kind.
            #[inline]
            $vis const fn as_usize(self) -> usize {
                self.0 as usize
            }
        }

        impl $crate::base::index::Indexing for $name {
            #[inline]
            fn from_number(number: u32) -> Self {
                $name(number)
            }

            #[inline]
            fn number(self) -> u32 {
                self.0
            }
        }

        /// The index so many places further.
        impl std::ops::Add<u32> for $name {
            type Output = $name;

            #[inline]
            fn add(self, places: u32) -> $name {
                $name(self.0 + places)
            }
        }

        /// How many places lie between two indices.
        impl std::ops::Sub for $name {
            type Output = u32;

            #[inline]
            fn sub(self, first: $name) -> u32 {
                self.0 - first.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}
pub(crate) use index_type;

/// The indices of a range: iterating over a `Range` itself needs an unstable trait.
#[inline]
pub(crate) fn indices<I: Indexing>(range: Range<I>) -> impl ExactSizeIterator<Item = I> + DoubleEndedIterator + Clone {
    (range.start.number()..range.end.number()).map(I::from_number)
}

/// A vector with typed indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexVec<I, T> {
    items: Vec<T>,
    index: PhantomData<fn(I) -> I>,
}

impl<I: Indexing, T> IndexVec<I, T> {
    pub(crate) const fn new() -> Self {
        IndexVec { items: Vec::new(), index: PhantomData }
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Vec::with_capacity(capacity).into()
    }

    /// Adds an item and returns its index.
    pub(crate) fn push(&mut self, item: T) -> I {
        let index = self.next_index();
        self.items.push(item);
        index
    }

    pub(crate) fn extend_from_slice(&mut self, items: &[T])
    where
        T: Clone,
    {
        self.items.extend_from_slice(items);
    }

    /// The index of the item that is added next.
    pub(crate) fn next_index(&self) -> I {
        I::at(self.items.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    #[inline]
    pub(crate) fn get(&self, index: I) -> Option<&T> {
        self.items.get(index.position())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: I) -> Option<&mut T> {
        self.items.get_mut(index.position())
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.items
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    pub(crate) fn indices(&self) -> impl ExactSizeIterator<Item = I> + DoubleEndedIterator + Clone + use<I, T> {
        (0..self.next_index().number()).map(I::from_number)
    }

    /// The items with their indices.
    pub(crate) fn enumerated(&self) -> impl ExactSizeIterator<Item = (I, &T)> + DoubleEndedIterator + Clone {
        self.indices().zip(&self.items)
    }
}

impl<I: Indexing, T> Index<I> for IndexVec<I, T> {
    type Output = T;

    #[inline]
    fn index(&self, index: I) -> &T {
        &self.items[index.position()]
    }
}

impl<I: Indexing, T> IndexMut<I> for IndexVec<I, T> {
    #[inline]
    fn index_mut(&mut self, index: I) -> &mut T {
        &mut self.items[index.position()]
    }
}

impl<I, T> Default for IndexVec<I, T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<I, T> From<Vec<T>> for IndexVec<I, T> {
    fn from(items: Vec<T>) -> Self {
        IndexVec { items, index: PhantomData }
    }
}

impl<I, T> FromIterator<T> for IndexVec<I, T> {
    fn from_iter<A: IntoIterator<Item = T>>(items: A) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<I, T> IntoIterator for IndexVec<I, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, I, T> IntoIterator for &'a IndexVec<I, T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    index_type! {
        struct Fruit;
    }

    #[test]
    fn a_vector_returns_the_indices_of_its_items() {
        let mut fruits: IndexVec<Fruit, &str> = IndexVec::new();
        let (apple, pear) = (fruits.push("apple"), fruits.push("pear"));
        assert_eq!([fruits[apple], fruits[pear]], ["apple", "pear"]);
        assert_eq!(fruits.get(fruits.next_index()), None);
        assert_eq!(fruits.enumerated().last(), Some((pear, &"pear")));
        assert!(indices(apple..fruits.next_index()).eq(fruits.indices()));
    }

    #[test]
    fn an_index_is_stored_as_its_number() {
        let fruit = Fruit::new(99_999);
        let bytes = postcard::to_stdvec(&fruit).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(&99_999_u32).unwrap());
        assert_eq!(postcard::from_bytes::<Fruit>(&bytes).unwrap(), fruit);
        assert_eq!(serde_json::to_string(&fruit).unwrap(), "99999");
    }
}
