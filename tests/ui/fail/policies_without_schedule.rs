use taskflow::prelude::*;

#[dag(first = "last", overlap = "skip")]
fn slots() {}

#[dag(catchup_window = "3d", spread = "10m")]
fn times() {}

#[dag(after_previous, pause_after_failures = 3)]
fn failures() {}

#[dag(paused)]
fn paused() {}

fn main() {}
