//! Reports imports that violate the order of the layers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::order::Order;
use super::references::{Kind, References};
use super::resolve::{Resolver, Target};
use super::tree::Tree;

/// Describes every import from a layer that is not below the importing layer. `None` without any.
pub(super) fn upward(tree: &Tree, order: &Order, references: &References) -> Option<String> {
    let resolver = Resolver { tree, references };
    let mut lines = BTreeSet::new();
    // A path that begins with an imported name repeats the import.
    for reference in references.all.iter().filter(|reference| reference.kind != Kind::Expanded) {
        let module = &tree.modules[reference.module];
        let Some(from) = tree.layer(reference.module) else { continue };
        // A name that `lib.rs` re-exports belongs to the layer that defines it.
        let first = reference.path.first().map(String::as_str);
        let to = match first {
            Some(name) if order.level(name).is_some() => Some(name),
            Some(_) => match resolver.resolve(&reference.path) {
                Some(Target::Module(id) | Target::ItemOf(id)) => tree.layer(id),
                None => None,
            },
            None => None,
        };
        let Some(to) = to.filter(|to| *to != from) else { continue };
        let relation = match order.level(to).cmp(&order.level(from)) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal => "beside",
            std::cmp::Ordering::Greater => "above",
        };
        let (file, line) = (&tree.files[module.file], reference.line);
        let path = reference.path.join("::");
        lines.insert((
            file,
            line,
            format!("  {file}:{line}: `crate::{path}`: layer `{from}` imports layer `{to}`, which is {relation} it\n"),
        ));
    }
    if lines.is_empty() {
        return None;
    }
    let mut message = String::from("layers import from layers that are not below them:\n");
    lines.iter().for_each(|(_, _, line)| message.push_str(line));
    let _ = write!(
        message,
        "Move the imported item to a lower layer, or let the higher layer pass it in as an argument or a trait object.\n\
         The documentation of {} states the order.",
        tree.files[Tree::ROOT]
    );
    Some(message)
}
