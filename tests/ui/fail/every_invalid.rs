use taskflow::prelude::*;

#[dag(schedule = every("15x"))]
fn unit() {}

#[dag(schedule = every("0s"))]
fn zero() {}

#[dag(schedule = every("1h 30m"))]
fn two_units() {}

#[dag(schedule = every("15m", offset = "30m"))]
fn long_offset() {}

#[dag(schedule = every("15m", offset = "5"))]
fn offset_without_unit() {}

#[dag(schedule = every("15m", "5m"))]
fn nameless_offset() {}

fn main() {}
