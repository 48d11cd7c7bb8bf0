use taskflow::prelude::*;

#[task]
fn double(x: Output<u32>) -> Output<u32> {
    x
}

#[dag]
fn example(n: u32) -> u32 {
    double(n)
}

fn main() {}
