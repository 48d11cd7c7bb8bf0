//! The paths a module mentions: in `use` declarations, in code, in macro calls and attributes.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItem, Item, Meta, Path, Stmt, TraitItem, UseTree, VisRestricted, Visibility};

use super::conditions::only_for_tests;
use super::tokens;
use super::tree::{Module, ModuleId, Tree};

/// A path to something in the crate.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) module: ModuleId,
    /// From 1.
    pub(super) line: usize,
    /// From the root of the crate.
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A `use` of one name.
    Use,
    /// `use path::*`.
    Glob,
    /// A `pub use`, of one name or of all.
    Reexport,
    /// A path in code.
    Path,
    /// A path in code that begins with an imported name, with that name replaced by its full path.
    Expanded,
}

/// What `use` declarations bring into a module.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Each name with its full paths. With `#[cfg]` there can be several.
    pub(super) names: BTreeMap<String, Vec<Vec<String>>>,
    pub(super) globs: Vec<Vec<String>>,
}

/// Everything the modules mention.
#[derive(Debug)]
pub(super) struct References {
    pub(super) all: Vec<Reference>,
    /// For each module.
    pub(super) uses: Vec<Uses>,
}

/// Reads every module.
pub(super) fn of_tree(tree: &Tree) -> References {
    let mut references = References { all: Vec::new(), uses: Vec::new() };
    for (id, module) in tree.modules.iter().enumerate() {
        let mut imports = Imports { module, id, uses: Uses::default(), found: Vec::new() };
        module.items.iter().for_each(|item| imports.visit_item(item));
        let mut paths = Paths { module, id, uses: &imports.uses, definition: false, found: imports.found };
        module.items.iter().for_each(|item| paths.visit_item(item));
        references.all.extend(paths.found);
        references.uses.push(imports.uses);
    }
    references
}

/// The path from the root of the crate, if the first name shows that it is in the crate.
fn absolute(module: &Module, names: &[String]) -> Option<Vec<String>> {
    let (first, rest) = names.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([&module.path[..], rest].concat()),
        "super" => {
            let ups = names.iter().take_while(|name| *name == "super").count();
            let base = module.path.len().checked_sub(ups)?;
            Some([&module.path[..base], &names[ups..]].concat())
        }
        _ if module.children.contains_key(first) => Some([&module.path[..], names].concat()),
        _ => None,
    }
}

/// Skips what is compiled only for tests. For both visitors below.
macro_rules! skip_tests {
    () => {
        fn visit_item(&mut self, item: &'ast Item) {
            if !only_for_tests(item_attributes(item)) {
                visit::visit_item(self, item);
            }
        }

        fn visit_impl_item(&mut self, item: &'ast ImplItem) {
            let attributes = match item {
                ImplItem::Const(item) => &item.attrs[..],
                ImplItem::Fn(item) => &item.attrs,
                ImplItem::Type(item) => &item.attrs,
                ImplItem::Macro(item) => &item.attrs,
                _ => &[],
            };
            if !only_for_tests(attributes) {
                visit::visit_impl_item(self, item);
            }
        }

        fn visit_trait_item(&mut self, item: &'ast TraitItem) {
            let attributes = match item {
                TraitItem::Const(item) => &item.attrs[..],
                TraitItem::Fn(item) => &item.attrs,
                TraitItem::Type(item) => &item.attrs,
                TraitItem::Macro(item) => &item.attrs,
                _ => &[],
            };
            if !only_for_tests(attributes) {
                visit::visit_trait_item(self, item);
            }
        }

        fn visit_stmt(&mut self, statement: &'ast Stmt) {
            let attributes = match statement {
                Stmt::Local(local) => &local.attrs[..],
                Stmt::Macro(call) => &call.attrs,
                Stmt::Expr(Expr::Block(block), _) => &block.attrs,
                Stmt::Expr(Expr::Call(call), _) => &call.attrs,
                Stmt::Expr(Expr::MethodCall(call), _) => &call.attrs,
                _ => &[],
            };
            if !only_for_tests(attributes) {
                visit::visit_stmt(self, statement);
            }
        }

        fn visit_field(&mut self, field: &'ast syn::Field) {
            if !only_for_tests(&field.attrs) {
                visit::visit_field(self, field);
            }
        }

        fn visit_arm(&mut self, arm: &'ast syn::Arm) {
            if !only_for_tests(&arm.attrs) {
                visit::visit_arm(self, arm);
            }
        }
    };
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Collects the `use` declarations.
struct Imports<'a> {
    module: &'a Module,
    id: ModuleId,
    uses: Uses,
    found: Vec<Reference>,
}

impl<'ast> Visit<'ast> for Imports<'_> {
    skip_tests!();

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            let public = !matches!(item.vis, Visibility::Inherited);
            self.tree(&item.tree, &mut Vec::new(), public);
        }
    }
}

impl Imports<'_> {
    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>, public: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before, public);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before, public)),
            UseTree::Name(name) => self.name(before, &name.ident, &name.ident, public),
            UseTree::Rename(name) => self.name(before, &name.ident, &name.rename, public),
            UseTree::Glob(glob) => {
                if let Some(path) = absolute(self.module, before) {
                    self.uses.globs.push(path.clone());
                    self.put(glob.span().start().line, path, if public { Kind::Reexport } else { Kind::Glob });
                }
            }
        }
    }

    fn name(&mut self, before: &[String], ident: &syn::Ident, known_as: &syn::Ident, public: bool) {
        let mut names = before.to_vec();
        if ident != "self" || names.is_empty() {
            names.push(ident.to_string());
        }
        let Some(path) = absolute(self.module, &names) else { return };
        let known_as = if known_as == "self" { path.last().cloned() } else { Some(known_as.to_string()) };
        if let Some(known_as) = known_as {
            self.uses.names.entry(known_as).or_default().push(path.clone());
        }
        self.put(ident.span().start().line, path, if public { Kind::Reexport } else { Kind::Use });
    }

    fn put(&mut self, line: usize, path: Vec<String>, kind: Kind) {
        self.found.push(Reference { module: self.id, line, path, kind });
    }
}

/// Collects the paths in code.
struct Paths<'a> {
    module: &'a Module,
    id: ModuleId,
    uses: &'a Uses,
    /// Whether the visitor is inside a `macro_rules!`, whose relative paths belong to its callers.
    definition: bool,
    found: Vec<Reference>,
}

impl<'ast> Visit<'ast> for Paths<'_> {
    skip_tests!();

    fn visit_item_use(&mut self, _: &'ast syn::ItemUse) {}

    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.path(path.span().start().line, &names);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        self.definition = item.mac.path.is_ident("macro_rules");
        visit::visit_item_macro(self, item);
        self.definition = false;
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(&call.tokens);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens);
        }
    }
}

impl Paths<'_> {
    fn tokens(&mut self, tokens: &proc_macro2::TokenStream) {
        for path in tokens::paths(tokens) {
            if !self.definition || path.names[0] == "crate" {
                self.path(path.line, &path.names);
            }
        }
    }

    fn path(&mut self, line: usize, names: &[String]) {
        if names.len() > 1
            && let Some(path) = absolute(self.module, names)
        {
            return self.found.push(Reference { module: self.id, line, path, kind: Kind::Path });
        }
        for import in self.uses.names.get(&names[0]).into_iter().flatten() {
            // A single name may be that of a variable, unless it is written as a type is.
            let certain = names.len() > 1 || names[0].starts_with(char::is_uppercase);
            if certain {
                let path = [&import[..], &names[1..]].concat();
                self.found.push(Reference { module: self.id, line, path, kind: Kind::Expanded });
            }
        }
    }
}
