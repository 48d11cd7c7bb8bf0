use taskflow::prelude::*;

#[dag(max_active_runs = 0, max_active_tasks = 0, timeout = "0s")]
fn example() {}

fn main() {}
