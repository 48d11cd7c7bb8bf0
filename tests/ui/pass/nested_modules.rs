//! The generated items have the visibility of the function.
mod reading {
    pub(crate) mod deep {
        use serde::{Deserialize, Serialize};

        #[derive(Clone, Serialize, Deserialize)]
        pub(crate) struct Row(pub(crate) u32);

        #[taskflow::task]
        pub(crate) fn read() -> Vec<Row> {
            vec![Row(1)]
        }

        #[taskflow::task(id = "private-one")]
        fn private(n: u32) -> u32 {
            n
        }

        pub(in crate::reading) mod deeper {
            #[taskflow::task]
            pub(in crate::reading) fn only_there(rows: &[super::Row]) -> u32 {
                rows.iter().map(|row| row.0).sum()
            }
        }

        #[taskflow::dag]
        pub fn inner() -> u32 {
            private(4)
        }
    }

    #[taskflow::dag]
    pub(super) fn outer() -> u32 {
        deep::deeper::only_there(deep::read())
    }
}

use reading::deep::read;

#[taskflow::dag]
fn other() -> Vec<reading::deep::Row> {
    read()
}

fn main() {
    for def in taskflow::Registry::dags() {
        def.plan().unwrap();
    }
    assert_eq!(read::call().len(), 1);
    assert!(read::def().module.ends_with("::reading::deep"));
    assert_eq!(reading::deep::inner::def().id, "inner");
    assert_eq!(reading::outer::def().id, "outer");
}
