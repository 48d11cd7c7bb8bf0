//! The model of a DAG: its function and its options after parsing and validation.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Expr, Ident, LitStr, Path, Signature, Type, Visibility};

use crate::attrs::Attrs;
use crate::option::Options;

pub(crate) struct Dag {
    /// The path of the facade crate.
    pub(crate) krate: TokenStream,
    pub(crate) attrs: Attrs,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenTree,
    pub(crate) params: Vec<Param>,
    /// The type after `->`.
    pub(crate) result: Option<Type>,
    pub(crate) options: Options,
    pub(crate) expansion: Expansion,
}

/// What the function expands to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expansion {
    /// A DAG.
    Full,
    /// The signature is invalid: a placeholder with the names that callers use, so that they
    /// compile.
    Placeholder,
    /// The function is a method or `main`: itself, unchanged.
    Unchanged,
}

pub(crate) struct Param {
    pub(crate) name: Ident,
    /// The pattern of the body's parameter: the name, with its `mut`.
    pub(crate) binding: TokenStream,
    pub(crate) ty: Type,
    /// Where its events come from, if it is an event parameter.
    pub(crate) event: Option<Event>,
    /// Whether it has an `#[event(..)]`, even an invalid one.
    pub(crate) takes_events: bool,
    pub(crate) default: Option<Default>,
    pub(crate) range: Option<Expr>,
    pub(crate) choices: Vec<LitStr>,
    pub(crate) pattern: Option<LitStr>,
    /// The description, as an expression.
    pub(crate) help: Option<TokenStream>,
    /// Other attributes, such as lint levels.
    pub(crate) attrs: Vec<Attribute>,
}

/// `#[event(source, options)]`
pub(crate) struct Event {
    pub(crate) source: Source,
    pub(crate) options: Options,
}

/// Where events come from.
pub(crate) enum Source {
    /// The results of a DAG: the path of its type.
    Dag(Path),
    /// The value of an expression, such as an asset.
    Value(Expr),
}

pub(crate) enum Default {
    /// A string, parsed as on the command line.
    Text(LitStr),
    /// An array of literals for a list, and each of them as on the command line.
    List(Expr, Vec<LitStr>),
    /// A closure that takes the run.
    FromRun(Expr),
    /// Any other expression.
    Value(Expr),
}
