use taskflow::prelude::*;

#[task]
fn maybe() -> Option<u32> {
    None
}

#[task]
fn double(x: u32) -> u32 {
    2 * x
}

#[dag]
fn example() -> u32 {
    double(maybe())
}

fn main() {}
