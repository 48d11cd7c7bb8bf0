//! What holds for every plan.

use proptest::prelude::*;
use taskflow_core::render::{Format, render};

use crate::graphs;
use crate::svg::well_formed;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_format_draws_any_graph(count in 1usize..60, reach in 1usize..30, seed: u64) {
        let plan = graphs::random(count, reach, seed);
        for format in Format::ALL {
            let text = render(&plan, format);
            prop_assert!(text.ends_with('\n'));
        }
        let svg = render(&plan, Format::Svg);
        well_formed(&svg);
        for node in plan.nodes() {
            let marked = format!("data-task=\"{}\"", node.id());
            prop_assert_eq!(svg.matches(&marked).count(), 1);
        }
        // No coordinate is missing, infinite or outside the page.
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let view_box = svg.split("viewBox=\"0 0 ").nth(1).and_then(|rest| rest.split('"').next());
        let (width, height) = view_box.and_then(|sizes| sizes.split_once(' ')).expect("a view box");
        let (width, height): (i64, i64) = (width.parse().expect("a width"), height.parse().expect("a height"));
        for place in svg.split("translate(").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (x, y) = place.split_once(' ').expect("two numbers");
            let (x, y): (i64, i64) = (x.parse().expect("a number"), y.parse().expect("a number"));
            prop_assert!((0..width).contains(&x) && (0..height).contains(&y), "{} {} on {} x {}", x, y, width, height);
        }
    }
}
