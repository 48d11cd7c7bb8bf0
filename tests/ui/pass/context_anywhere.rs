//! The context can be any parameter, under any path and name.
use taskflow::TaskContext;
use taskflow::prelude::{Output, dag, task};

#[task]
fn first(ctx: &TaskContext, x: u32) -> u32 {
    ctx.attempt() + x
}

#[task]
async fn middle(x: u32, context: &taskflow::TaskContext, y: &u32) -> u32 {
    context.progress(1, 2);
    std::future::ready(()).await;
    x + *y + context.attempt()
}

#[task(blocking)]
fn last(x: &str, _y: &str, this: &taskflow::tasks::TaskContext) {
    let _ = (x, this);
}

#[task]
fn alone(_: &TaskContext) {}

#[dag]
fn example() {
    let n: Output<u32> = middle(first(1), first(2));
    alone().after(n);
    last("a", "b");
}

fn main() {
    assert!(alone::def().takes_context);
    assert_eq!(alone::def().inputs.len(), 0);
    assert_eq!(first::call(&TaskContext::detached("first"), 2), 3);
    example::def().plan().unwrap();
}
