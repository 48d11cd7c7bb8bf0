//! Event parameters of every type, of assets and of DAGs, beside other parameters.

use taskflow::asset::{Day, Month};
use taskflow::prelude::*;

taskflow::asset! {
    /// Exchange rates.
    pub RATES: Asset<f64> = "ecb/rates";
    pub ORDERS: Asset<Vec<u32>, Day> = "warehouse/orders";
}

mod other {
    use taskflow::prelude::*;

    #[task]
    fn number() -> u32 {
        3
    }

    #[dag]
    pub fn numbers() -> u32 {
        number()
    }
}

/// A type of the user with such a name is no event.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Latest<T>(T);

#[task]
fn sum(rates: Events<f64>, number: Event<u32>, orders: Option<taskflow::asset::Latest<Vec<u32>, Day>>) -> f64 {
    let orders: u32 = orders.map_or(0, |orders| orders.iter().sum());
    rates.values().sum::<f64>() + f64::from(*number) + f64::from(orders)
}

#[dag(max_active_runs = 2, paused, timezone = "Asia/Seoul")]
fn all(
    /// The rates.
    #[event(RATES, max_age = "12h", settle = "30s", max = 100)]
    rates: Events<f64>,
    #[event(other::numbers)] number: Event<u32>,
    #[event(ORDERS)] orders: Option<taskflow::asset::Latest<Vec<u32>, Day>>,
    #[event(crate::RATES)] seen: Seen<f64>,
    #[param(default = |run| run.day())] day: Date,
    #[param(default = Latest(1))] plain: Latest<u32>,
) -> f64 {
    let _ = (seen, day, plain);
    sum(rates, number, orders)
}

#[dag(schedule = "0 6 * * *", wait = "3h")]
fn both(#[event(RATES)] rates: Events<f64>) -> f64 {
    sum(rates, Event::new(1), None)
}

#[dag(schedule = "0 6 * * *", events = "or")]
fn either(#[event(RATES)] rates: Option<Events<f64>>) {
    let _ = rates;
}

/// A key is made of an event, by a closure or a function.
#[dag(pause_after_failures = 3)]
fn each(#[event(ORDERS, key = |order| order.partition.month())] orders: Events<Vec<u32>, Day>) {
    let _ = orders;
}

fn first(order: &Event<Vec<u32>, Day>) -> u32 {
    order.value[0]
}

#[dag]
fn each_first(#[event(ORDERS, key = first, settle = "30s")] orders: Event<Vec<u32>, Day>) {
    let _ = orders;
}

#[task]
fn days(month: &Complete<Month, Vec<u32>>) -> usize {
    month.len()
}

#[dag]
fn monthly(#[event(ORDERS, on_update = "rerun")] month: Complete<Month, Vec<u32>>) -> usize {
    days(month)
}

#[dag]
fn most(#[event(ORDERS, at_least = 20, settle = "1h")] month: Complete<Month, Vec<u32>>) -> usize {
    days(month)
}

#[dag]
fn nearly(#[event(ORDERS, all_but = 2)] month: Complete<Month, Vec<u32>>) -> usize {
    days(month)
}

fn main() {
    let month = Complete::new("2028-02".parse().unwrap(), |_| Vec::new());
    assert_eq!(monthly::run(month).wait().unwrap().success().unwrap(), &29);
    assert!(most::def().consumer().is_ok() && nearly::def().consumer().is_ok());
    assert!(each::def().consumer().is_ok() && each_first::def().consumer().is_ok());
    let date = "2026-02-03".parse().unwrap();
    let orders = taskflow::asset::Latest(Event::of_partition(Day(date), vec![1, 2]));
    let run = all::run(Events::new([0.5, 1.5]), Event::new(4), Some(orders), Seen::default(), date, Latest(1));
    assert_eq!(run.wait().unwrap().success().unwrap(), &9.0);
    let params = (all::def().params)();
    let events: Vec<_> = params.iter().filter_map(|param| param.event.as_ref().map(|event| &*event.asset)).collect();
    assert_eq!(events, ["ecb/rates", "dag:numbers", "warehouse/orders", "ecb/rates"]);
    assert!(both::def().plan().is_ok() && either::def().plan().is_ok());
}
