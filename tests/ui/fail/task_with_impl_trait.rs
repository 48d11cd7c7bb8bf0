use taskflow::prelude::*;

#[task]
fn count(rows: impl Iterator<Item = u32>) -> usize {
    rows.count()
}

#[task]
fn rows() -> impl Iterator<Item = u32> {
    0..3
}

fn main() {}
