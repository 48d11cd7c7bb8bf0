//! `cargo xtask layers`: checks that each layer of taskflow-core imports only lower ones.

use crate::failure::Failure;
use crate::layers;
use crate::workspace;

/// The source whose layers are checked, from the root of the workspace.
const SRC: &str = "taskflow-core/src";

pub(crate) fn run() -> Result<(), Failure> {
    let problems = layers::check(&workspace::root().join(SRC), SRC);
    let problems = problems.map_err(|why| Failure::new(format!("\nerror: {why}")))?;
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> = problems.into_iter().map(|problem| format!("\nerror: {problem}")).collect();
    Err(Failure::new(problems.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn the_layers_of_taskflow_core_are_in_order() {
        if let Err(failure) = run() {
            panic!("{failure}");
        }
    }
}
