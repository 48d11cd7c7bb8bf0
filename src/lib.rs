//! taskflow
