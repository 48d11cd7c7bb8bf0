//! Graphs larger than anybody looks at: no format may overflow the stack or take time out of
//! proportion.

use taskflow_core::render::{Format, render};

use crate::graphs;

#[test]
fn a_chain_of_a_hundred_thousand_tasks_is_drawn() {
    let plan = graphs::chain(100_000);
    for format in [Format::Tree, Format::Mermaid] {
        let text = render(&plan, format);
        assert!(text.contains("left_99999"), "{format}");
        assert!(text.len() < 100_000_000, "{format}: {}", text.len());
    }
}

#[test]
fn a_fan_of_thousands_of_tasks_is_drawn() {
    let plan = graphs::fan(20_000);
    assert!(render(&plan, Format::Tree).contains(".. 19996 more part"));
    assert!(render(&plan, Format::Dot).contains("part_20000"));
}

#[test]
fn a_large_drawing_contains_every_task() {
    for plan in [
        graphs::chain(5000),
        graphs::fan(1000),
        graphs::random(800, 800, 1),
        graphs::shards(100),
        graphs::layers(12, 10),
    ] {
        let text = render(&plan, Format::Svg);
        assert_eq!(text.matches("class=\"task\"").count(), plan.len(), "{plan:?}");
    }
}

#[test]
fn deeply_nested_groups_are_drawn() {
    let plan = graphs::deep_groups(50);
    for format in Format::ALL {
        render(&plan, format);
    }
}
