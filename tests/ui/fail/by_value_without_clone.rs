use taskflow::prelude::*;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Big(Vec<u8>);

#[task]
fn make() -> Big {
    Big(vec![])
}

#[task]
fn take(big: Big) -> usize {
    big.0.len()
}

#[dag]
fn example() -> usize {
    take(make())
}

fn main() {}
