use taskflow::prelude::*;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize)]
struct OnlyOut(u32);

#[derive(Clone, Deserialize)]
struct OnlyIn(u32);

#[task]
fn make() -> OnlyOut {
    OnlyOut(1)
}

#[task]
fn make_list() -> Vec<OnlyIn> {
    vec![]
}

fn main() {}
