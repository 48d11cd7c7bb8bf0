//! A plan as lines for a terminal: `taskflow show`.
//!
//! Each task is printed once, below the first of its upstreams that is printed; `^ id` refers to a
//! task printed elsewhere. Siblings that look the same are cut after a few (`.. 996 more
//! summarise`). A tree deeper than [`DEEPEST`] continues at the left margin, and nothing here
//! recurses, so that a chain of 100,000 tasks is only long.

mod line;
mod shape;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use self::shape::Shapes;
use super::text;
use super::view::{Endpoint, View};
use crate::dag::index;

/// How far the lines move to the right before they continue at the margin.
const DEEPEST: usize = 14;

/// How many siblings of one shape are printed.
const SHOWN: usize = 4;

/// How many groups are listed.
const GROUPS: usize = 12;

pub(super) fn tree(view: &View<'_>) -> String {
    let mut printer = Printer {
        view,
        shapes: Shapes::of(view),
        out: String::new(),
        more_at: Vec::new(),
        printed: vec![false; view.nodes.len()],
        continued: VecDeque::new(),
    };
    printer.header();
    printer.tasks();
    printer.out
}

struct Printer<'v, 'p> {
    view: &'v View<'p>,
    shapes: Shapes,
    out: String,
    /// For each level left of the current line, whether a sibling follows further down.
    more_at: Vec<bool>,
    printed: Vec<bool>,
    /// Nodes at the deepest level, whose downstreams are still to be printed.
    continued: VecDeque<u32>,
}

/// A line to print.
struct Line {
    depth: usize,
    last: bool,
    what: What,
}

enum What {
    /// A node, below another one or at the margin.
    Node { node: u32, parent: Option<u32> },
    /// The siblings left out: how many, one of them, and whether they are printed elsewhere.
    More { count: usize, example: u32, elsewhere: bool },
    /// The head of a part that did not fit into the width.
    Continued { node: u32 },
}

impl Printer<'_, '_> {
    fn header(&mut self) {
        let view = self.view;
        // The id of a DAG that is built of a closure is any text.
        let id = text::shorten(view.dag_id, 80);
        let mut lines = vec![match text::headline(view.doc) {
            "" => id,
            doc => format!("{id}: {doc}"),
        }];
        let of_elements = view.nodes.iter().filter(|node| node.each.is_some()).count();
        let mut facts = vec![text::counted(view.nodes.len() - of_elements, "task")];
        if of_elements > 0 {
            facts.push(format!("{of_elements} for each element"));
        }
        facts.push(text::counted(view.edges.len(), "edge"));
        facts.push(format!("hash {}", view.hash));
        lines.push(format!("  {}", facts.join(", ")));
        if !view.options.is_empty() {
            lines.push(format!("  {}", line::options(&view.options)));
        }
        if !view.params.is_empty() {
            lines.push("\nparams".to_owned());
            lines.extend(view.params.iter().map(|param| format!("  {}", line::param(param))));
        }
        if !view.groups.is_empty() {
            lines.push("\ngroups".to_owned());
            let members = self.members();
            let shown = if view.groups.len() > GROUPS + 1 { GROUPS } else { view.groups.len() };
            for (group, members) in view.groups.iter().zip(members).take(shown) {
                lines.push(format!("  {}: {}", group.id, text::counted(members, "task")));
            }
            if shown < view.groups.len() {
                lines.push(format!("  .. {} more", view.groups.len() - shown));
            }
        }
        for line in lines {
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    /// How many tasks each group holds, with those of the groups inside it.
    fn members(&self) -> Vec<usize> {
        let mut members = vec![0; self.view.groups.len()];
        for group in self.view.nodes.iter().filter_map(|node| node.group) {
            members[group.index as usize] += 1;
        }
        // Inner groups come after outer ones.
        for (group, view) in self.view.groups.iter().enumerate().rev() {
            if let Some(parent) = view.parent {
                members[parent.index as usize] += members[group];
            }
        }
        members
    }

    fn tasks(&mut self) {
        if self.view.nodes.is_empty() {
            self.out.push_str("\nno tasks\n");
        } else {
            self.out.push_str("\ntasks\n");
        }
        let roots: Vec<u32> =
            (0..index(self.view.nodes.len())).filter(|node| self.shapes.upstreams(*node) == 0).collect();
        self.print(self.lines(&roots, None, 0));
        while let Some(node) = self.continued.pop_front() {
            self.out.push('\n');
            self.print(vec![Line { depth: 0, last: true, what: What::Continued { node } }]);
        }
        if let Some(result) = &self.view.result
            && let Endpoint::Param(param) = result.from
        {
            let _ = writeln!(self.out, "\nresult: ${} -> {}", param.id, result.ty);
        }
    }

    /// The lines of some siblings in the order in which they are taken from a stack: the last one
    /// first.
    fn lines(&self, siblings: &[u32], parent: Option<u32>, depth: usize) -> Vec<Line> {
        let mut counts: HashMap<(bool, u32), usize> = HashMap::new();
        for &node in siblings {
            *counts.entry(self.kind_of(node)).or_default() += 1;
        }
        let mut seen: HashMap<(bool, u32), usize> = HashMap::new();
        let mut lines = Vec::new();
        let mut cut = Vec::new();
        for &node in siblings {
            let look = self.kind_of(node);
            let count = counts[&look];
            let place = seen.entry(look).or_default();
            *place += 1;
            // The line "1 more" would be as long as the one it replaces.
            if *place <= SHOWN || count == SHOWN + 1 {
                lines.push(Line { depth, last: false, what: What::Node { node, parent } });
            } else if *place == SHOWN + 1 {
                let what = What::More { count: count - SHOWN, example: node, elsewhere: look.0 };
                cut.push(Line { depth, last: false, what });
            }
        }
        lines.append(&mut cut);
        if let Some(line) = lines.last_mut() {
            line.last = true;
        }
        lines.reverse();
        lines
    }

    /// What siblings are compared by: whether they are printed already, and their shape.
    fn kind_of(&self, node: u32) -> (bool, u32) {
        (self.printed[node as usize], self.shapes.shape(node))
    }

    fn print(&mut self, mut stack: Vec<Line>) {
        while let Some(Line { depth, last, what }) = stack.pop() {
            self.indent(depth, last);
            match what {
                What::Node { node, parent } => {
                    let below = self.shapes.below(node).to_vec();
                    let first = !std::mem::replace(&mut self.printed[node as usize], true);
                    let cut = first && depth == DEEPEST && !below.is_empty();
                    self.node(node, parent, first, cut);
                    if cut {
                        self.continued.push_back(node);
                    } else if first {
                        stack.append(&mut self.lines(&below, Some(node), depth + 1));
                    }
                }
                What::More { count, example, elsewhere } => self.more(count, example, elsewhere),
                What::Continued { node } => {
                    let below = self.shapes.below(node).to_vec();
                    let _ = writeln!(self.out, ".. {}", self.view.nodes[node as usize].id);
                    stack.append(&mut self.lines(&below, Some(node), depth + 1));
                }
            }
        }
    }

    fn indent(&mut self, depth: usize, last: bool) {
        self.more_at.truncate(depth);
        for more in self.more_at.iter().skip(1) {
            self.out.push_str(if *more { "│  " } else { "   " });
        }
        if depth > 0 {
            self.out.push_str(if last { "└─ " } else { "├─ " });
        }
        self.more_at.push(!last);
    }

    fn node(&mut self, node: u32, parent: Option<u32>, first: bool, cut: bool) {
        let view = &self.view.nodes[node as usize];
        let links = parent.map(|parent| self.shapes.links(parent, node)).unwrap_or_default();
        let notes: Vec<&str> = links.iter().filter_map(|link| line::note(*link)).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" [{}]", notes.join(", ")) };
        let _ = match first {
            false => writeln!(self.out, "^ {}{notes}", view.id),
            true => {
                let is_result = self.view.result.as_ref().filter(|result| match result.from {
                    Endpoint::Task(task) => task.index == node,
                    Endpoint::Param(_) => false,
                });
                let details = line::details(view, is_result.map(|result| result.ty.as_str()));
                let cut = if cut { " .." } else { "" };
                writeln!(self.out, "{}{}{notes}{details}{cut}", view.id, line::arguments(view))
            }
        };
    }

    fn more(&mut self, count: usize, example: u32, elsewhere: bool) {
        let task = self.view.nodes[example as usize].task;
        let mark = if elsewhere { "^ " } else { "" };
        let _ = match self.shapes.size(example) - 1 {
            below if below > 0 && !elsewhere => {
                writeln!(self.out, ".. {count} more {task}, each with {}", text::counted(below, "task") + " below")
            }
            _ => writeln!(self.out, "{mark}.. {count} more {task}"),
        };
    }
}
