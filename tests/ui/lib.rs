//! Nothing: the programs are in `fail` and `pass`, and `ui.rs` compiles them.
