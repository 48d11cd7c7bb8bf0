//! What an arm binds is cloned out of the variant.

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order(u32);

#[derive(Serialize, Deserialize)]
enum Route {
    Small(Order),
    Nothing,
}

#[task]
fn route() -> Route {
    Route::Nothing
}

#[task]
fn load(order: &Order) -> u32 {
    order.0
}

#[dag]
fn example() -> u32 {
    branch!(route() => {
        Route::Small(order) => load(order),
        Route::Nothing => load(Order(0)),
    })
}

fn main() {}
