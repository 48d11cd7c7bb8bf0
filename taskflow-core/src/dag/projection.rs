//! Another form of a value, or a part of it, without a node: `out.map(..)`, `out.get("key")`,
//! `out.unzip()`.
//!
//! A projection belongs to an edge. The upstream's value is stored unchanged; the thread that runs
//! the consumer converts it, so that an error there is the consumer's failure. Projections chain.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::builder::{self, Draft, Handle};
use super::output::Output;
use crate::base::{Failure, nearest};
use crate::value::{AnyValue, TypeInfo, Value};

/// How an edge changes the value that it carries: one or more steps.
pub struct Projection {
    /// The origin of the value, as messages name it.
    origin: Box<str>,
    /// The first is applied first; never empty.
    steps: Box<[Step]>,
}

/// One step of a projection, as it is drawn.
#[derive(Clone)]
pub(super) struct Step {
    kind: StepKind,
    from: TypeInfo,
    to: TypeInfo,
    apply: Arc<Apply>,
}

type Apply = dyn Fn(&AnyValue) -> Result<AnyValue, Missing> + Send + Sync;

#[derive(Clone, Debug)]
enum StepKind {
    Map,
    Key(Arc<str>),
    Item(usize),
}

/// A map does not have the key; these are the keys it has.
struct Missing {
    key: Arc<str>,
    known: Vec<String>,
}

impl Projection {
    /// The steps up to that of `handle`, if it is a projected value.
    pub(super) fn of(handle: Handle, draft: &Draft, origin: impl FnOnce() -> String) -> Option<Arc<Self>> {
        let mut steps = Vec::new();
        let mut next = handle.projection;
        while let Some(place) = next {
            let (before, step) = &draft.projections[place.get() as usize - 1];
            steps.push(step.clone());
            next = *before;
        }
        steps.reverse();
        (!steps.is_empty()).then(|| Arc::new(Projection { origin: origin().into(), steps: steps.into() }))
    }

    /// The value for the consumer. A panic in a closure of the user is not caught.
    ///
    /// # Errors
    ///
    /// If a map does not have the requested key. A retry would not find it either: the value does
    /// not change.
    pub(crate) fn apply(&self, value: AnyValue) -> Result<AnyValue, Failure> {
        let mut value = value;
        for step in &self.steps {
            value = (step.apply)(&value).map_err(|missing| {
                let message = missing.message(&self.origin);
                Failure::Error { chain: vec![message], retryable: false }
            })?;
        }
        Ok(value)
    }
}

/// `map: Vec<u32> -> usize`; several steps are joined by `, then `.
impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Step { kind, from, to, .. }) in self.steps.iter().enumerate() {
            if place > 0 {
                f.write_str(", then ")?;
            }
            match kind {
                StepKind::Map => f.write_str("map")?,
                StepKind::Key(key) => write!(f, "get {key:?}")?,
                StepKind::Item(item) => write!(f, "item {item}")?,
            }
            write!(f, ": {} -> {}", from.short(), to.short())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Projection({self})")
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl Missing {
    fn message(&self, origin: &str) -> String {
        const SHOWN: usize = 20;
        let Missing { key, known } = self;
        let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
        names.sort_unstable();
        let meant = nearest(key, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        let listed: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let there = match names.len() {
            0 => "the map is empty".to_owned(),
            1 => format!("its only key is {}", listed[0]),
            _ => format!("its keys are {}{more}", listed.join(", ")),
        };
        format!("no key `{key}` in the value of {origin}: {there}{}", meant.unwrap_or_default())
    }
}

fn project<T: Value, U: Value>(
    output: Output<T>,
    kind: StepKind,
    apply: impl Fn(&T) -> Result<U, Missing> + Send + Sync + 'static,
) -> Output<U> {
    let apply = move |value: &AnyValue| {
        // The types of the handles guarantee the type of the value.
        let value = value.downcast_ref::<T>().expect("a projection is applied to the type it was made for");
        apply(value).map(|made| AnyValue::new(made))
    };
    let step = Step { kind, from: TypeInfo::of::<T>(), to: TypeInfo::of::<U>(), apply: Arc::new(apply) };
    Output::new(builder::add_projection(output.handle(), step))
}

/// The item at `place` of a tuple of any length.
pub(super) fn item<T: Value, U: Value + Clone>(output: Output<T>, place: usize, part: fn(&T) -> &U) -> Output<U> {
    project(output, StepKind::Item(place), move |tuple: &T| Ok(part(tuple).clone()))
}

/// See [`Output::map`].
pub(super) fn map<T: Value, U: Value>(
    output: Output<T>,
    closure: impl Fn(&T) -> U + Send + Sync + 'static,
) -> Output<U> {
    project(output, StepKind::Map, move |value: &T| Ok(closure(value)))
}

/// See [`Output::get`].
pub(super) fn get<T: TextMap>(output: Output<T>, key: String) -> Output<T::Item> {
    let key: Arc<str> = key.into();
    project(output, StepKind::Key(Arc::clone(&key)), move |map: &T| {
        let missing = || Missing { key: Arc::clone(&key), known: map.keys_there() };
        map.item(&key).cloned().ok_or_else(missing)
    })
}

/// A map with text keys, for [`Output::get`].
#[diagnostic::on_unimplemented(
    message = "`get` takes a value out of a map with text keys, and this is an output of `{Self}`",
    label = "not a map with text keys",
    note = "`HashMap<String, V>` and `BTreeMap<String, V>` have text keys; for other types, use `.map(|value| ..)`"
)]
pub trait TextMap: Value {
    /// The type of the values.
    type Item: Value + Clone;
    /// The value at a key.
    #[doc(hidden)]
    fn item(&self, key: &str) -> Option<&Self::Item>;
    /// Every key.
    #[doc(hidden)]
    fn keys_there(&self) -> Vec<String>;
}

#[diagnostic::do_not_recommend]
impl<V: Value + Clone, S> TextMap for HashMap<String, V, S>
where
    S: std::hash::BuildHasher + Default + Send + Sync + 'static,
{
    type Item = V;

    fn item(&self, key: &str) -> Option<&V> {
        self.get(key)
    }

    fn keys_there(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

#[diagnostic::do_not_recommend]
impl<V: Value + Clone> TextMap for BTreeMap<String, V> {
    type Item = V;

    fn item(&self, key: &str) -> Option<&V> {
        self.get(key)
    }

    fn keys_there(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// A tuple of two, three or four values, for [`Output::unzip`].
#[diagnostic::on_unimplemented(
    message = "`unzip` takes a tuple apart, and this is an output of `{Self}`",
    label = "not a tuple of two, three or four values that are `Clone`",
    note = "for a field of a struct, use `.map(|value| value.field.clone())`"
)]
pub trait Tuple: Sized {
    /// An output for each part.
    type Outputs;
    /// See [`Output::unzip`].
    #[doc(hidden)]
    fn outputs(output: Output<Self>) -> Self::Outputs;
}

macro_rules! tuples {
    ($(($($name:ident $item:tt)+))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($name: Value + Clone),+> Tuple for ($($name,)+) {
            type Outputs = ($(Output<$name>,)+);

            fn outputs(output: Output<Self>) -> Self::Outputs {
                ($(project(output, StepKind::Item($item), |tuple: &Self| Ok(tuple.$item.clone())),)+)
            }
        }
    )*};
}

tuples! {
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
}
