//! `Option<T>` runs with `None` when its upstream was skipped.
use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn numbers() -> Vec<u32> {
    vec![3]
}

#[task]
fn maybe() -> Option<u32> {
    None
}

#[task]
fn or_zero(x: Option<u32>) -> u32 {
    x.unwrap_or_default()
}

#[task]
fn borrowed(x: &Option<u32>) -> u32 {
    x.unwrap_or_default()
}

#[task]
fn slice(all: &[Option<u32>]) -> usize {
    all.len()
}

#[task]
fn several(all: Vec<Option<u32>>, list: Option<Vec<u32>>) -> usize {
    all.len() + list.map_or(0, |list| list.len())
}

#[dag]
fn example() -> usize {
    or_zero(number());
    or_zero(maybe());
    or_zero(Some(4));
    or_zero(None);
    borrowed(number());
    slice([number()]);
    slice(vec![number(), number()]);
    several([number(), number()], numbers())
}

fn main() {
    example::def().plan().unwrap();
}
