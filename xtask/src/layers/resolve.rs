//! Finds the module that defines an item, through re-exports.

use super::references::References;
use super::tree::{ModuleId, Tree};

/// The longest chain of re-exports that is followed.
const DEPTH: usize = 16;

/// The target of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Module(ModuleId),
    /// An item of the module. It may be unknown, because macros define items too.
    ItemOf(ModuleId),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver<'a> {
    pub(super) tree: &'a Tree,
    pub(super) references: &'a References,
}

impl Resolver<'_> {
    /// The target of `path`, which starts at the root of the crate.
    pub(super) fn resolve(self, path: &[String]) -> Option<Target> {
        self.follow(path, DEPTH)
    }

    fn follow(self, path: &[String], depth: usize) -> Option<Target> {
        let depth = depth.checked_sub(1)?;
        let mut module = Tree::ROOT;
        for (index, name) in path.iter().enumerate() {
            let last = index + 1 == path.len();
            let known = &self.tree.modules[module];
            let uses = &self.references.uses[module];
            // A module and a function may share a name. The last name of a path then means the
            // function.
            let child = known.children.get(name);
            if let Some(child) = child
                && !(last && (known.names.contains(name) || uses.names.contains_key(name)))
            {
                module = *child;
                continue;
            }
            if known.names.contains(name) {
                return Some(Target::ItemOf(module));
            }
            if let Some(import) = uses.names.get(name).and_then(|imports| imports.first()) {
                return self.follow(&[&import[..], &path[index + 1..]].concat(), depth);
            }
            for glob in &uses.globs {
                if let Some(Target::Module(from)) = self.follow(glob, depth)
                    && self.defines(from, name, depth)
                {
                    return self.follow(&[&glob[..], &path[index..]].concat(), depth);
                }
            }
            return Some(Target::ItemOf(module));
        }
        Some(Target::Module(module))
    }

    fn defines(self, module: ModuleId, name: &str, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let known = &self.tree.modules[module];
        let uses = &self.references.uses[module];
        known.names.contains(name)
            || known.children.contains_key(name)
            || uses.names.contains_key(name)
            || uses.globs.iter().any(|glob| match self.follow(glob, depth) {
                Some(Target::Module(from)) => from != module && self.defines(from, name, depth),
                _ => false,
            })
    }
}
