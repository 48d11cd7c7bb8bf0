use taskflow::asset::Day;
use taskflow::prelude::*;

taskflow::asset! {
    ORDERS: Asset<u64, Day> = "orders";
    REGIONS: Asset<u64, String> = "regions";
}

#[task(produces = ORDERS)]
fn another_payload() -> String {
    String::new()
}

#[task(produces = REGIONS)]
fn no_partition_of_a_run() -> Result<u64> {
    Ok(1)
}

#[task(produces = "orders")]
fn a_text() -> u64 {
    1
}

#[task(produces = [ORDERS])]
fn a_list() -> u64 {
    1
}

#[task(produces = 17 + 4)]
fn no_asset() -> u64 {
    1
}

#[task(on_change)]
fn produces_nothing() -> u64 {
    1
}

#[task(outlets = [ORDERS])]
fn in_the_words_of_airflow() -> u64 {
    1
}

#[task(inlets = [ORDERS])]
fn takes_no_assets(rows: u64) -> u64 {
    rows
}

fn main() {}
