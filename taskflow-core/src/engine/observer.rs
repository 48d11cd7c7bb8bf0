//! Who sees the events of a run.

use crate::run::Event;

/// Sees the events of a run, in order, on a thread of its own: it may be slow without holding the run back.
pub trait Observer: Send + 'static {
    /// One transition.
    fn on_event(&mut self, event: &Event);
}

impl<F: FnMut(&Event) + Send + 'static> Observer for F {
    fn on_event(&mut self, event: &Event) {
        self(event);
    }
}
