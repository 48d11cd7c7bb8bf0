//! The ids of nodes and groups.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::dag::arg::ArgDraft;
use crate::dag::builder::Draft;
use crate::dag::error::BuildError;
use crate::dag::plan::GroupPlan;
use crate::task::SourceLocation;

/// How often each name was used in each group.
type Used<'a> = HashMap<(Option<u32>, Cow<'a, str>), u32>;

/// The groups with their full names; a name used twice in one place gets a number.
pub(super) fn groups(draft: &Draft, errors: &mut Vec<BuildError>) -> Vec<GroupPlan> {
    let mut used = HashMap::new();
    let mut groups: Vec<GroupPlan> = Vec::with_capacity(draft.groups.len());
    for group in &draft.groups {
        check(&group.name, group.at.into(), errors);
        let own = numbered(&mut used, group.parent, Cow::Borrowed(&*group.name));
        let id = match group.parent {
            Some(parent) => format!("{}.{own}", groups[parent as usize].id),
            None => own,
        };
        groups.push(GroupPlan { id, parent: group.parent });
    }
    groups
}

/// The id of each node: the one given, or the name of the task, with a number from the second use on.
pub(super) fn ids(draft: &Draft, groups: &[GroupPlan], errors: &mut Vec<BuildError>) -> Vec<Box<str>> {
    let mut used = HashMap::new();
    let expands: HashSet<usize> = draft.mappings.iter().map(|mapping| mapping.expand as usize).collect();
    let mut ids: Vec<Box<str>> = Vec::with_capacity(draft.nodes.len());
    for (position, node) in draft.nodes.iter().enumerate() {
        let own = match &node.explicit_id {
            Some(id) => {
                check(id, node.at.into(), errors);
                id.clone()
            }
            None => match list_of(draft, &expands, position, &ids) {
                Some(list) => {
                    let around = node.group.map(|group| format!("{}.", groups[group as usize].id));
                    let list = around.and_then(|around| list.strip_prefix(&around)).unwrap_or(list);
                    numbered(&mut used, node.group, Cow::Owned(format!("{list}.each")))
                }
                None => numbered(&mut used, node.group, Cow::Borrowed(node.def.id)),
            },
        };
        let id = match node.group {
            Some(group) => format!("{}.{own}", groups[group as usize].id),
            None => own,
        };
        ids.push(id.into_boxed_str());
    }
    if could_clash(draft) {
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(ids.len());
        for (position, id) in ids.iter().enumerate() {
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

/// What the list of a node is called, if it is an expand node.
fn list_of<'a>(draft: &'a Draft, expands: &HashSet<usize>, node: usize, ids: &'a [Box<str>]) -> Option<&'a str> {
    let list = draft.args.get(draft.nodes[node].first_arg as usize).filter(|_| expands.contains(&node))?;
    let ArgDraft::One { from, .. } = list else { return None };
    match (from.source.as_task(), from.source.as_param()) {
        (Some(task), _) => ids.get(task as usize).map(|id| &**id),
        (None, param) => draft.params.get(param? as usize).copied(),
    }
}

/// Numbered ids differ by construction, unless somebody chose a name that looks like one.
fn could_clash(draft: &Draft) -> bool {
    let looks_numbered = |name: &str| name.contains('.') || name.ends_with(|last: char| last.is_ascii_digit());
    let mut last = None;
    !draft.mappings.is_empty()
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
fn numbered<'a>(used: &mut Used<'a>, group: Option<u32>, name: Cow<'a, str>) -> String {
    let count = used.entry((group, name.clone())).or_insert(0);
    *count += 1;
    match *count {
        1 => name.into_owned(),
        count => format!("{name}_{count}"),
    }
}
