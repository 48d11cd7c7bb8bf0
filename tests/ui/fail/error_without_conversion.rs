use taskflow::prelude::*;

#[derive(Debug, thiserror::Error)]
#[error("there is no page")]
struct NoPage;

#[task]
fn skips(ctx: &TaskContext) -> Result<u32, NoPage> {
    Err(ctx.skip("nothing has landed"))?
}

#[task]
fn asks(ctx: &TaskContext) -> Result<u32, NoPage> {
    ctx.connection("dwh")?;
    Ok(1)
}

fn main() {}
