//! The macros of taskflow. Use them through the facade crate `taskflow`.
//!
//! A macro expands in three passes. It parses the function and its options into a model that keeps
//! spans; it validates the model and collects all errors; it generates code from the model, which
//! cannot fail. After an error it generates a form of the item that lets the rest of the program
//! compile, so that one mistake causes one message.
//!
//! All options are rows of one table. The module `option` describes how to add one.
//!
//! If the environment variable `TASKFLOW_PRINT_EXPANSION` is set, the compiler prints the
//! expansions: `touch src/main.rs && TASKFLOW_PRINT_EXPANSION=1 cargo check`.
//!
//! The documentation of the macros is in `docs/`, one file each. The facade runs its examples as
//! documentation tests.

mod attrs;
mod branch;
#[allow(dead_code, unreachable_pub, reason = "the core uses all of it")]
mod clock_time;
mod crate_path;
mod cron;
mod cron_fields;
mod dag;
mod duration;
mod errors;
mod function;
mod option;
mod schedule;
mod schema;
mod size;
mod source_text;
mod spans;
mod suggest;
mod task;
#[cfg(test)]
mod tests;
mod types;

use proc_macro::TokenStream;

#[doc = include_str!("../docs/task.md")]
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand, options, item)
}

#[doc = include_str!("../docs/sensor.md")]
#[proc_macro_attribute]
pub fn sensor(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand_sensor, options, item)
}

#[doc = include_str!("../docs/dag.md")]
#[proc_macro_attribute]
pub fn dag(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(dag::expand, options, item)
}

#[doc = include_str!("../docs/branch.md")]
#[proc_macro]
pub fn branch(input: TokenStream) -> TokenStream {
    drive(|_, input| branch::expand(input), TokenStream::new(), input)
}

/// What a document of the API looks like. For the core, which has the trait.
#[doc(hidden)]
#[proc_macro_derive(Schema, attributes(schema))]
pub fn schema(item: TokenStream) -> TokenStream {
    drive(|_, item| schema::expand(item), TokenStream::new(), item)
}

type Expand = fn(proc_macro2::TokenStream, proc_macro2::TokenStream) -> proc_macro2::TokenStream;

/// Expands the macro, and prints the expansion if `TASKFLOW_PRINT_EXPANSION` is set.
fn drive(expand: Expand, options: TokenStream, item: TokenStream) -> TokenStream {
    let expansion = expand(options.into(), item.into());
    if std::env::var_os("TASKFLOW_PRINT_EXPANSION").is_some() {
        eprintln!("{expansion}\n");
    }
    expansion.into()
}
