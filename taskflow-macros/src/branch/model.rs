//! What is known of a branch once it has been understood.

use proc_macro2::TokenStream;
use syn::{Expr, Ident, Pat};

pub(crate) struct Branch {
    /// The path of the facade crate.
    pub(crate) krate: TokenStream,
    /// What gives the value to branch on.
    pub(crate) on: Expr,
    /// At least one.
    pub(crate) arms: Vec<Arm>,
}

pub(crate) struct Arm {
    /// Without what a branch cannot have.
    pub(crate) pattern: Pat,
    /// The same without bindings: what it matches.
    pub(crate) shape: Pat,
    /// What the pattern binds, in order: an `Output` each.
    pub(crate) bindings: Vec<Ident>,
    /// How the node of the arm is called: `Small` for `Route::Small(order)`.
    pub(crate) label: String,
    pub(crate) body: Expr,
}

impl Arm {
    /// Whether nothing is to be done: `Route::Nothing => {}`.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.body, Expr::Block(block) if block.label.is_none() && block.block.stmts.is_empty())
    }
}
