use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn sum(all: Vec<u32>) -> u32 {
    all.iter().sum()
}

#[task]
fn fastest(any: AnyOf<u32>) -> u32 {
    any.into_inner()
}

#[dag]
fn example() -> u32 {
    fastest(number());
    sum(number())
}

fn main() {}
