//! Several outputs feed one list, or the first of them feeds an `AnyOf`.
use taskflow::prelude::*;

#[task]
fn fetch(mirror: String) -> Vec<u8> {
    mirror.into_bytes()
}

#[task]
fn fastest(bytes: AnyOf<Vec<u8>>) -> usize {
    bytes.len() + bytes.index()
}

#[task]
fn borrowed(bytes: &AnyOf<Vec<u8>>) -> usize {
    bytes.len()
}

#[task]
fn lists(all: Vec<Vec<u8>>) -> usize {
    all.len()
}

#[task]
fn sum(sizes: &[usize]) -> usize {
    sizes.iter().sum()
}

#[dag]
fn example() -> usize {
    let mirrors = ["a", "b"].map(fetch);
    let more: Vec<Output<Vec<u8>>> = vec![fetch("c"), fetch("d")];
    let first = fastest(mirrors);
    let second = borrowed(more.clone());
    let third = lists(mirrors);
    let fourth = lists(more);
    sum([first, second, third, fourth])
}

fn main() {
    assert_eq!(example::def().plan().unwrap().len(), 9);
    assert_eq!(fastest::call(AnyOf::new(vec![1], 1)), 2);
}
