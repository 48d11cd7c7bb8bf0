use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example(n: Output<u32>) -> Output<u32> {
    number()
}

fn main() {}
