//! A plan in the language of [Graphviz](https://graphviz.org/doc/info/lang.html): `taskflow show
//! --format dot | dot -Tpdf`.

use std::fmt::Write;

use super::facts::facts;
use super::nest::{Nest, nested};
use super::text;
use super::view::{ClusterKind, EdgeView, Endpoint, Link, NodeView, ParamView, View};

pub(super) fn dot(view: &View<'_>) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(view, &mut out);
    out
}

fn write(view: &View<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "digraph {} {{", quoted(view.dag_id))?;
    let title = match text::headline(view.doc) {
        "" => view.dag_id.to_owned(),
        doc => format!("{}: {doc}", view.dag_id),
    };
    writeln!(out, "  graph [rankdir=LR, newrank=true, labelloc=t, label={}, fontname=Helvetica];", label(&title))?;
    writeln!(
        out,
        "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", color=\"#57606a\", fontname=Helvetica, fontsize=11];"
    )?;
    writeln!(out, "  edge [color=\"#57606a\", fontname=Helvetica, fontsize=9];")?;
    for param in &view.params {
        let shown = format!("{}: {}", param.name, param.ty);
        writeln!(
            out,
            "  {} [label={}, shape=oval, style=filled, fillcolor=\"#eff2f5\", tooltip={}];",
            param_id(param.name),
            label(&shown),
            label(&tooltip(param)),
        )?;
    }
    let mut depth = 1;
    for step in nested(view) {
        match step {
            Nest::Open(at) => {
                let cluster = &view.clusters[at as usize];
                let indent = "  ".repeat(depth);
                let style = if cluster.kind == ClusterKind::Group { "rounded" } else { "\"rounded,dashed\"" };
                writeln!(out, "{indent}subgraph {} {{", quoted(&format!("cluster_{at}_{}", cluster.of)))?;
                writeln!(out, "{indent}  label={}; style={style}; color=\"#8c959f\";", label(&cluster.label))?;
                depth += 1;
            }
            Nest::Node(node) => writeln!(out, "{}{}", "  ".repeat(depth), node_line(&view.nodes[node as usize]))?,
            Nest::Close => {
                depth -= 1;
                writeln!(out, "{}}}", "  ".repeat(depth))?;
            }
        }
    }
    view.edges.iter().try_for_each(|edge| writeln!(out, "  {}", edge_line(edge)))?;
    writeln!(out, "}}")
}

fn node_line(node: &NodeView<'_>) -> String {
    let facts = facts(node).join(", ");
    let shown = if facts.is_empty() { node.label.to_owned() } else { format!("{}\n{facts}", node.label) };
    let tooltip = match text::headline(node.description) {
        "" => node.id.to_owned(),
        description => format!("{}: {description}", node.id),
    };
    format!("{} [label={}, tooltip={}];", quoted(node.id), label(&shown), label(&tooltip))
}

fn edge_line(edge: &EdgeView<'_>) -> String {
    let from = match edge.from {
        Endpoint::Param(param) => param_id(param.id),
        Endpoint::Task(task) => quoted(task.id),
    };
    let style = match edge.kind {
        Link::Required => "",
        Link::Optional => "style=dashed",
        Link::Outcome => "style=dotted, penwidth=1.6",
        Link::First => "style=bold, arrowhead=diamond",
        Link::Order => "color=\"#8c959f\", arrowhead=vee, arrowsize=0.7",
    };
    let rule = edge.special_rule().map(|rule| format!("label={}", label(rule)));
    let attributes: Vec<&str> = [style, rule.as_deref().unwrap_or("")].into_iter().filter(|a| !a.is_empty()).collect();
    let attributes = if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
    format!("{from} -> {}{attributes};", quoted(edge.to.id))
}

/// No id contains `$`, so a parameter and a task of the same name stay apart.
fn param_id(name: &str) -> String {
    quoted(&format!("${name}"))
}

fn tooltip(param: &ParamView<'_>) -> String {
    match (param.default_text(), param.help) {
        (Some(default), "") => format!("default {default}"),
        (Some(default), help) => format!("{help} (default {default})"),
        (None, "") => "required".to_owned(),
        (None, help) => format!("{help} (required)"),
    }
}

/// A name: of the characters in quotes only the quote has a meaning.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text to be shown: backslashes begin escapes there, and `&` begins an entity.
fn label(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '&' => out.push_str("&amp;"),
            '\n' => out.push_str("\\n"),
            control if control.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_text_are_escaped() {
        assert_eq!(label("a \"b\" \\N\n&lt;"), r#""a \"b\" \\N\n&amp;lt;""#);
        assert_eq!(quoted("a\"; b\\"), r#""a\"; b\\""#);
    }
}
