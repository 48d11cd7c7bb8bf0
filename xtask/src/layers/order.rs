//! The list of layers, read from the documentation of `lib.rs`.
//!
//! It is the first fenced block after the heading `# Layers`, from the lowest layer to the highest:
//!
//! ```text
//! base             errors, time, paths
//! dag              building a graph,
//!                  freezing it
//! spark sensors    two layers that do not import each other
//! ```
//!
//! A line begins with the name of a layer, or with the names of several that must not import each
//! other, separated by one space. Two or more spaces separate the description. A line that begins
//! with a space continues the description. `private`, which only generated code uses, and `lib.rs`
//! itself are above all listed layers and not in the list.

use std::collections::BTreeMap;

use super::tree::Tree;

const HEADING: &str = "# Layers";
/// The module that generated code uses. Like `lib.rs`, it may import everything.
const TOP: &str = "private";

/// The layers with their levels. Layers on one line have the same level.
#[derive(Debug)]
pub(super) struct Order(BTreeMap<String, usize>);

impl Order {
    /// Reads the list and compares it with the modules. The errors are complete messages.
    pub(super) fn read(tree: &Tree) -> Result<Self, Vec<String>> {
        let lib = &tree.files[Tree::ROOT];
        let Some(lines) = block(&tree.docs) else {
            return Err(vec![format!(
                "{lib} does not list its layers.\n\
                 Add the heading `{HEADING}` to its documentation, and below it a fenced block of text with one layer \
                 a line, from the lowest to the highest."
            )]);
        };

        let mut levels = BTreeMap::new();
        let mut mistakes = Vec::new();
        for (level, line) in lines.iter().enumerate() {
            for name in names(line) {
                if levels.insert(name.to_owned(), level).is_some() {
                    mistakes.push(format!("the list of layers in {lib} names `{name}` twice"));
                }
            }
        }
        let unlisted = tree.top().filter(|name| *name != TOP && !levels.contains_key(*name));
        let src = lib.strip_suffix("/lib.rs").unwrap_or(lib);
        mistakes
            .extend(unlisted.map(|name| format!("module `{name}` of {src} is not in the list of layers in lib.rs")));
        let unknown = levels.keys().filter(|name| !tree.top().any(|module| module == *name));
        mistakes
            .extend(unknown.map(|name| format!("the list of layers in {lib} names `{name}`, which is not a module")));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        levels.insert(TOP.to_owned(), lines.len());
        Ok(Self(levels))
    }

    /// The level of a layer: the higher, the later in the list.
    pub(super) fn level(&self, layer: &str) -> Option<usize> {
        self.0.get(layer).copied()
    }
}

/// The lines of the list.
fn block(docs: &[String]) -> Option<Vec<&str>> {
    let lines = docs.iter().map(|line| line.trim_end()).skip_while(|line| *line != HEADING).skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with("# ")).skip_while(|line| !line.starts_with("```"));
    lines.next()?;
    let lines = lines.take_while(|line| !line.starts_with("```"));
    Some(lines.filter(|line| !line.is_empty() && !line.starts_with(' ')).collect())
}

/// The names at the beginning of a line of the list.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split("  ").next().unwrap_or_default().split(' ')
}
