use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn add(a: u32, _ctx: &TaskContext, b: &u32) -> u32 {
    a + b
}

#[dag]
fn example() -> u32 {
    add(number())
}

fn main() {}
