use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn greet(name: String) -> String {
    name
}

#[task]
fn sum(all: &[u64]) -> u64 {
    all.iter().sum()
}

#[dag]
fn example() -> String {
    sum(number());
    greet(number())
}

fn main() {}
