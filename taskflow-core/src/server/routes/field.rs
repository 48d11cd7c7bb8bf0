//! What a query or a body may have.

/// A parameter of a query, or a member of a body.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Field {
    pub(in crate::server) name: &'static str,
    pub(in crate::server) kind: Kind,
    pub(in crate::server) is_required: bool,
    pub(in crate::server) about: &'static str,
}

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum Kind {
    Text,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A whole number, from the first to the second.
    Number(i64, i64),
    Switch,
    /// A point in time or a day, as text.
    Time,
    /// A duration such as `30s`, of at most so many seconds.
    Span(u64),
    /// Texts. In a query, repeated or separated by commas.
    Texts,
    /// Any JSON value. Not in a query.
    Json,
    /// An object. Not in a query.
    Object,
}

impl Field {
    pub(super) const fn required(self) -> Self {
        Field { is_required: true, ..self }
    }
}

pub(super) const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_required: false, about }
}
