//! Installs the programs that test the server and that nobody here wrote, from `PyPI` into the
//! target directory.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::step::Step;
use crate::workspace;

/// A generator of clients and a tester of APIs by their `OpenAPI` document, a parser of metrics,
/// and the rules of axe for pages, which that package contains as a file.
const PACKAGES: [&str; 3] = ["openapi-python-client==0.29.1", "prometheus-client==0.26.0", "schemathesis==4.32.5"];
/// Without what it depends on: the tests have a browser.
const AXE: &str = "axe-playwright-python==0.1.8";

/// Installs the programs if no earlier call did.
pub(crate) fn ensure() -> Result<(), Failure> {
    let venv = workspace::root().join("target/clients-venv");
    // Written last, with the versions: other versions are installed over them.
    let mark = venv.join("installed");
    let wanted = format!("{} {AXE}", PACKAGES.join(" "));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    Step::program("Python for the clients", Path::new("python3"), ["-m", "venv"]).arg(&venv).run()?;
    let python: PathBuf = venv.join("bin/python");
    Step::program("clients", &python, ["-m", "pip", "install", "--quiet"]).args(PACKAGES).run()?;
    Step::program("axe", &python, ["-m", "pip", "install", "--quiet", "--no-deps", AXE]).run()?;
    fs::write(&mark, wanted).map_err(|error| Failure::new(format!("cannot write {}: {error}", mark.display())))
}
