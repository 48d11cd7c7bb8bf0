use taskflow::prelude::*;

#[task(retires = 3, timeout = 5, pool_slots = 0)]
fn work(x: &mut u32, y: Option<&u32>, z: Output<u8>) -> &'static str {
    "x"
}

#[dag]
fn example() -> u32 {
    work(1, Some(2), 3);
    4
}

fn main() {}
