//! Where the events of a stream come from.

/// The events of a stream.
pub(in crate::server) trait Source: Send + 'static {
    /// Waits for the next events; `None` after the last ones.
    ///
    /// Cancel safe: events that were not returned come with the next call.
    fn next(&mut self) -> impl Future<Output = Option<Batch>> + Send;
}

/// Events as they are sent.
#[derive(Debug, Default)]
pub(in crate::server) struct Batch(String);

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// An event without a name.
    pub(super) fn event(&mut self, id: impl std::fmt::Display, data: &str) {
        self.0 += &format!("id: {id}\n");
        self.data(data);
    }

    /// Events that were written before.
    pub(super) fn written(&mut self, events: &str) {
        self.0 += events;
    }

    /// An event with a name, which does not move the place of the client.
    pub(super) fn named(&mut self, name: &str, data: &str) {
        self.0 += &format!("event: {name}\n");
        self.data(data);
    }

    /// An event with a name and a place.
    pub(super) fn named_at(&mut self, name: &str, id: impl std::fmt::Display, data: &str) {
        self.0 += &format!("id: {id}\n");
        self.named(name, data);
    }

    /// How long a client waits before it connects again.
    pub(super) fn retry(&mut self, millis: u64) {
        self.0 += &format!("retry: {millis}\n\n");
    }

    /// The data and the end of an event. Clients take `\r` for the end of a line, too.
    fn data(&mut self, data: &str) {
        for line in data.split(['\n', '\r']) {
            self.0 += &format!("data: {line}\n");
        }
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_several_lines_stays_one_event() {
        let mut batch = Batch::default();
        batch.event(7, "a\nb");
        batch.named_at("end", "1.2", "{}");
        assert_eq!(batch.into_text(), "id: 7\ndata: a\ndata: b\n\nid: 1.2\nevent: end\ndata: {}\n\n");
    }
}
