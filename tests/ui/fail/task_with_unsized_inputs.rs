use taskflow::prelude::*;

#[task]
fn show(x: &dyn std::fmt::Display) -> String {
    x.to_string()
}

#[task]
fn read(path: &std::path::Path) -> usize {
    path.components().count()
}

fn main() {}
