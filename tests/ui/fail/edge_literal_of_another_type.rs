use taskflow::prelude::*;

#[task]
fn work(n: u32, name: String, ratio: f64, byte: u8) -> u32 {
    let _ = (name, ratio, byte);
    n
}

#[dag]
fn example() -> u32 {
    work("3", 4, 1, 2.5)
}

fn main() {}
