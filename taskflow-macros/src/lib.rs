//! The attribute macros of taskflow. Use them through the facade crate `taskflow`.
//!
//! Three passes: the function and its options are parsed into a model that keeps spans, all its mistakes are collected,
//! and the model is expanded. Expansion cannot fail; where there are mistakes it gives a form of the item that keeps
//! the rest of the program compiling, so that one mistake is one message.

mod attrs;
mod crate_path;
mod cron;
mod dag;
mod duration;
mod errors;
mod function;
mod option;
mod schedule;
mod source_text;
mod spans;
mod task;
mod types;

use proc_macro::TokenStream;

/// Turns a function into a task.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand, options, item)
}

/// Turns a function into a DAG.
#[proc_macro_attribute]
pub fn dag(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(dag::expand, options, item)
}

type Expand = fn(proc_macro2::TokenStream, proc_macro2::TokenStream) -> proc_macro2::TokenStream;

/// Expands, and prints what came out when `TASKFLOW_PRINT_EXPANSION` is set.
fn drive(expand: Expand, options: TokenStream, item: TokenStream) -> TokenStream {
    let expansion = expand(options.into(), item.into());
    if std::env::var_os("TASKFLOW_PRINT_EXPANSION").is_some() {
        eprintln!("{expansion}\n");
    }
    expansion.into()
}
