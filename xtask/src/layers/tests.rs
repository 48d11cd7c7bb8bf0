//! Tests on small crates in temporary directories.

use super::check;
use crate::scratch::Scratch;

const LIB: &str = "//! Docs.
//!
//! # Layers
//!
//! ```text
//! base             errors and
//!                  other things
//! run
//! dag
//! machine
//! spark sensors    two that do not import each other
//! ```

mod base;
mod dag;
mod machine;
mod run;
mod sensors;
mod spark;
#[doc(hidden)]
pub mod private;
";

/// Checks a crate that passes by itself, with these files added or replaced.
fn checked(name: &str, lib: &str, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let dir = Scratch::new(&format!("layers-{name}"));
    dir.write("lib.rs", lib);
    dir.write("base/mod.rs", "mod error;\npub use error::Error;\n");
    dir.write("base/error.rs", "pub struct Error;\n");
    dir.write("run.rs", "use crate::base::Error;\npub struct Info(Error);\n");
    dir.write("dag.rs", "use super::base::Error;\nfn f(_: crate::run::Info) {}\n");
    dir.write("machine/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use b::B;\n");
    dir.write("machine/a.rs", "use super::B;\npub struct A(B);\n");
    dir.write("machine/b.rs", "pub struct B;\n");
    dir.write("spark.rs", "use crate::machine::A;\n");
    dir.write("sensors.rs", "");
    dir.write("private.rs", "pub use crate::spark::*;\npub use crate::base;\n");
    for (file, text) in files {
        dir.write(file, text);
    }
    check(dir.path(), "src")
}

fn problems(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    checked(name, LIB, files).expect("the crate can be read")
}

/// The lines that name imports.
fn lines(problems: &[String]) -> Vec<String> {
    problems
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.strip_prefix("  "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn layers_that_import_only_lower_ones_pass() {
    assert_eq!(problems("pass", &[]), [""; 0]);
}

#[test]
fn an_import_of_a_higher_layer_is_named_with_its_file_and_line() {
    let found = problems("up", &[("base/error.rs", "\npub struct Error;\nuse crate::dag::Plan;\n")]);
    let line = "src/base/error.rs:3: `crate::dag::Plan`: layer `base` imports layer `dag`, which is above it";
    assert_eq!(lines(&found), [line]);
    assert!(found[0].contains("Move the imported item to a lower layer"), "{}", found[0]);
    assert!(found[0].ends_with("The documentation of src/lib.rs states the order."), "{}", found[0]);
}

#[test]
fn imports_are_found_however_they_are_written() {
    let source = "
        pub(crate) use super::super::dag::{self, freeze::{Plan as P, *}};
        fn f() { use crate::machine::A; crate::machine::g(); }
        type T = Vec<crate::machine::A>;
        impl crate::dag::Trait for T {}
        fn g() { println!(\"{}\", crate::dag::X); m! { super::super::dag::y } }
        macro_rules! m { () => { $crate::spark::run() } }
        #[serde(with = \"crate::dag::text\")] struct S(#[doc = \"crate::dag\"] u8);
        mod inner { use super::super::super::dag::Z; }
        pub(in crate::base) fn h() { let _ = <u8 as crate::private::P>::F; }
    ";
    let found = lines(&problems("forms", &[("base/error.rs", source)]));
    let numbers: Vec<&str> = found.iter().map(|line| line.split(':').nth(1).unwrap_or_default()).collect();
    assert_eq!(numbers, ["2", "2", "2", "3", "3", "4", "5", "6", "6", "7", "8", "9", "10"], "{found:#?}");
}

#[test]
fn what_is_compiled_only_for_tests_may_import_everything() {
    let source = "
        #[cfg(test)] mod tests { use crate::machine::A; }
        #[cfg(test)] mod more;
        #[cfg(all(test, unix))] use crate::dag::Plan;
        #[cfg(test)] fn f() -> crate::machine::A { crate::machine::A }
        /// See [`crate::machine`].
        struct S { #[cfg(test)] a: crate::machine::A }
        impl S { #[cfg(test)] fn f() { crate::machine::f() } }
        fn g() { #[cfg(test)] crate::machine::f(); #[cfg(test)] { crate::machine::f() } }
    ";
    assert_eq!(problems("tests", &[("base/error.rs", source)]), [""; 0]);
    let found = problems("not-tests", &[("base/error.rs", "#[cfg(any(test, unix))] use crate::dag::Plan;")]);
    assert_eq!(lines(&found).len(), 1);
}

#[test]
fn layers_on_one_line_do_not_import_each_other() {
    let files = [("spark.rs", "use crate::sensors::file;"), ("sensors.rs", "use crate::spark::Spark;")];
    let found = lines(&problems("beside", &files));
    assert_eq!(
        found,
        [
            "src/sensors.rs:1: `crate::spark::Spark`: layer `sensors` imports layer `spark`, which is beside it",
            "src/spark.rs:1: `crate::sensors::file`: layer `spark` imports layer `sensors`, which is beside it",
        ]
    );
}

#[test]
fn a_name_that_lib_re_exports_belongs_to_its_layer() {
    let lib = format!("{LIB}pub use machine::A;\npub use std::fmt;\n");
    let found = checked("lib", &lib, &[("dag.rs", "use crate::A;\nuse crate::fmt;\n")]).expect("it can be read");
    assert_eq!(lines(&found), ["src/dag.rs:1: `crate::A`: layer `dag` imports layer `machine`, which is above it"]);
}

#[test]
fn every_module_must_be_in_the_list_and_every_name_a_module() {
    let lib = LIB.replace("mod base;", "mod base; mod log;").replace("//! machine\n", "//! machine run store\n");
    let found = checked("unlisted", &lib, &[("log.rs", "")]).expect("it can be read");
    assert_eq!(
        found,
        [
            "the list of layers in src/lib.rs names `run` twice",
            "module `log` of src is not in the list of layers in lib.rs",
            "the list of layers in src/lib.rs names `store`, which is not a module",
        ]
    );
}

#[test]
fn without_a_list_the_error_explains_how_to_write_it() {
    let found = checked("no-list", &LIB.replace("# Layers", "Layers"), &[]).expect("it can be read");
    assert!(found[0].starts_with("src/lib.rs does not list its layers.\nAdd the heading `# Layers`"), "{found:?}");
}

#[test]
fn files_of_a_layer_must_not_import_each_other_in_a_cycle() {
    // Through the re-export of the folder, and by a path that begins with an imported module.
    let found =
        problems("cycle", &[("machine/b.rs", "use crate::machine;\npub struct B;\nfn f() { machine::A::new() }\n")]);
    assert_eq!(
        found,
        ["2 files import each other, for example in this cycle:\n  \
          src/machine/a.rs:1: `crate::machine::B`, defined in src/machine/b.rs\n  \
          src/machine/b.rs:3: `crate::machine::A::new`, defined in src/machine/a.rs\n\
          Move what several of them need to a file that imports none of them."]
    );
}

#[test]
fn cycles_are_followed_through_globs_and_renamed_imports() {
    let files = [
        ("machine/mod.rs", "mod a;\nmod b;\nmod c;\npub use a::*;\npub(crate) use b::B as Renamed;\n"),
        ("machine/a.rs", "use super::c::C;\npub struct A(C);\n"),
        ("machine/b.rs", "use super::A;\npub struct B(A);\n"),
        ("machine/c.rs", "pub struct C(crate::machine::Renamed);\n"),
    ];
    let found = problems("globs", &files);
    assert!(found[0].starts_with("3 files import each other"), "{found:?}");
    assert_eq!(lines(&found).len(), 3, "{found:?}");
}

#[test]
fn a_folder_that_uses_what_its_files_import_from_it_is_a_cycle() {
    let files = [
        ("machine/mod.rs", "mod a;\nmod b;\nuse a::A;\npub use b::B;\npub struct Core(A);\n"),
        ("machine/a.rs", "pub struct A(super::Core);\n"),
    ];
    assert_eq!(lines(&problems("folder", &files)).len(), 2);
}

#[test]
fn cycles_elsewhere_are_allowed() {
    let files = [
        ("base/mod.rs", "mod error;\npub use error::Error;\npub struct X(Error);\n"),
        ("base/error.rs", "pub struct Error(super::X);\n"),
    ];
    assert_eq!(problems("elsewhere", &files), [""; 0]);
}

#[test]
fn a_file_that_is_missing_or_broken_is_named() {
    let missing = checked("missing", &format!("{LIB}mod gone;\n"), &[]).expect_err("a file is missing");
    assert_eq!(missing, "src/lib.rs declares the module `gone`, but there is no src/gone.rs or src/gone/mod.rs");
    let broken = checked("broken", LIB, &[("dag.rs", "\nfn {\n")]).expect_err("a file is broken");
    assert!(broken.starts_with("src/dag.rs:2: cannot be parsed: "), "{broken}");
}
