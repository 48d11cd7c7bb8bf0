use taskflow::prelude::*;

#[task]
fn work(a: &TaskContext, b: &TaskContext) -> u32 {
    a.attempt() + b.attempt()
}

fn main() {}
