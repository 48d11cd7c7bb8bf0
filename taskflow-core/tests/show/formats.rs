//! The formats by name, and those that other programs draw.

use taskflow_core::dag::Plan;
use taskflow_core::render::{Format, render};

use crate::graphs;

#[test]
fn each_format_has_a_name_that_reads_back() {
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
}

#[test]
fn an_unknown_name_is_rejected_with_the_known_ones() {
    let unknown = "mermade".parse::<Format>().expect_err("no format");
    let text = unknown.to_string();
    assert_eq!(
        text,
        "`mermade` is not a format; the formats are tree, dot, mermaid, json, svg (did you mean `mermaid`?)"
    );
}

#[test]
fn every_format_ends_its_last_line_and_is_deterministic() {
    for plan in [graphs::delays(), graphs::rules(), graphs::hostile(), graphs::empty()] {
        for format in Format::ALL {
            let text = render(&plan, format);
            assert!(text.ends_with('\n'), "{format}");
            assert_eq!(text, render(&plan, format), "{format}");
        }
    }
}

#[test]
fn dot_of_an_etl() {
    insta::assert_snapshot!(render(&graphs::delays(), Format::Dot));
}

#[test]
fn dot_of_every_kind_of_edge() {
    insta::assert_snapshot!(render(&graphs::rules(), Format::Dot));
}

#[test]
fn mermaid_of_an_etl() {
    insta::assert_snapshot!(render(&graphs::delays(), Format::Mermaid));
}

#[test]
fn mermaid_of_every_kind_of_edge() {
    insta::assert_snapshot!(render(&graphs::rules(), Format::Mermaid));
}

#[test]
fn nested_groups_are_nested_boxes() {
    let boxes = |text: String, open: &str, close: &str| -> String {
        let kept = text.lines().filter(|line| line.trim_start().starts_with(open) || line.trim() == close);
        kept.map(|line| format!("{line}\n")).collect()
    };
    let plan = graphs::nested();
    insta::assert_snapshot!(boxes(render(&plan, Format::Mermaid), "subgraph", "end"), @r#"
      subgraph g0["sources"]
        subgraph g1["orders"]
        end
        subgraph g2["clicks"]
        end
        subgraph g3["stock"]
        end
      end
      subgraph g4["features"]
        subgraph g5["text"]
        end
      end
      subgraph g6["models"]
        subgraph g7["small"]
        end
        subgraph g8["large"]
        end
      end
    "#);
    let dot = boxes(render(&plan, Format::Dot), "subgraph", "}");
    assert_eq!(dot.matches("subgraph").count(), plan.groups().len());
}

#[test]
fn user_text_is_escaped() {
    let plan = graphs::hostile();
    insta::assert_snapshot!(render(&plan, Format::Dot));
    insta::assert_snapshot!(render(&plan, Format::Mermaid));
    let json: serde_json::Value = serde_json::from_str(&render(&plan, Format::Json)).expect("JSON");
    assert_eq!(json["dag_id"], plan.id());
}

/// What differs from machine to machine and from edit to edit: places in the source, and the hash.
pub(crate) fn settled(plan: &Plan, text: &str) -> String {
    let text = text.replace(plan.hash(), "<hash>");
    let lines = text.lines().map(|line| match line.split_once("graphs.rs:") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
            let start = before.rfind(|c: char| c == '"' || c.is_whitespace()).map_or(0, |at| at + 1);
            format!("{}<graphs.rs>{rest}\n", &before[..start])
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}
