//! The model of a branch after parsing and validation.

use proc_macro2::TokenStream;
use syn::{Expr, Ident, Pat};

pub(crate) struct Branch {
    /// The path of the facade crate.
    pub(crate) krate: TokenStream,
    /// The expression that is branched on.
    pub(crate) on: Expr,
    /// At least one.
    pub(crate) arms: Vec<Arm>,
}

pub(crate) struct Arm {
    /// The pattern, without invalid parts.
    pub(crate) pattern: Pat,
    /// The pattern with `_` in place of its bindings.
    pub(crate) match_only: Pat,
    /// The names that the pattern binds, in order. Each becomes an `Output`.
    pub(crate) bindings: Vec<Ident>,
    /// The label of the arm's node: `Small` for `Route::Small(order)`.
    pub(crate) label: String,
    pub(crate) body: Expr,
}

impl Arm {
    /// Whether the body is empty: `Route::Nothing => {}`.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.body, Expr::Block(block) if block.label.is_none() && block.block.stmts.is_empty())
    }
}
