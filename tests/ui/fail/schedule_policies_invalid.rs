use taskflow::prelude::*;

#[dag(schedule = "@daily", first = "all")]
fn first() {}

#[dag(schedule = "@daily", first = true)]
fn first_flag() {}

#[dag(schedule = "@daily", catchup = "some")]
fn catchup() {}

#[dag(schedule = "@daily", overlap = "replace")]
fn overlap() {}

#[dag(schedule = "@daily", spread = "soon")]
fn spread() {}

#[dag(schedule = "@daily", spread = "0s")]
fn no_spread() {}

#[dag(schedule = "@daily", after_previous = "yes")]
fn after_previous() {}

#[dag(schedule = "@daily", paused = "no")]
fn paused() {}

#[dag(schedule = "@daily", pause_after_failures = 0)]
fn never_paused() {}

#[dag(schedule = "@daily", pause_after_failures = "three")]
fn paused_after_three() {}

fn main() {}
