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
    /// Texts with names of the client's choice: `param.NAME`, which may be repeated. Only in a
    /// query.
    Params,
    /// Any JSON value. Not in a query.
    Json,
    /// An object. Not in a query.
    Object,
}

/// What the name of a field of the kind [`Params`](Kind::Params) begins with.
pub(in crate::server) const PARAM: &str = "param.";

impl Field {
    /// Whether a parameter or a member with this name is of it.
    pub(in crate::server) fn is_named(&self, name: &str) -> bool {
        match self.kind {
            Kind::Params => name.strip_prefix(PARAM).is_some_and(|param| !param.is_empty()),
            _ => name == self.name,
        }
    }

    pub(super) const fn required(self) -> Self {
        Field { is_required: true, ..self }
    }
}

pub(super) const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_required: false, about }
}

pub(super) const LIMIT: Field = field("limit", Kind::Number(1, 1_000), "At most this many. Default: 50");
pub(super) const LIMIT_OF_ALL: Field = field("limit", Kind::Number(1, 1_000), "At most this many. Default: all");
pub(super) const AFTER: Field =
    field("after", Kind::Text, "The place where the page begins, as the header Link has it");
/// The pages of a list that is answered as a whole unless a limit is named.
pub(super) const PAGES: &[Field] = &[LIMIT_OF_ALL, AFTER];
pub(super) const DAG: Field = field("dag", Kind::Text, "Only of this DAG");
pub(super) const REASON: Field = field("reason", Kind::Text, "Why, for the history");
pub(super) const BY: Field = field("by", Kind::Text, "Who, for the history. Default: the account of the server");
pub(super) const NOTE: &[Field] = &[REASON, BY];
pub(super) const DRY_RUN: Field = field("dry_run", Kind::Switch, "Shows what would change, and changes nothing");
pub(super) const STATE: Field = field("state", Kind::Texts, "Only in these states");
