use taskflow::prelude::*;

#[task]
fn work(#[param(default = 3)] n: u32, #[cfg(unix)] m: u32) -> u32 {
    n + m
}

#[dag]
fn example() -> u32 {
    work(1, 2)
}

fn main() {}
