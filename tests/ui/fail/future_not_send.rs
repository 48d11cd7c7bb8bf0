use taskflow::prelude::*;

use std::rc::Rc;

#[task]
async fn work() -> u32 {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    *shared
}

fn main() {}
