//! The model of a task: its function and its options after parsing and validation.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Ident, Signature, Type, Visibility};

use crate::attrs::Attrs;
use crate::option::Options;

pub(crate) struct Task {
    /// The path of the facade crate.
    pub(crate) krate: TokenStream,
    pub(crate) attrs: Attrs,
    pub(crate) vis: Visibility,
    /// The signature as written, without doc comments on parameters.
    pub(crate) sig: Signature,
    pub(crate) body: TokenTree,
    pub(crate) id: String,
    /// The description, as an expression.
    pub(crate) doc: TokenStream,
    pub(crate) kind: Kind,
    pub(crate) params: Vec<Param>,
    pub(crate) output: Return,
    /// Whether this is a `#[sensor]`, whose function returns an `Option` of the output.
    pub(crate) is_sensor: bool,
    pub(crate) options: Options,
    pub(crate) expansion: Expansion,
}

/// What the function expands to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expansion {
    /// A task.
    Full,
    /// The signature is invalid: a placeholder with its name and types, so that its callers
    /// compile.
    Placeholder,
    /// The function is a method or `main`: itself, unchanged.
    Unchanged,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sync,
    Blocking,
    Async,
}

/// A parameter.
pub(crate) enum Param {
    Context,
    Input(Input),
    /// An invalid one, which was reported. Callers may pass anything.
    Invalid(Ident),
}

pub(crate) struct Input {
    pub(crate) name: Ident,
    /// The owned form: `Vec<T>` for `&[T]`, `String` for `&str`, `PathBuf` for `&Path`.
    pub(crate) ty: Box<Type>,
    pub(crate) passing: Passing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// `T`
    Value,
    /// `&T`, `&[T]`, `&str`, `&Path`
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
    /// `Result` without arguments: an alias that fixes them.
    Alias(Box<Type>),
}
