//! Programs that nobody here wrote and that test the server: their Python environment.

use std::path::{Path, PathBuf};

/// The environment of `cargo xtask clients`. Without it, fails the test with instructions.
pub struct Clients {
    venv: PathBuf,
}

impl Clients {
    pub fn find() -> Clients {
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients-venv");
        assert!(
            venv.join("bin/python").exists(),
            "this test needs programs from PyPI: `cargo xtask clients` installs them into target/clients-venv"
        );
        Clients { venv }
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.venv.join("bin").join(name)
    }

    /// A file of a package.
    pub fn file(&self, path: &str) -> PathBuf {
        let versions = self.venv.join("lib").read_dir().into_iter().flatten().flatten();
        let mut files = versions.map(|version| version.path().join("site-packages").join(path));
        files.find(|file| file.exists()).unwrap_or_else(|| {
            panic!("{path} is not in {}: remove it and call `cargo xtask clients`", self.venv.display())
        })
    }
}
