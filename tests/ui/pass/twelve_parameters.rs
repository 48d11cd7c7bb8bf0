//! There is no limit on the number of parameters, nor on their types.
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

#[derive(Clone, Serialize, Deserialize)]
struct Page<T> {
    rows: Vec<T>,
}

#[derive(Serialize, Deserialize)]
struct NotClone(u8);

#[task]
async fn many(
    a: u8,
    b: &i128,
    c: f32,
    d: Option<Option<u32>>,
    e: &HashMap<String, Vec<(u32, f64)>>,
    f: (u8, String),
    g: [u16; 4],
    h: &Page<Page<u8>>,
    i: Cow<'static, str>,
    j: &NotClone,
    k: Arc<Vec<u8>>,
    ctx: &TaskContext,
    l: std::time::Duration,
    m: &[(Date, Timestamp)],
    n: Box<u8>,
) -> BTreeMap<String, u32> {
    std::future::ready(()).await;
    let _ = (a, b, c, d, e, f, g, h.rows.len(), i, j.0, k, l, m, n);
    BTreeMap::from([(ctx.task_id().to_owned(), 1)])
}

#[task]
fn page() -> Page<Page<u8>> {
    Page { rows: vec![] }
}

#[dag]
fn example(day: Date) -> BTreeMap<String, u32> {
    let _ = day;
    many(
        1,
        2,
        3.0,
        Some(None),
        HashMap::new(),
        (4, "five".to_owned()),
        [6, 7, 8, 9],
        page(),
        Cow::Borrowed("ten"),
        NotClone(11),
        Arc::new(vec![12]),
        std::time::Duration::from_secs(13),
        Vec::<(Date, Timestamp)>::new(),
        Box::new(14),
    )
}

fn main() {
    assert_eq!(many::def().inputs.len(), 14);
    example::def().plan().unwrap();
}
