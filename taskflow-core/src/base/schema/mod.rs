//! What documents look like in JSON: tables that `#[derive(Schema)]` makes of their types, and of
//! which the server makes the schemas of its `OpenAPI` document.

#[cfg(feature = "server")]
mod shapes;

pub(crate) use taskflow_macros::Schema;

#[cfg(feature = "server")]
pub(crate) use shapes::{Case, Cases, Member, Object, Of, Schema, Shape, Words};
