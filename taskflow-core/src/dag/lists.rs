//! Lists that are known only at run time, made from others, for use with `each`.

use std::marker::PhantomData;
use std::panic::Location;

use super::arg::{Arg, IntoArg};
use super::builder;
use super::error::BuildError;
use super::output::Output;
use crate::base::BoxError;
use crate::task::{Body, InputDef, Inputs, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, TypeInfo, Value};

impl<T: Value + Clone> Output<Vec<T>> {
    /// The elements for which the closure returns `true`, in their order. Like [`Output::map`],
    /// this is a projection and adds no node.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn days() -> Vec<u32> { vec![1, 2, 3, 4] }
    /// # #[task] fn load(day: u32) -> u32 { day }
    /// # #[task] fn sum(rows: &[u32]) -> u32 { rows.iter().sum() }
    /// # #[dag] fn even() -> u32 {
    /// let loaded = days().filter(|day| day % 2 == 0).each(load);
    /// # sum(loaded) }
    /// # assert_eq!(even::run().wait().unwrap().result(), Some(&6));
    /// ```
    #[must_use = "a projection does nothing until a task takes it"]
    pub fn filter(self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Output<Vec<T>> {
        self.map(move |list: &Vec<T>| list.iter().filter(|element| keep(element)).cloned().collect())
    }

    /// The elements in batches of this size, the last one with the rest: for work that is too short
    /// for a task per element. Like [`Output::map`], this is a projection. A size of zero is a
    /// build error.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn days() -> Vec<u32> { (1..=250).collect() }
    /// # #[task] fn load(days: Vec<u32>) -> usize { days.len() }
    /// # #[task] fn all(loaded: Vec<usize>) -> Vec<usize> { loaded }
    /// # #[dag] fn year() -> Vec<usize> {
    /// let loaded = days().batch(100).each(load); // takes a Vec<u32>
    /// # all(loaded) }
    /// # assert_eq!(year::run().wait().unwrap().result().unwrap(), &[100, 100, 50]);
    /// ```
    #[track_caller]
    #[must_use = "a projection does nothing until a task takes it"]
    pub fn batch(self, size: usize) -> Output<Vec<Vec<T>>> {
        if size == 0 {
            builder::report(BuildError::NoBatch { at: Location::caller().into() });
        }
        self.map(move |list: &Vec<T>| list.chunks(size.max(1)).map(<[T]>::to_vec).collect())
    }

    /// Pairs of the elements at the same positions. Lists of different lengths fail the task, so
    /// that no element is lost silently.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn days() -> Vec<u32> { vec![1, 2] }
    /// # #[task] fn names() -> Vec<String> { vec!["a".into(), "b".into()] }
    /// # #[task] fn load(day: u32, name: &str) -> String { format!("{name}{day}") }
    /// # #[task] fn all(loaded: &[String]) -> String { loaded.join(" ") }
    /// # #[dag] fn pairs() -> String {
    /// let loaded = days().zip(names()).each(|pair| {
    ///     let (day, name) = pair.unzip();
    ///     load(day, name)
    /// });
    /// # all(loaded) }
    /// # assert_eq!(pairs::run().wait().unwrap().result().unwrap(), "a1 b2");
    /// ```
    #[track_caller]
    pub fn zip<U: Value + Clone>(self, other: Output<Vec<U>>) -> Output<Vec<(T, U)>> {
        add(self, other, const { &Two::<T, U>::ZIP })
    }

    /// The elements of this list, and then those of the other.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn new() -> Vec<u32> { vec![1, 2] }
    /// # #[task] fn old() -> Vec<u32> { vec![3] }
    /// # #[task] fn load(day: u32) -> u32 { day }
    /// # #[task] fn all(loaded: Vec<u32>) -> Vec<u32> { loaded }
    /// # #[dag] fn both() -> Vec<u32> {
    /// let loaded = new().concat(old()).each(load);
    /// # all(loaded) }
    /// # assert_eq!(both::run().wait().unwrap().result().unwrap(), &[1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn concat(self, other: Output<Vec<T>>) -> Output<Vec<T>> {
        add(self, other, const { &Two::<T, T>::CONCAT })
    }

    /// Every pair of an element of this list and one of the other: first those of the first
    /// element, then those of the second, and so on.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn days() -> Vec<u32> { vec![1, 2] }
    /// # #[task] fn shops() -> Vec<char> { vec!['a', 'b'] }
    /// # #[task] fn load(pair: (u32, char)) -> String { format!("{}{}", pair.1, pair.0) }
    /// # #[task] fn all(loaded: &[String]) -> String { loaded.join(" ") }
    /// # #[dag] fn grid() -> String {
    /// let loaded = days().cross(shops()).each(load);
    /// # all(loaded) }
    /// # assert_eq!(grid::run().wait().unwrap().result().unwrap(), "a1 b1 a2 b2");
    /// ```
    #[track_caller]
    pub fn cross<U: Value + Clone>(self, other: Output<Vec<U>>) -> Output<Vec<(T, U)>> {
        add(self, other, const { &Two::<T, U>::CROSS })
    }
}

/// The built-in task that makes one list of two.
#[track_caller]
fn add<T: Value, U: Value, V>(one: Output<Vec<T>>, other: Output<Vec<U>>, def: &'static TaskDef) -> Output<Vec<V>> {
    let args: [Arg; 2] = [IntoArg::<Vec<T>>::into_arg(one), IntoArg::<Vec<U>>::into_arg(other)];
    Output::new(builder::add_built_in(def, args, (one.handle().source, def.id), Location::caller()))
}

/// How two lists are combined.
struct Two<T, U>(PhantomData<(T, U)>);

impl<T: Value + Clone, U: Value + Clone> Two<T, U> {
    const ZIP: TaskDef = TaskDef {
        id: "zip",
        doc: "Pairs of the elements at the same places of two lists.",
        output: TypeInfo::of_value::<Vec<(T, U)>>(),
        body: Body::Sync(zip::<T, U>),
        inputs: Self::INPUTS,
        ..TaskDef::OWN
    };

    const CROSS: TaskDef = TaskDef {
        id: "cross",
        doc: "Every pair of an element of one list and one of another.",
        output: TypeInfo::of_value::<Vec<(T, U)>>(),
        body: Body::Sync(cross::<T, U>),
        inputs: Self::INPUTS,
        ..TaskDef::OWN
    };

    const INPUTS: &'static [InputDef] = &[
        InputDef { name: "one", ty: TypeInfo::of::<Vec<T>>() },
        InputDef { name: "other", ty: TypeInfo::of::<Vec<U>>() },
    ];
}

impl<T: Value + Clone> Two<T, T> {
    const CONCAT: TaskDef = TaskDef {
        id: "concat",
        doc: "The elements of one list, and then those of another.",
        output: TypeInfo::of_value::<Vec<T>>(),
        body: Body::Sync(concat::<T>),
        inputs: Self::INPUTS,
        ..TaskDef::OWN
    };
}

fn zip<T: Value + Clone, U: Value + Clone>(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (one, other) = (inputs.owned::<Vec<T>>(0), inputs.owned::<Vec<U>>(1));
    if one.len() != other.len() {
        let lengths = format!("{} elements and {}", one.len(), other.len());
        return Err(BoxError::from(format!(
            "lists of different lengths cannot be zipped: one has {lengths} has the other"
        )));
    }
    Ok(AnyValue::new(one.into_iter().zip(other).collect::<Vec<(T, U)>>()))
}

fn concat<T: Value + Clone>(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let mut list = inputs.owned::<Vec<T>>(0);
    list.extend(inputs.owned::<Vec<T>>(1));
    Ok(AnyValue::new(list))
}

fn cross<T: Value + Clone, U: Value + Clone>(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (one, other) = (inputs.shared::<Vec<T>>(0), inputs.shared::<Vec<U>>(1));
    let pairs = one.iter().flat_map(|one| other.iter().map(|other| (one.clone(), other.clone())));
    Ok(AnyValue::new(pairs.collect::<Vec<(T, U)>>()))
}
