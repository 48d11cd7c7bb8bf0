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
    let _ = m;
    for row in rows() {
        let _ = row;
    }
    rows().len();
    n
}

fn main() {}
