//! A plan as a [Mermaid](https://mermaid.js.org/syntax/flowchart.html) flowchart, for Markdown
//! pages.
//!
//! Pages draw at most 500 edges by default (`maxEdges`); a larger plan is written nevertheless.

use std::fmt::Write;

use super::facts::facts;
use super::nest::{Nest, nested};
use super::view::{Endpoint, Link, View};

pub(super) fn mermaid(view: &View<'_>) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(view, &mut out);
    out
}

fn write(view: &View<'_>, out: &mut String) -> std::fmt::Result {
    // A JSON string is a YAML string.
    writeln!(out, "---\ntitle: {}\n---\nflowchart LR", serde_json::Value::from(view.dag_id))?;
    for (index, param) in view.params.iter().enumerate() {
        writeln!(out, "  p{index}([{}])", label(&format!("{}: {}", param.name, param.ty)))?;
    }
    let mut depth = 1;
    for step in nested(view) {
        match step {
            Nest::Open(cluster) => {
                let name = label(&view.clusters[cluster as usize].label);
                writeln!(out, "{}subgraph g{cluster}[{name}]", "  ".repeat(depth))?;
                depth += 1;
            }
            Nest::Node(index) => {
                let node = &view.nodes[index as usize];
                let facts = facts(node).join(", ");
                let shown = if facts.is_empty() { node.label.to_owned() } else { format!("{}\n{facts}", node.label) };
                writeln!(out, "{}n{index}[{}]", "  ".repeat(depth), label(&shown))?;
            }
            Nest::Close => {
                depth -= 1;
                writeln!(out, "{}end", "  ".repeat(depth))?;
            }
        }
    }

    let mut orders = Vec::new();
    for (index, edge) in view.edges.iter().enumerate() {
        let from = match edge.from {
            Endpoint::Param(param) => format!("p{}", param.index),
            Endpoint::Task(task) => format!("n{}", task.index),
        };
        let arrow = match edge.kind {
            Link::Required | Link::Order => "-->",
            Link::Optional | Link::Outcome => "-.->",
            Link::First => "==>",
        };
        // Optional and outcome edges share the only dashes that Mermaid has.
        let words = match edge.kind {
            Link::Outcome => Some(Link::Outcome.name()),
            Link::Order => edge.special_rule(),
            Link::Required | Link::Optional | Link::First => None,
        };
        let words = words.map(|words| format!("|{words}|")).unwrap_or_default();
        writeln!(out, "  {from} {arrow}{words} n{}", edge.to.index)?;
        if edge.kind == Link::Order {
            orders.push(index.to_string());
        }
    }
    if !orders.is_empty() {
        writeln!(out, "  linkStyle {} stroke:#6e7781,stroke-dasharray:2 3", orders.join(","))?;
    }
    if !view.params.is_empty() {
        let params: Vec<String> = (0..view.params.len()).map(|param| format!("p{param}")).collect();
        writeln!(out, "  classDef param fill:#eff2f5,stroke:#b1bac4,color:#1f2328")?;
        writeln!(out, "  class {} param", params.join(","))?;
    }
    Ok(())
}

/// A text in quotes. Mermaid has entities in place of escapes, with `#` where HTML has `&`.
fn label(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '\n' => out.push_str("<br/>"),
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "#{};", u32::from(character));
            }
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
        assert_eq!(label("Vec<\"T\">\n#1"), "\"Vec#60;#34;T#34;#62;<br/>#35;1\"");
    }
}
