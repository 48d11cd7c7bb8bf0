use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[task]
fn rows() -> Vec<u32> {
    vec![]
}

#[dag]
fn example() -> u32 {
    let n = number();
    if n > 3 {
        number();
    }
    let m = n + 1;
    for row in rows() {
        number();
    }
    rows().len();
    n
}

fn main() {}
