use taskflow::prelude::*;

#[dag]
fn example(name: &str, rows: Vec<&str>, ctx: &TaskContext) {
    let _ = (name, rows, ctx);
}

pub fn use_it() {
    let _ = example::run("x", vec!["y"], 3);
}

fn main() {}
