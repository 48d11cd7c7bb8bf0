//! Tasks and DAGs may be declared where they are used.
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

fn main() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Local(u32);

    /// A task in a function.
    #[task(blocking)]
    fn make(ctx: &TaskContext, n: u32) -> taskflow::Result<Local> {
        let _ = ctx;
        Ok(Local(n))
    }

    #[task]
    async fn take(local: &Local) -> u32 {
        local.0
    }

    #[dag(schedule = "@daily")]
    fn inner(#[param(default = 4)] n: u32) -> u32 {
        #[task]
        fn innermost(x: u32) -> u32 {
            x + 1
        }
        innermost(take(make(n)))
    }

    assert_eq!(inner::def().plan().unwrap().len(), 3);
    assert_eq!(inner::def().module, module_path!());
    assert_eq!(taskflow::Registry::dags().len(), 1);
    assert_eq!(taskflow::Registry::tasks().len(), 3);
}
