use taskflow::prelude::*;

#[task]
fn work(ctx: TaskContext) -> u32 {
    ctx.attempt()
}

fn main() {}
