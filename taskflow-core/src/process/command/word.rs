//! The texts of a command: known ones, and outputs of tasks.

use std::fmt::Display;

use super::spec::Text;
use crate::dag::Output;
use crate::value::Value;

/// A command without placeholders: it can be run, or added to a DAG.
#[derive(Clone, Copy, Debug)]
pub struct Known;

/// A command with outputs of tasks: it can only be added to a DAG.
#[derive(Clone, Copy, Debug)]
pub struct Drawn;

/// A text of a command in the state `A`: `&str`, `String`, or an [`Output`] of a type that
/// implements `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a command",
    label = "neither a string nor the output of a task",
    note = "a command accepts `&str`, `String` and `Output<T>` where `T: Display`; convert other values with `.to_string()`, or \
            an output with `.map(|value| format!(..))`"
)]
pub trait Word<A> {
    /// [`Drawn`] after an output, `A` otherwise.
    type Then;
    /// Its stored form.
    #[doc(hidden)]
    fn part(self, outputs: &mut Vec<Output<String>>) -> Part;
}

/// The stored form of a text.
#[derive(Debug)]
pub struct Part(pub(crate) Text);

impl<A> Word<A> for String {
    type Then = A;
    fn part(self, _: &mut Vec<Output<String>>) -> Part {
        Part(Text::Known(self))
    }
}

impl<A> Word<A> for &String {
    type Then = A;
    fn part(self, _: &mut Vec<Output<String>>) -> Part {
        Part(Text::Known(self.clone()))
    }
}

impl<A> Word<A> for &str {
    type Then = A;
    fn part(self, _: &mut Vec<Output<String>>) -> Part {
        Part(Text::Known(self.to_owned()))
    }
}

impl<A, T: Value + Display> Word<A> for Output<T> {
    type Then = Drawn;
    fn part(self, outputs: &mut Vec<Output<String>>) -> Part {
        outputs.push(self.map(ToString::to_string));
        // 2^32 outputs do not fit into memory.
        Part(Text::Output { output: u32::try_from(outputs.len() - 1).unwrap_or(u32::MAX) })
    }
}
