//! What each format says about the same graphs.

use taskflow_core::dag::show::{Format, STATES, SvgOptions, View, render, svg};

use crate::graphs;

#[test]
fn print() {
    let dir = std::path::Path::new("/tmp/pics");
    std::fs::create_dir_all(dir).unwrap();
    for (name, plan) in [
        ("delays", graphs::delays()),
        ("rules", graphs::rules()),
        ("nested", graphs::nested()),
        ("fan40", graphs::fan(40)),
        ("random30", graphs::random(30, 8, 3)),
        ("random100", graphs::random(100, 20, 7)),
        ("chain", graphs::chain(6)),
        ("hostile", graphs::hostile()),
    ] {
        let t = std::time::Instant::now();
        let s = render(&plan, Format::Svg);
        println!("{name} {:?} {}", t.elapsed(), s.len());
        std::fs::write(dir.join(format!("{name}.svg")), s).unwrap();
        std::fs::write(dir.join(format!("{name}.dot")), render(&plan, Format::Dot)).unwrap();
        std::fs::write(dir.join(format!("{name}.mmd")), render(&plan, Format::Mermaid)).unwrap();
        let view = View::of(&plan);
        let states: Vec<&str> = (0..plan.len()).map(|n| STATES[n % STATES.len()]).collect();
        std::fs::write(
            dir.join(format!("{name}_states.svg")),
            svg(&view, &SvgOptions { states: Some(&states), without_params: false }),
        )
        .unwrap();
    }
}
