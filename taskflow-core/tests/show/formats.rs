//! What each format says about the same graphs.

use taskflow_core::dag::show::{Format, render, View, SvgOptions, svg, STATES};

use crate::graphs;

#[test]
fn print() {
    let dir = std::path::Path::new("/tmp/pics");
    std::fs::create_dir_all(dir).unwrap();
    for (name, plan) in [("delays", graphs::delays()), ("rules", graphs::rules()), ("nested", graphs::nested()), ("fan40", graphs::fan(40)), ("random30", graphs::random(30, 8, 3)), ("random100", graphs::random(100, 20, 7)), ("chain", graphs::chain(6)), ("hostile", graphs::hostile()), ("shards", graphs::shards(8)), ("deep", graphs::deep_groups(5)), ("layers", graphs::layers(8, 6)), ("random300", graphs::random(300, 30, 5))] {
        let t = std::time::Instant::now();
        let s = render(&plan, Format::Svg);
        println!("{name} {:?} {}", t.elapsed(), s.len());
        std::fs::write(dir.join(format!("{name}.svg")), s).unwrap();
        std::fs::write(dir.join(format!("{name}.dot")), render(&plan, Format::Dot)).unwrap();
        std::fs::write(dir.join(format!("{name}.mmd")), render(&plan, Format::Mermaid)).unwrap();
        let view = View::of(&plan);
        let states: Vec<&str> = (0..plan.len()).map(|n| STATES[n % STATES.len()]).collect();
        std::fs::write(dir.join(format!("{name}_states.svg")), svg(&view, &SvgOptions { states: Some(&states), without_params: false })).unwrap();
    }
}

#[test]
fn speed() {
    let graphs: Vec<(&str, Box<dyn Fn() -> std::sync::Arc<taskflow_core::dag::Plan>>)> = vec![
        ("random500/50", Box::new(|| graphs::random(500, 50, 1))),
        ("random500/500", Box::new(|| graphs::random(500, 500, 1))),
        ("random5000/100", Box::new(|| graphs::random(5000, 100, 1))),
        ("random5000/5000", Box::new(|| graphs::random(5000, 5000, 1))),
        ("random5000/10", Box::new(|| graphs::random(5000, 10, 1))),
        ("random20000/20000", Box::new(|| graphs::random(20000, 20000, 1))),
        ("fan5000", Box::new(|| graphs::fan(5000))),
        ("fan100000", Box::new(|| graphs::fan(100_000))),
        ("chain5000", Box::new(|| graphs::chain(5000))),
        ("chain100000", Box::new(|| graphs::chain(100_000))),
        ("layers70x70", Box::new(|| graphs::layers(70, 70))),
        ("layers100x1000", Box::new(|| graphs::layers(1000, 100))),
        ("shards1000", Box::new(|| graphs::shards(1000))),
        ("deep groups500", Box::new(|| graphs::deep_groups(500))),
    ];
    for (name, make) in graphs {
        let plan = make();
        for format in [Format::Svg] {
            let t = std::time::Instant::now();
            let s = render(&plan, format);
            println!("{name} {format} {:?} {}", t.elapsed(), s.len());
        }
    }
}
