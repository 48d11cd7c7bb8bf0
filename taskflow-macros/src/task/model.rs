//! What is known of a task once its function and its options have been understood.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Ident, Signature, Type, Visibility};

use crate::attrs::Attrs;
use crate::option::Options;

pub(crate) struct Task {
    /// The path of the facade crate.
    pub(crate) krate: TokenStream,
    pub(crate) attrs: Attrs,
    pub(crate) vis: Visibility,
    /// As written, without doc comments on parameters.
    pub(crate) sig: Signature,
    pub(crate) body: TokenTree,
    pub(crate) id: String,
    /// The description, as an expression.
    pub(crate) doc: TokenStream,
    pub(crate) kind: Kind,
    pub(crate) params: Vec<Param>,
    pub(crate) output: Return,
    /// Whether it is a `#[sensor]`; its function returns an `Option` of the output.
    pub(crate) is_sensor: bool,
    pub(crate) options: Options,
    pub(crate) shape: Shape,
}

/// How much of the function can be a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it.
    Sound,
    /// Its signature is wrong: a stand-in keeps its name and its types, so that its callers compile.
    Broken,
    /// It is a method, or `main`: it stays as it was written.
    Untouched,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sync,
    Blocking,
    Async,
}

/// A parameter, in the order in which they are written.
pub(crate) enum Param {
    Context,
    Input(Input),
    /// One that was reported; callers may pass anything.
    Broken(Ident),
}

pub(crate) struct Input {
    pub(crate) name: Ident,
    /// The owned form: `Vec<T>` for `&[T]`, `String` for `&str`.
    pub(crate) ty: Box<Type>,
    pub(crate) passing: Passing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// `T`
    Value,
    /// `&T`, `&[T]`, `&str`
    Reference,
}

pub(crate) enum Return {
    Nothing,
    Plain(Box<Type>),
    /// `Result<T>` or `Result<T, E>`, of any crate.
    Result {
        ok: Box<Type>,
        err: Option<Box<Type>>,
    },
    /// A `Result` whose arguments hide in an alias.
    Alias(Box<Type>),
}
