use taskflow::prelude::*;

#[dag(schedule = every("15x"))]
fn unit() {}

#[dag(schedule = every("0s"))]
fn zero() {}

#[dag(schedule = every("1h 30m"))]
fn two_units() {}

fn main() {}
