use taskflow::prelude::*;

#[dag(schedule = "@hourly", catchup_window = "59s")]
fn shorter_than_the_grace() {}

#[dag(schedule = "@hourly", catchup_window = "0s")]
fn none() {}

fn main() {}
