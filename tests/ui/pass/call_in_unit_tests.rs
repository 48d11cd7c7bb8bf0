//! `f::call` is the function as it was written.
use taskflow::prelude::*;

#[task]
fn add(a: u32, b: &u32) -> u32 {
    a + *b
}

#[task]
async fn slow(names: &[String], ctx: &TaskContext) -> Result<usize> {
    if ctx.is_cancelled() {
        return Err(ctx.skip("cancelled"))?;
    }
    Ok(names.len())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(add::call(1, &2), 3);
    assert_eq!(slow::call(&["a".to_owned()], &TaskContext::detached("slow")).await.unwrap(), 1);
}
