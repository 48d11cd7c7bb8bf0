use taskflow::prelude::*;

#[task]
fn sort(rows: &mut Vec<u32>) {
    rows.sort();
}

#[dag]
fn example() {
    sort(vec![2, 1]);
}

fn main() {}
