use taskflow::prelude::*;

#[task]
fn add((a, b): (u32, u32), _: u8) -> u32 {
    a + b
}

#[dag]
fn example() -> u32 {
    add((1, 2), 3)
}

fn main() {}
