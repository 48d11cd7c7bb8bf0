use taskflow::asset::Day;
use taskflow::prelude::*;

taskflow::asset! {
    ORDERS: Asset<u64, Day> = "orders";
    RATES: Asset<f64> = "rates";
}

#[task]
fn another_payload(ctx: &TaskContext) -> Result<()> {
    ctx.emit(&RATES, "1.08")?;
    Ok(())
}

#[task]
fn without_its_partition(ctx: &TaskContext) -> Result<()> {
    ctx.emit(&ORDERS, 17)?;
    Ok(())
}

#[task]
fn another_partition(ctx: &TaskContext) -> Result<()> {
    ctx.emit_partition(&ORDERS, "2026-02-03", 17)?;
    Ok(())
}

fn main() {}
