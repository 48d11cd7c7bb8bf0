use taskflow::prelude::*;

#[task]
fn first<T: Clone>(rows: &[T]) -> T {
    rows[0].clone()
}

#[task]
fn count<'a>(rows: &'a [u32]) -> usize {
    rows.len()
}

#[dag]
fn example() -> usize {
    first(vec![1, 2]);
    count(vec![1, 2])
}

fn main() {}
