//! The tables, and the shapes of types that are not documents.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::base::time::{Date, Timestamp};

/// A type that is written as JSON of a known shape.
pub(crate) trait Schema {
    fn shape() -> Shape;
}

/// The shape of a type: a function, because a document may contain documents of its own type.
pub(crate) type Of = fn() -> Shape;

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Any,
    Text,
    Time,
    Day,
    /// A whole number.
    Integer,
    Number,
    Switch,
    List(Of),
    /// An object with any names, whose values have this shape.
    Map(Of),
    /// `null`, or this.
    Nullable(Of),
    Either(&'static [Of]),
    Words(&'static Words),
    Object(&'static Object),
    Cases(&'static Cases),
}

/// One of these texts.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) words: &'static [&'static str],
}

/// A document.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) members: &'static [Member],
    /// Documents whose members are among those of this one.
    pub(crate) flattened: &'static [Of],
}

/// A document of several kinds. A member, the tag, says which one it is, if there is one.
#[derive(Debug)]
pub(crate) struct Cases {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) tag: Option<&'static str>,
    pub(crate) cases: &'static [Case],
}

/// A kind of a document.
#[derive(Debug)]
pub(crate) struct Case {
    /// The value of the tag.
    pub(crate) word: &'static str,
    pub(crate) members: &'static [Member],
    pub(crate) flattened: &'static [Of],
}

/// A member of a document.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether it is always there. A member that may be left out is not `null` instead.
    pub(crate) is_required: bool,
    pub(crate) shape: Of,
}

macro_rules! shapes {
    ($($shape:ident: $($type:ty),*;)*) => {
        $($(
            impl Schema for $type {
                fn shape() -> Shape {
                    Shape::$shape
                }
            }
        )*)*
    };
}

shapes! {
    Any: Value;
    Text: String, str, Arc<str>, Cow<'static, str>, PathBuf;
    Time: Timestamp;
    Day: Date;
    Integer: i32, i64, u8, u16, u32, u64, usize;
    Number: f64;
    Switch: bool;
}

impl<T: Schema + ?Sized> Schema for &T {
    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn shape() -> Shape {
        Shape::List(T::shape)
    }
}

impl<T: Schema> Schema for [T] {
    fn shape() -> Shape {
        Shape::List(T::shape)
    }
}

impl<T: Schema> Schema for Option<T> {
    fn shape() -> Shape {
        Shape::Nullable(T::shape)
    }
}

/// The names are texts, or words.
impl<K, T: Schema> Schema for BTreeMap<K, T> {
    fn shape() -> Shape {
        Shape::Map(T::shape)
    }
}

impl Schema for Map<String, Value> {
    fn shape() -> Shape {
        Shape::Map(Value::shape)
    }
}

impl Schema for Duration {
    fn shape() -> Shape {
        const SECS: Member = Member { name: "secs", about: "Whole seconds", is_required: true, shape: u64::shape };
        const NANOS: Member = Member { name: "nanos", about: "The rest of it", is_required: true, shape: u32::shape };
        Shape::Object(&Object { name: "Duration", about: "A span of time.", members: &[SECS, NANOS], flattened: &[] })
    }
}
