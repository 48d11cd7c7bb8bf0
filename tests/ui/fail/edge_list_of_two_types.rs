use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn big() -> u64 {
    3
}

#[task]
fn sum(all: Vec<u32>) -> u32 {
    all.iter().sum()
}

#[dag]
fn example() -> u32 {
    sum([number(), big()]);
    sum([big(), big()])
}

fn main() {}
