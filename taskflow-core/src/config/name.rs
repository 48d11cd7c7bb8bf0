//! Names of variables, connections and secrets.
//!
//! Environment variables use only capitals and underscores, so names are compared in that form:
//! `late-after`, `late_after` and `LATE_AFTER` are the same name.

use std::collections::BTreeMap;

/// The name as used in the environment, after its prefix.
pub(super) fn in_environment(name: &str) -> String {
    let shown = |c: char| if c.is_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(shown).collect()
}

/// Values by name, each with the first spelling of its name.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(BTreeMap<String, (String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(BTreeMap::new())
    }
}

impl<T> Named<T> {
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.0.get(&in_environment(name)).map(|(_, value)| value)
    }

    /// Sets a value. An existing spelling of the name is preserved.
    pub(super) fn set(&mut self, name: &str, value: T) {
        let key = in_environment(name);
        let written = self.0.remove(&key).map_or_else(|| name.to_owned(), |(written, _)| written);
        self.0.insert(key, (written, value));
    }

    /// The existing spelling of this name.
    pub(super) fn written(&self, name: &str) -> Option<&str> {
        self.0.get(&in_environment(name)).map(|(written, _)| &**written)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|(name, _)| &**name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.values().map(|(name, value)| (&**name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_name_are_equal() {
        let mut named = Named::default();
        named.set("late-after", 1);
        named.set("LATE_AFTER", 2);
        assert_eq!(named.get("late.after"), Some(&2));
        assert_eq!(named.names().collect::<Vec<_>>(), ["late-after"]);
    }
}
