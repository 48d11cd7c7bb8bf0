use taskflow::prelude::*;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Unordered;

#[dag]
fn example(
    #[param(range = 'a'..='z')] count: u32,
    #[param(range = Unordered..)] unordered: Unordered,
    #[param(range = 5)] no_range: u32,
) {
    let _ = (count, unordered, no_range);
}

fn main() {}
