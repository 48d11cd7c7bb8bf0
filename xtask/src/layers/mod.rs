//! The order of the layers of taskflow-core, checked against its source.
//!
//! A layer is a module directly below the root of the crate. The documentation of `lib.rs` lists
//! the layers; each may import only those listed before it.
//!
//! | module | purpose |
//! |---|---|
//! | [`order`] | the list of layers, read from the documentation |
//! | [`tree`] | the modules of the crate, read from its files |
//! | [`conditions`] | recognises code that is compiled only for tests |
//! | [`references`] | the paths that a module mentions |
//! | [`tokens`] | the paths inside macro calls and attributes |
//! | [`resolve`] | finds the module that defines an item, through re-exports |
//! | [`imports`] | reports imports that violate the order |
//! | [`cycles`] | reports files that import each other in a cycle |

mod conditions;
mod cycles;
mod imports;
mod order;
mod references;
mod resolve;
mod tokens;
mod tree;

use std::path::Path;

/// Layers whose files must not import each other in a cycle. One that does not exist is skipped.
const WITHOUT_CYCLES: &[&str] = &["run", "machine"];

/// Checks the crate whose `lib.rs` is in `src`. Returns a message for each problem. `shown`
/// replaces `src` in these messages.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub(crate) fn check(src: &Path, shown: &str) -> Result<Vec<String>, String> {
    let tree = tree::Tree::load(src, shown)?;
    let references = references::of_tree(&tree);
    let order = match order::Order::read(&tree) {
        Ok(order) => order,
        Err(mistakes) => return Ok(mistakes),
    };
    let mut problems: Vec<String> = imports::upward(&tree, &order, &references).into_iter().collect();
    problems.extend(cycles::find(&tree, &references, WITHOUT_CYCLES));
    Ok(problems)
}

#[cfg(test)]
mod tests;
