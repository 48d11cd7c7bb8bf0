//! The drawing.

use taskflow_core::render::{Format, STATES, SvgOptions, View, render, svg, svg_style_sheet};
use taskflow_core::run::TaskState;

use crate::formats::settled;
use crate::graphs;

#[test]
fn svg_of_every_kind_of_edge() {
    let plan = graphs::rules();
    // The hash is shortened to make names for the title and the description.
    let text = render(&plan, Format::Svg).replace(&plan.hash()[..12], "<hash>");
    insta::assert_snapshot!(settled(&plan, &text));
}

#[test]
fn a_legend_appears_only_when_lines_differ() {
    assert!(render(&graphs::rules(), Format::Svg).contains("class=\"legend\""));
    assert!(!render(&graphs::fan(3), Format::Svg).contains("class=\"legend\""));
}

#[test]
fn a_drawing_has_an_accessible_title_and_description() {
    let text = render(&graphs::delays(), Format::Svg);
    assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"taskflow-dag\" role=\"img\""));
    assert!(text.contains(">DAG delays: Daily delays per carrier and per origin.</title>"));
    assert!(
        text.contains(
            ">11 tasks, 15 edges, 1 group. Begins with extract, airlines, airports, weather; ends with report. \
             Parameters: day, late_after_min, mode.</desc>"
        ),
        "{text}"
    );
}

#[test]
fn states_are_attributes_that_a_script_can_change() {
    let plan = graphs::rules();
    let view = View::of(&plan);
    let states: Vec<&str> = STATES.iter().copied().take(plan.len()).collect();
    let text = svg(&view, &SvgOptions::default().states(&states));
    for (node, state) in plan.nodes().zip(&states) {
        assert!(text.contains(&format!("data-task=\"{}\" data-state=\"{state}\"", node.id())), "{state}");
    }
    for family in ["ok", "bad", "blocked", "run", "other", "wait"] {
        // A colour for light ground and one for dark.
        assert_eq!(text.matches(&format!("--tf-{family}:#")).count(), 2, "{family}");
    }
    for state in STATES {
        // The colour of a state is that of one family.
        assert_eq!(text.matches(&format!("[data-state={state}] .mark")).count(), 1, "{state}");
    }
    assert!(!render(&plan, Format::Svg).contains("data-state"));
}

/// No state is shown by a colour alone.
#[test]
fn every_state_has_a_glyph_and_words() {
    let plan = graphs::rules();
    let view = View::of(&plan);
    let mut glyphs = std::collections::BTreeSet::new();
    for state in STATES {
        let text = svg(&view, &SvgOptions::default().states(&[state]).without_style());
        let card = text.split(&format!("data-state=\"{state}\"")).nth(1).expect("the card");
        let glyph = card.split("class=\"glyph\"").nth(1).and_then(|rest| rest.split_once('>')).expect("a glyph").1;
        let glyph = glyph.split("</g>").next().expect("shapes");
        assert!(!glyph.is_empty() && glyphs.insert(glyph.to_owned()), "{state}: {glyph}");
        let words = card.split("class=\"state\"").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
        assert_eq!(words, Some(&*state.replace('_', " ")));
    }
}

/// A page may have the policy `style-src 'self'`.
#[test]
fn a_drawing_can_leave_its_styles_to_the_page() {
    let plan = graphs::rules();
    let view = View::of(&plan);
    let states = ["success"; 100];
    let (alone, inside) =
        (SvgOptions::default().states(&states), SvgOptions::default().states(&states).without_style());
    let (alone, inside) = (svg(&view, &alone), svg(&view, &inside));
    assert!(!inside.contains("<style") && !inside.contains("style=") && !alone.contains("style=\""));
    well_formed(&inside);
    // Otherwise they are the same, and the page has every rule.
    let (before, rest) = alone.split_once("<style>\n").expect("a sheet");
    let (sheet, after) = rest.split_once("</style>\n").expect("its end");
    assert_eq!(format!("{before}{after}"), inside);
    let rules = sheet.lines().filter(|line| !line.starts_with(".taskflow-dag{--tf-"));
    for rule in rules.filter(|rule| *rule != "@media (prefers-color-scheme:dark){" && *rule != "}") {
        assert!(svg_style_sheet().contains(rule), "{rule}");
    }
    assert!(svg_style_sheet().contains("--tf-ok:light-dark(#36a67f,#92f6c6);"));
    assert!(!svg_style_sheet().contains("prefers-color-scheme"));
}

#[test]
fn svg_with_a_state_of_every_kind() {
    let plan = graphs::delays();
    let view = View::of(&plan);
    let text = svg(&view, &SvgOptions::default().states(&STATES).without_style());
    insta::assert_snapshot!(settled(&plan, &text.replace(&plan.hash()[..12], "<hash>")));
}

#[test]
fn the_style_sheet_of_pages() {
    insta::assert_snapshot!(svg_style_sheet());
}

#[test]
fn every_state_of_the_engine_has_a_colour() {
    for state in [
        TaskState::Scheduled,
        TaskState::Running,
        TaskState::UpForRetry,
        TaskState::Success,
        TaskState::Failed,
        TaskState::Skipped,
        TaskState::UpstreamFailed,
        TaskState::Cancelled,
        TaskState::Removed,
    ] {
        assert!(STATES.contains(&state.name()), "{state}");
    }
    assert!(!STATES.contains(&TaskState::None.name()));
}

#[test]
fn missing_and_unknown_states_are_safe() {
    let plan = graphs::rules();
    let view = View::of(&plan);
    for states in [&[][..], &["success"], &["\"><script>", "", "no such state"], &["failed"; 100]] {
        let text = svg(&view, &SvgOptions::default().states(states));
        assert!(!text.contains("<script>"));
        well_formed(&text);
    }
}

#[test]
fn parameters_can_be_omitted() {
    let plan = graphs::delays();
    let view = View::of(&plan);
    let text = svg(&view, &SvgOptions::default().without_params());
    assert!(!text.contains("class=\"param\"") && !text.contains("data-from=\"day\""));
    well_formed(&text);
}

#[test]
fn a_dag_without_tasks_is_an_empty_page() {
    well_formed(&render(&graphs::empty(), Format::Svg));
    assert!(render(&graphs::echo(), Format::Svg).contains("data-param=\"text\""));
}

#[test]
fn user_text_is_escaped() {
    let text = render(&graphs::hostile(), Format::Svg);
    well_formed(&text);
    assert!(text.contains("a &quot;b&quot; &lt;c&gt; &amp; d]]&gt;"));
}

#[test]
fn lines_of_different_kinds_do_not_overlap() {
    let plan = graphs::build("both", || {
        let first = graphs::start();
        graphs::merge(first, first)
    });
    let text = render(&plan, Format::Svg);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("class=\"edge ")).collect();
    let heights: Vec<&str> =
        lines.iter().filter_map(|line| line.split(" d=\"M").nth(1)?.split(['H', ' ']).nth(1)).collect();
    // Two in the drawing, two in the legend.
    assert_eq!(lines.len(), 4);
    assert_ne!(heights[0], heights[1]);
}

/// Every tag is closed, every attribute is quoted, and no character has a meaning it should not
/// have.
pub(crate) fn well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>') || open.last() == Some(&"style"), "a stray `>` in {before:?}");
        let (tag, after) = after.split_once('>').expect("the end of a tag");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            let closed = tag.ends_with('/');
            let tag = tag.trim_end_matches('/');
            let name = tag.split_whitespace().next().expect("a name");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            if !closed {
                open.push(name);
            }
        }
        rest = after;
    }
    assert_eq!(rest.trim(), "");
    assert!(open.is_empty(), "{open:?} are not closed");
}
