//! Programs that must not compile, with exactly these messages, and programs that must.
//!
//! The messages belong to the compiler that `rust-toolchain.toml` names. After a change of either,
//! `TRYBUILD=overwrite cargo test -p taskflow-ui-tests` rewrites them; read the result.

#[test]
fn invalid_programs_are_explained() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}

#[test]
fn valid_programs_compile_and_run() {
    trybuild::TestCases::new().pass("pass/*.rs");
}
