//! Reports files that import each other in a cycle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::references::{Kind, References};
use super::resolve::{Resolver, Target};
use super::tree::{FileId, Tree};

/// An import of one file by another.
#[derive(Clone, Debug)]
struct Edge {
    line: usize,
    what: String,
}

/// For each file, the files it imports and where it first does.
type Graph = BTreeMap<FileId, BTreeMap<FileId, Edge>>;

/// Describes every set of files in `layers` that import each other, with a shortest cycle as an
/// example.
///
/// A `pub use` does not count as an import. It only makes a name available; a file that uses the
/// name imports the file that defines it.
pub(super) fn find(tree: &Tree, references: &References, layers: &[&str]) -> Vec<String> {
    let graph = graph(tree, references, layers);
    let mut done: BTreeSet<FileId> = BTreeSet::new();
    let mut problems = Vec::new();
    for file in graph.keys().copied() {
        if done.contains(&file) {
            continue;
        }
        let reached = reach(&graph, file);
        if !reached.contains(&file) {
            continue;
        }
        let members: Vec<FileId> = reached.into_iter().filter(|other| reach(&graph, *other).contains(&file)).collect();
        done.extend(&members);
        problems.push(describe(tree, &graph, &members));
    }
    problems
}

fn graph(tree: &Tree, references: &References, layers: &[&str]) -> Graph {
    let resolver = Resolver { tree, references };
    let checked = |module| tree.layer(module).is_some_and(|layer| layers.contains(&layer));
    let mut graph = Graph::new();
    for reference in references.all.iter().filter(|reference| checked(reference.module)) {
        let target = match (reference.kind, resolver.resolve(&reference.path)) {
            // A module that is only named is not used yet; the paths that go through it count.
            (Kind::Reexport, _) | (_, None) | (Kind::Use, Some(Target::Module(_))) => continue,
            (_, Some(Target::Module(id) | Target::ItemOf(id))) => id,
        };
        let (from, to) = (tree.modules[reference.module].file, tree.modules[target].file);
        if from != to && checked(target) {
            let edge = Edge { line: reference.line, what: reference.path.join("::") };
            graph.entry(from).or_default().entry(to).or_insert(edge);
        }
    }
    graph
}

/// The files that `from` imports, directly or not.
fn reach(graph: &Graph, from: FileId) -> BTreeSet<FileId> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        let next = graph.get(&file).into_iter().flat_map(BTreeMap::keys).copied();
        open.extend(next.filter(|file| reached.insert(*file)));
    }
    reached
}

/// The shortest way from `start` back to it: the files on it, `start` first.
fn cycle(graph: &Graph, start: FileId) -> Option<Vec<FileId>> {
    let mut before: BTreeMap<FileId, FileId> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for next in graph.get(&file).into_iter().flat_map(BTreeMap::keys).copied() {
            if next == start {
                let mut way = vec![file];
                while let Some(file) = way.last().filter(|file| **file != start).and_then(|file| before.get(file)) {
                    way.push(*file);
                }
                way.reverse();
                return Some(way);
            }
            if next != file && !before.contains_key(&next) {
                before.insert(next, file);
                open.push_back(next);
            }
        }
    }
    None
}

fn describe(tree: &Tree, graph: &Graph, members: &[FileId]) -> String {
    let shortest = members.iter().filter_map(|file| cycle(graph, *file)).min_by_key(Vec::len).unwrap_or_default();
    let mut message = format!("{} files import each other, for example in this cycle:\n", members.len());
    for (index, file) in shortest.iter().enumerate() {
        let next = shortest[(index + 1) % shortest.len()];
        if let Some(edge) = graph.get(file).and_then(|edges| edges.get(&next)) {
            let (from, to) = (&tree.files[*file], &tree.files[next]);
            let _ = writeln!(message, "  {from}:{}: `crate::{}`, defined in {to}", edge.line, edge.what);
        }
    }
    if members.len() > shortest.len() {
        let files: Vec<&str> = members.iter().map(|file| tree.files[*file].as_str()).collect();
        let _ = writeln!(message, "All of them: {}.", files.join(", "));
    }
    message.push_str("Move what several of them need to a file that imports none of them.");
    message
}
