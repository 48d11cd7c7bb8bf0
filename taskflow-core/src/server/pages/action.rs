//! What a visitor can do with a run, a DAG or a question: a button of a page.

/// A button that acts at once, or that opens a form.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) words: &'static str,
    pub(crate) href: String,
    /// Whether it acts at once.
    pub(crate) is_direct: bool,
}

impl Action {
    /// A link to a form, which says more before anything is changed.
    pub(crate) fn form(words: &'static str, href: String) -> Action {
        Action { words, href, is_direct: false }
    }

    /// A button that acts at once.
    pub(crate) fn direct(words: &'static str, href: String) -> Action {
        Action { words, href, is_direct: true }
    }

    /// The key that opens its form; empty for those without one. No key acts at once.
    pub(crate) fn key(&self) -> &'static str {
        match self.words {
            "Trigger…" => "t",
            "Pause…" => "p",
            "Clear…" => "c",
            "Mark…" => "m",
            _ => "",
        }
    }
}
