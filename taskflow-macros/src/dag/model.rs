//! What is known of a DAG once its function and its options have been understood.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Expr, Ident, LitStr, Signature, Type, Visibility};

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
    /// What follows `->`.
    pub(crate) result: Option<Type>,
    pub(crate) options: Options,
    pub(crate) shape: Shape,
}

/// How much of the function can be a DAG.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of it.
    Sound,
    /// Its signature is wrong: only the names that others may use are kept.
    Broken,
    /// It is a method, or `main`: it stays as it was written.
    Untouched,
}

pub(crate) struct Param {
    pub(crate) name: Ident,
    /// With `mut`, if it is there.
    pub(crate) binding: TokenStream,
    pub(crate) ty: Type,
    pub(crate) default: Option<Default>,
    pub(crate) range: Option<Expr>,
    pub(crate) choices: Vec<LitStr>,
    pub(crate) pattern: Option<LitStr>,
    /// The description, as an expression.
    pub(crate) help: Option<TokenStream>,
    /// Lint levels.
    pub(crate) attrs: Vec<Attribute>,
}

pub(crate) enum Default {
    /// A text, read as the command line reads it.
    Text(LitStr),
    /// A closure over the run.
    FromRun(Expr),
    /// Any other expression.
    Value(Expr),
}
