use std::rc::Rc;

use taskflow::prelude::*;

taskflow::asset! {
    OF_A_DAG: Asset<u64> = "dag:orders";
    NAMELESS: Asset<u64> = "";
    SPACED: Asset<u64> = "daily orders";
}

mod payloads {
    use super::*;

    taskflow::asset! {
        NOT_STORABLE: Asset<Rc<u64>> = "counter";
    }
}

mod partitions {
    use super::*;

    taskflow::asset! {
        BY_NUMBER: Asset<u64, f64> = "by number";
    }
}

fn main() {}
