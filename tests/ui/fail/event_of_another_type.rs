use serde::{Deserialize, Serialize};
use taskflow::asset::Day;
use taskflow::prelude::*;

#[derive(Clone, Serialize, Deserialize)]
struct Loaded {
    rows: u64,
}

taskflow::asset! {
    ORDERS: Asset<Loaded, Day> = "warehouse/orders";
    RATES: Asset<f64> = "ecb/rates";
}

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn orders() -> u32 {
    number()
}

#[dag]
fn wrong_payload(#[event(RATES)] rates: Events<u32>) -> u32 {
    let _ = rates;
    number()
}

#[dag]
fn wrong_partition(#[event(ORDERS)] orders: Latest<Loaded>) -> u32 {
    let _ = orders;
    number()
}

#[dag]
fn wrong_result(#[event(orders)] orders: Event<String>) -> u32 {
    let _ = orders;
    number()
}

#[dag]
fn wrong_period(#[event(ORDERS)] orders: Complete<Day, Loaded>) -> u32 {
    let _ = orders;
    number()
}

#[dag]
fn key_without_text(#[event(ORDERS, key = |order| order.value.clone())] orders: Events<Loaded, Day>) -> u32 {
    let _ = orders;
    number()
}

#[dag]
fn plain(#[event(RATES)] rates: f64) -> u32 {
    let _ = rates;
    number()
}

#[dag]
fn not_an_asset(#[event(number::def())] rates: Event<f64>) -> u32 {
    let _ = rates;
    number()
}

fn main() {}
