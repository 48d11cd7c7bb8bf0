//! What each format says about the same graphs.

use taskflow_core::dag::show::{Format, render};

use crate::graphs;

#[test]
fn print() {
    for plan in [
        graphs::delays(),
        graphs::rules(),
        graphs::nested(),
        graphs::fan(1000),
        graphs::random(12, 5, 3),
        graphs::chain(40),
        graphs::hostile(),
    ] {
        println!("{}", render(&plan, Format::Tree));
    }
    println!("{}", render(&graphs::hostile(), Format::Mermaid));
    println!("{}", render(&graphs::nested(), Format::Mermaid));
    println!("{}", render(&graphs::rules(), Format::Mermaid));
    println!("{}", render(&graphs::hostile(), Format::Dot));
}
