use taskflow::prelude::*;

#[task(isolation = "thread")]
fn elsewhere() {}

#[task(isolation = "process", memory = 512)]
fn without_a_unit() {}

#[task(isolation = "process", memory = "512m")]
fn with_a_wrong_unit() {}

#[task(memory = "512MiB")]
fn without_a_process() {}

fn main() {}
