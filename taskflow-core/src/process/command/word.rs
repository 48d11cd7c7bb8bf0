//! What may stand in a command: texts that are known, and outputs of tasks.

use std::fmt::Display;

use super::spec::Text;
use crate::dag::Output;
use crate::value::Value;

/// A command whose words are all known: it can be run and drawn.
#[derive(Clone, Copy, Debug)]
pub struct Known;

/// A command with the output of a task in it: it can only be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawn;

/// A text for a command of which `A` is known: `&str`, `String`, or an [`Output`] of anything that can be displayed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in a command",
    label = "neither a text nor the output of a task",
    note = "a command takes `&str`, `String` and `Output<T>` where `T: Display`; of other values make a text: `.to_string()`, or \
            `.map(|value| format!(..))` on an output"
)]
pub trait Word<A> {
    /// [`Drawn`] after an output, `A` otherwise.
    type Then;
    /// How it is kept.
    #[doc(hidden)]
    fn part(self, outputs: &mut Vec<Output<String>>) -> Part;
}

/// A word as a command keeps it.
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
        // A command of 2^32 outputs has no room anywhere.
        Part(Text::Output { output: u32::try_from(outputs.len() - 1).unwrap_or(u32::MAX) })
    }
}
