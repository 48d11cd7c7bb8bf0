//! Compile time of tasks: a generated crate with 500 tasks, checked from scratch and again after a
//! change of one task.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::process::{cargo, root, scratch, time};
use super::{Fact, Problem, round, spread};

const MODULES: usize = 5;
/// Each module has this many blocks of four tasks: 500 tasks in all.
const BLOCKS: usize = 25;
const CHANGES: usize = 5;

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let folder = scratch("many-tasks")?;
    write_crate(&folder)?;
    let target = folder.join("target");
    let check = || time(cargo(&folder, &["check"]).env("CARGO_TARGET_DIR", &target));

    // Builds the dependencies, and refreshes what an earlier measurement left.
    check()?;
    time(cargo(&folder, &["clean", "--package", "many-tasks"]).env("CARGO_TARGET_DIR", &target))?;
    let whole = check()?;

    let mut changed: Vec<Duration> = Vec::new();
    for change in 1..=CHANGES {
        fs::write(folder.join("src").join(module_file(2)), module(2, change))?;
        changed.push(check()?);
    }
    Ok(vec![
        Fact {
            what: "`cargo check` of a crate with 500 tasks, dependencies checked before",
            measured: round(whole),
            budget: "",
        },
        Fact { what: "the same after a change in the body of one task", measured: spread(&changed), budget: "2 s" },
    ])
}

fn write_crate(folder: &Path) -> Result<(), Problem> {
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"many-tasks\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ntaskflow = {{ path = {:?} }}\n\n\
         # It lies inside the folder of another workspace and is none of its members.\n[workspace]\n",
        root()
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    // The same versions as in all other measurements.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    fs::write(folder.join("src").join("main.rs"), main())?;
    for number in 0..MODULES {
        fs::write(folder.join("src").join(module_file(number)), module(number, 0))?;
    }
    Ok(())
}

fn module_file(number: usize) -> String {
    format!("part_{number}.rs")
}

/// A module with tasks of four kinds. `change` is a number in the body of the first one.
fn module(number: usize, change: usize) -> String {
    let mut text = format!("//! Part {number}.\n\nuse taskflow::prelude::*;\n");
    for block in 0..BLOCKS {
        let plus = if block == 0 { change } else { block };
        let _ = write!(
            text,
            "
/// A number from a number.
#[task]
pub fn number_{block}(x: u64) -> u64 {{
    x.wrapping_add({plus})
}}

/// A list, later.
#[task(retries = 3, retry_delay = \"5s\", timeout = \"10m\")]
pub async fn list_{block}(x: u64) -> Result<Vec<u64>> {{
    Ok(vec![x; 3])
}}

/// A sum, with a name.
#[task(tags = [\"sum\"])]
pub fn total_{block}(values: &[u64], name: &str) -> u64 {{
    values.iter().sum::<u64>().wrapping_add(name.len() as u64)
}}

/// Two into one.
#[task]
pub fn join_{block}(a: u64, b: Option<u64>) -> u64 {{
    a.wrapping_add(b.unwrap_or_default())
}}
"
        );
    }
    text
}

/// One DAG of all tasks.
fn main() -> String {
    let mut text = "//! Many tasks.\n\nuse taskflow::prelude::*;\n\n".to_owned();
    for number in 0..MODULES {
        let _ = writeln!(text, "mod part_{number};");
    }
    text.push_str("\n/// All of them.\n#[dag]\nfn all(#[param(default = 1)] start: u64) -> u64 {\n    let mut x = part_0::number_0(start);\n");
    for number in 0..MODULES {
        for block in 0..BLOCKS {
            let _ = writeln!(
                text,
                "    x = part_{number}::number_{block}(x);\n    \
                 x = part_{number}::join_{block}(x, part_{number}::total_{block}(part_{number}::list_{block}(x), \"block\"));"
            );
        }
    }
    text.push_str("    x\n}\n\ntaskflow::main!();\n");
    text
}
