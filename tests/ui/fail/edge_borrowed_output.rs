use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn double(x: &u32) -> u32 {
    2 * x
}

#[dag]
fn example() -> u32 {
    double(&number())
}

fn main() {}
