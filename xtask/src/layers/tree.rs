//! The modules of a crate, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, ExprLit, Item, Lit, Meta};

use super::conditions::only_for_tests;

/// A module in [`Tree::modules`].
pub(super) type ModuleId = usize;
/// A file in [`Tree::files`].
pub(super) type FileId = usize;

/// Every module that is not only for tests. The root is the first.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) modules: Vec<Module>,
    /// The files, as people write their paths.
    pub(super) files: Vec<String>,
    /// The documentation of the root.
    pub(super) docs: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Module {
    /// Its path from the root. That of the root is empty.
    pub(super) path: Vec<String>,
    pub(super) file: FileId,
    pub(super) children: BTreeMap<String, ModuleId>,
    /// The names of the items it defines itself.
    pub(super) names: BTreeSet<String>,
    pub(super) items: Vec<Item>,
}

impl Tree {
    pub(super) const ROOT: ModuleId = 0;

    /// Reads `lib.rs` in `src` and every file that it leads to.
    pub(super) fn load(src: &Path, shown: &str) -> Result<Self, String> {
        let mut loader = Loader { src, shown, modules: Vec::new(), files: Vec::new() };
        let attributes = loader.file(&[], &src.join("lib.rs"), src)?;
        Ok(Self { modules: loader.modules, files: loader.files, docs: docs(&attributes) })
    }

    /// The layer of a module. The root has none.
    pub(super) fn layer(&self, module: ModuleId) -> Option<&str> {
        self.modules[module].path.first().map(String::as_str)
    }

    /// The names of the modules directly below the root.
    pub(super) fn top(&self) -> impl Iterator<Item = &str> {
        self.modules[Self::ROOT].children.keys().map(String::as_str)
    }
}

struct Loader<'a> {
    src: &'a Path,
    shown: &'a str,
    modules: Vec<Module>,
    files: Vec<String>,
}

impl Loader<'_> {
    /// Adds the module `path`, which is the file `file`. The files of its children are in `dir`.
    /// Returns the attributes of the file.
    fn file(&mut self, path: &[String], file: &Path, dir: &Path) -> Result<Vec<Attribute>, String> {
        let shown = self.shown(file);
        let text = fs::read_to_string(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| format!("{shown}:{}: cannot be parsed: {error}", error.span().start().line))?;
        self.files.push(shown);
        self.module(path, self.files.len() - 1, parsed.items, dir)?;
        Ok(parsed.attrs)
    }

    fn module(&mut self, path: &[String], file: FileId, items: Vec<Item>, dir: &Path) -> Result<ModuleId, String> {
        let id = self.modules.len();
        let names = items.iter().filter_map(name).collect();
        self.modules.push(Module { path: path.to_vec(), file, children: BTreeMap::new(), names, items: Vec::new() });

        let mut own = Vec::new();
        for item in items {
            let Item::Mod(module) = item else {
                own.push(item);
                continue;
            };
            if only_for_tests(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let path: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
            let child = self.modules.len();
            match module.content {
                Some((_, items)) => {
                    self.module(&path, file, items, &dir.join(&name))?;
                }
                None => {
                    let place = self.place(&module.attrs, &name, file, dir)?;
                    self.file(&path, &place, &dir.join(&name))?;
                }
            }
            self.modules[id].children.insert(name, child);
        }
        self.modules[id].items = own;
        Ok(id)
    }

    /// The file of a module that the file `from` declares.
    fn place(&self, attributes: &[Attribute], name: &str, from: FileId, dir: &Path) -> Result<PathBuf, String> {
        let places = match attributes.iter().find_map(|attribute| string(attribute, "path")) {
            Some(path) => vec![dir.join(path)],
            None => vec![dir.join(format!("{name}.rs")), dir.join(name).join("mod.rs")],
        };
        let found = places.iter().find(|place| place.is_file()).cloned();
        found.ok_or_else(|| {
            let places: Vec<String> = places.iter().map(|place| self.shown(place)).collect();
            format!("{} declares the module `{name}`, but there is no {}", self.files[from], places.join(" or "))
        })
    }

    fn shown(&self, file: &Path) -> String {
        let path = file.strip_prefix(self.src).unwrap_or(file);
        format!("{}/{}", self.shown, path.to_string_lossy())
    }
}

/// The name an item defines.
fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The text of `#[name = "text"]`.
fn string(attribute: &Attribute, name: &str) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    match &meta.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if meta.path.is_ident(name) => Some(text.value()),
        _ => None,
    }
}

/// The lines of the documentation, each without the space after the comment marker.
fn docs(attributes: &[Attribute]) -> Vec<String> {
    let lines = attributes.iter().filter_map(|attribute| string(attribute, "doc"));
    lines.map(|line| line.strip_prefix(' ').map_or(line.clone(), str::to_owned)).collect()
}
