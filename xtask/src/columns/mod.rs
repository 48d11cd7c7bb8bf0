//! The width of prose: comments in Rust files and the text of Markdown files.
//!
//! | module | purpose |
//! |---|---|
//! | [`comments`] | finds the line comments of a Rust file |
//! | [`blocks`] | splits prose into paragraphs and lines that must not change |
//! | [`wrap`] | breaks the words of a paragraph into lines |
//! | [`passage`] | checks and re-wraps one piece of prose |
//! | [`document`] | splits a file into passages, and verifies that only whitespace changes |
//!
//! The checker and the re-wrapper share one rule: a line of a paragraph is too wide if re-wrapping
//! the paragraph would change it. So a line that cannot be broken (such as a long URL) is never
//! reported, and a second run of the re-wrapper changes nothing.

mod blocks;
mod comments;
mod document;
mod passage;
mod wrap;

pub(crate) use document::{Document, Language};

/// The widest line of prose, in characters.
pub(crate) const PROSE: usize = 100;
/// The widest line of code, which is also rustfmt's. It applies to code in documentation comments
/// and to lines where a comment follows code.
pub(crate) const CODE: usize = 120;

/// The width of a line, in characters.
fn width(text: &str) -> usize {
    text.chars().count()
}
