//! Imports that break the order of the layers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::order::Order;
use super::references::{Kind, References};
use super::resolve::{Resolver, Target};
use super::tree::Tree;

/// Describes every import of a layer that is not below the importing one, or `None`.
pub(super) fn upward(tree: &Tree, order: &Order, references: &References) -> Option<String> {
    let resolver = Resolver { tree, references };
    let mut lines = BTreeSet::new();
    // A path that begins with an imported name repeats the import.
    for reference in references.all.iter().filter(|reference| reference.kind != Kind::Expanded) {
        let module = &tree.modules[reference.module];
        let Some(from) = tree.layer(reference.module) else { continue };
        // `lib.rs` may re-export what a layer defines.
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
    let mut message = String::from("layers import what is not below them:\n");
    lines.iter().for_each(|(_, _, line)| message.push_str(line));
    let _ = write!(
        message,
        "Move what is imported to a lower layer, or let the higher layer pass it in: as an argument or behind a trait.\n\
         The documentation of {} states the order.",
        tree.files[Tree::ROOT]
    );
    Some(message)
}
