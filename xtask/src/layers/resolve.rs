//! From a path to the module that defines what it names, through re-exports.

use super::references::References;
use super::tree::{ModuleId, Tree};

/// Re-exports of re-exports are followed this far.
const DEPTH: usize = 16;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Module(ModuleId),
    /// Something the module defines; or an unknown name in it, which a macro may define.
    ItemOf(ModuleId),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver<'a> {
    pub(super) tree: &'a Tree,
    pub(super) references: &'a References,
}

impl Resolver<'_> {
    /// What `path`, from the root of the crate, leads to.
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
            // A module and a function may share a name; the end of a path rather means the function.
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
