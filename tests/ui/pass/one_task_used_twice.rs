//! Each call is a node of its own.
use taskflow::prelude::*;

#[task(retries = 1)]
fn convert(path: &str) -> usize {
    path.len()
}

#[dag]
fn example() -> usize {
    convert("a");
    let b = convert("b").id("second").retries(5).priority(2);
    let _ = b;
    convert("c")
}

fn main() {
    let plan = example::def().plan().unwrap();
    let ids: Vec<_> = plan.nodes().map(|node| node.id()).collect();
    assert_eq!(ids, ["convert", "second", "convert_2"]);
}
