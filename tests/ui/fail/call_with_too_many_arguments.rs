use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn double(_ctx: &TaskContext, a: u32) -> u32 {
    2 * a
}

#[dag]
fn example() -> u32 {
    double(number(), number())
}

fn main() {}
