use taskflow::prelude::*;

#[dag]
fn example(name: &str, rows: Vec<&str>, ctx: &TaskContext) {
    let _ = name;
}

fn use_it() {
    let _ = example::run("x", vec![], 3);
}

fn main() {}
