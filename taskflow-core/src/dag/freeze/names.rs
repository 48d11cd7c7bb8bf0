//! The ids of nodes and groups.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;

use crate::base::SourceLocation;
use crate::base::index::IndexVec;
use crate::dag::builder::{Draft, GroupDraft, Named};
use crate::dag::error::BuildError;
use crate::dag::plan::{GroupIndex, GroupPlan, Ids, NodeIndex};

/// The groups with their full names; a name used twice in one place gets a number.
pub(super) fn groups(draft: &Draft, errors: &mut Vec<BuildError>) -> IndexVec<GroupIndex, GroupPlan> {
    let mut used = HashMap::new();
    let mut groups: IndexVec<GroupIndex, GroupPlan> = IndexVec::with_capacity(draft.groups.len());
    for group in &draft.groups {
        check(&group.name, group.at.into(), errors);
        let own = numbered(&mut used, group.parent, &group.name);
        let id = match group.parent {
            Some(parent) => format!("{}.{own}", groups[parent].id),
            None => own,
        };
        let GroupDraft { parent, concurrency, retries, retry_delay, .. } = *group;
        groups.push(GroupPlan { id, parent, concurrency, retries, retry_delay });
    }
    groups
}

/// The id of each node: the one given, or the name of the task, with a number from the second use
/// on. Nodes of a branch are called after what it is on, and expand nodes after their list.
pub(super) fn ids(
    draft: &Draft,
    groups: &IndexVec<GroupIndex, GroupPlan>,
    def_of: &IndexVec<NodeIndex, u32>,
    errors: &mut Vec<BuildError>,
) -> Ids {
    let mut used = Used::default();
    let (mut named, mut labels) = (draft.named.iter().peekable(), HashMap::new());
    let mut ids = Ids::with_capacity(draft.nodes.len());
    for ((place, node), &def) in draft.nodes.enumerated().zip(def_of) {
        let after = named.next_if(|named| named.node == place);
        if let (Some(&Named { base, label, .. }), None) = (after, &node.explicit_id) {
            let label = numbered(&mut labels, Some(base), label);
            let base = match (base.as_task(), base.as_param()) {
                // A base of another graph has been reported; it has no name here.
                (Some(task), _) => ids.get(task).map(str::to_owned),
                (None, param) => param.and_then(|param| draft.params.get(param as usize).map(|&name| name.to_owned())),
            };
            ids.push(&[base.as_deref().unwrap_or("branch"), ".", &label]);
            continue;
        }
        let own = match &node.explicit_id {
            Some(id) => {
                check(id, node.at.into(), errors);
                id
            }
            None => used.next(def, node.group, node.def.id),
        };
        match node.group {
            Some(group) => ids.push(&[&groups[group].id, ".", own]),
            None => ids.push(&[own]),
        }
    }
    ids.shrink();
    if could_clash(draft) {
        let mut seen: HashMap<&str, NodeIndex> = HashMap::with_capacity(draft.nodes.len());
        for (position, id) in draft.nodes.indices().zip(ids.iter()) {
            if let Some(&first) = seen.get(id) {
                errors.push(BuildError::DuplicateId {
                    id: id.to_owned(),
                    first: draft.nodes[first].at.into(),
                    second: draft.nodes[position].at.into(),
                });
            } else {
                seen.insert(id, position);
            }
        }
    }
    ids
}

/// Numbered ids differ by construction, unless somebody chose a name that looks like one.
fn could_clash(draft: &Draft) -> bool {
    let looks_numbered = |name: &str| name.contains('.') || name.ends_with(|last: char| last.is_ascii_digit());
    let mut last = None;
    !draft.named.is_empty()
        || draft.groups.iter().any(|group| looks_numbered(&group.name))
        || draft.nodes.iter().any(|node| {
            // Neighbours mostly call the same task.
            let seen = last.replace(std::ptr::from_ref(node.def)) == Some(std::ptr::from_ref(node.def));
            node.explicit_id.is_some() || (!seen && looks_numbered(node.def.id))
        })
}

fn check(id: &str, at: SourceLocation, errors: &mut Vec<BuildError>) {
    let legal = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    if id.is_empty() || id.len() > 250 || !id.chars().all(legal) {
        errors.push(BuildError::InvalidId { id: id.to_owned(), at });
    }
}

/// `name` the first time in a group, `name_2` the second.
fn numbered<'a, P: Eq + Hash>(
    used: &mut HashMap<(Option<P>, &'a str), Numbered>,
    group: Option<P>,
    name: &'a str,
) -> String {
    used.entry((group, name)).or_default().next(name).to_owned()
}

/// The uses of a name in one place.
#[derive(Default)]
struct Numbered {
    count: u32,
    /// The id of the last use.
    last: String,
}

impl Numbered {
    /// `name` the first time, `name_2` the second.
    #[inline]
    fn next(&mut self, name: &str) -> &str {
        self.count += 1;
        // Formatting takes several times as long as counting on in the text, and a large graph has
        // a task that is called for nearly each of its nodes.
        match self.last.as_bytes().last() {
            Some(&digit) if self.count > 2 && digit < b'9' => {
                self.last.pop();
                self.last.push(char::from(digit + 1));
            }
            _ => self.write(name),
        }
        &self.last
    }

    #[cold]
    fn write(&mut self, name: &str) {
        self.last.clear();
        self.last.push_str(name);
        if self.count > 1 {
            // Writing to a `String` cannot fail.
            let _ = write!(self.last, "_{}", self.count);
        }
    }
}

/// How often each name was used in each group.
#[derive(Default)]
struct Used<'a> {
    names: Vec<Numbered>,
    place_of: HashMap<(Option<GroupIndex>, &'a str), usize>,
    /// By task: the group of its last call, and the place of its name.
    recent: Vec<Option<(Option<GroupIndex>, usize)>>,
}

impl<'a> Used<'a> {
    /// The id of the next use of the name of a task.
    fn next(&mut self, def: u32, group: Option<GroupIndex>, name: &'a str) -> &str {
        let def = def as usize;
        if self.recent.len() <= def {
            self.recent.resize(def + 1, None);
        }
        let place = match self.recent[def] {
            Some((last, place)) if last == group => place,
            _ => *self.place_of.entry((group, name)).or_insert_with(|| {
                self.names.push(Numbered::default());
                self.names.len() - 1
            }),
        };
        self.recent[def] = Some((group, place));
        self.names[place].next(name)
    }
}
