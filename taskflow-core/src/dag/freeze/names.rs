//! The ids of nodes and groups.

use std::collections::HashMap;
use std::hash::Hash;

use crate::base::SourceLocation;
use crate::base::index::IndexVec;
use crate::dag::builder::{Draft, GroupDraft, Named};
use crate::dag::error::BuildError;
use crate::dag::plan::{GroupIndex, GroupPlan, NodeIndex};

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
) -> IndexVec<NodeIndex, Box<str>> {
    let mut used = Used::default();
    let (mut named, mut labels) = (draft.named.iter().peekable(), HashMap::new());
    let mut ids: IndexVec<NodeIndex, Box<str>> = IndexVec::with_capacity(draft.nodes.len());
    for ((place, node), &def) in draft.nodes.enumerated().zip(def_of) {
        let after = named.next_if(|named| named.node == place);
        if let (Some(&Named { base, label, .. }), None) = (after, &node.explicit_id) {
            let label = numbered(&mut labels, Some(base), label);
            let base = match (base.as_task(), base.as_param()) {
                // A base of another graph has been reported; it has no name here.
                (Some(task), _) => ids.get(task).map(|id| &**id),
                (None, param) => param.and_then(|param| draft.params.get(param as usize).copied()),
            };
            ids.push(format!("{}.{label}", base.unwrap_or("branch")).into_boxed_str());
            continue;
        }
        let own = match &node.explicit_id {
            Some(id) => {
                check(id, node.at.into(), errors);
                id.clone()
            }
            None => with_number(node.def.id, used.count(def, node.group, node.def.id)),
        };
        let id = match node.group {
            Some(group) => format!("{}.{own}", groups[group].id),
            None => own,
        };
        ids.push(id.into_boxed_str());
    }
    if could_clash(draft) {
        let mut seen: HashMap<&str, NodeIndex> = HashMap::with_capacity(ids.len());
        for (position, id) in ids.enumerated() {
            if let Some(&first) = seen.get(&**id) {
                errors.push(BuildError::DuplicateId {
                    id: id.to_string(),
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
            let seen = last.replace(node.def.id) == Some(node.def.id);
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
    used: &mut HashMap<(Option<P>, &'a str), u32>,
    group: Option<P>,
    name: &'a str,
) -> String {
    let count = used.entry((group, name)).or_insert(0);
    *count += 1;
    with_number(name, *count)
}

/// `name` for 1, `name_2` for 2.
fn with_number(name: &str, count: u32) -> String {
    if count == 1 {
        return name.to_owned();
    }
    // Formatting would take several times as long, for every node of a large graph.
    let mut digits = [0; 10];
    let (mut first, mut rest) = (digits.len(), count);
    while rest > 0 {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let mut numbered = String::with_capacity(name.len() + 1 + digits.len() - first);
    numbered.push_str(name);
    numbered.push('_');
    numbered.extend(digits[first..].iter().map(|&digit| char::from(digit)));
    numbered
}

/// How often each name was used in each group.
#[derive(Default)]
struct Used<'a> {
    counts: Vec<u32>,
    place_of: HashMap<(Option<GroupIndex>, &'a str), usize>,
    /// By task: the group of its last call, and the place of its count.
    recent: Vec<Option<(Option<GroupIndex>, usize)>>,
}

impl<'a> Used<'a> {
    /// Counts another use of the name of a task.
    fn count(&mut self, def: u32, group: Option<GroupIndex>, name: &'a str) -> u32 {
        let def = def as usize;
        if self.recent.len() <= def {
            self.recent.resize(def + 1, None);
        }
        let place = match self.recent[def] {
            Some((last, place)) if last == group => place,
            _ => *self.place_of.entry((group, name)).or_insert_with(|| {
                self.counts.push(0);
                self.counts.len() - 1
            }),
        };
        self.recent[def] = Some((group, place));
        self.counts[place] += 1;
        self.counts[place]
    }
}
