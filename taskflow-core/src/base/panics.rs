//! Catches panics of user code, with their message and location.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Failure;

thread_local! {
    /// How many nested calls of [`catch`] this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// The location of the last panic inside one.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether there may be a location: reading this costs less than looking.
    static HAS_PLACE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the previous panic hook is bypassed for panics inside tasks. The command line sets it,
/// because it reports them itself.
pub(crate) static QUIET: AtomicBool = AtomicBool::new(false);

/// Calls `function`; a panic becomes a [`Failure::Panic`] with its message and location.
///
/// Only a panic hook sees the location, so taskflow installs one for the process. It records the
/// location of panics inside tasks and calls the previous hook.
#[inline]
pub(crate) fn catch<R>(function: impl FnOnce() -> R) -> Result<R, Failure> {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    // Not every panic runs the hook, so an earlier location must not remain.
    let outer = if HAS_PLACE.get() { replace_place(None) } else { None };
    let result = catch_unwind(AssertUnwindSafe(function));
    DEPTH.set(depth);
    let location = if HAS_PLACE.get() || outer.is_some() { replace_place(outer) } else { None };
    result.map_err(|payload| failure(payload, location))
}

/// Replaces the location of the last panic of this thread.
#[cold]
fn replace_place(place: Option<String>) -> Option<String> {
    HAS_PLACE.set(place.is_some());
    PLACE.replace(place)
}

#[cold]
fn failure(payload: Box<dyn Any + Send>, location: Option<String>) -> Failure {
    let panic = Failure::Panic { message: panic_message(&*payload), location };
    // The payload is user data: if its destructor panics, leak the second payload.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    panic
}

/// Drops a value of the user; a panic of its destructor is only reported by the panic hook.
pub(crate) fn drop_quietly<T>(value: T) {
    let _ = catch(|| drop(value));
}

/// Values of the user that are always dropped with [`drop_quietly`].
#[derive(Debug)]
pub(crate) struct Quietly<T>(pub(crate) Vec<T>);

impl<T> Deref for Quietly<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Drop for Quietly<T> {
    fn drop(&mut self) {
        // One at a time: a second panic during unwinding would abort the process.
        self.0.drain(..).for_each(drop_quietly);
    }
}

/// Installs the hook that records the location of panics inside [`catch`]. Must run before user
/// code.
pub(crate) fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let inside = DEPTH.get() > 0;
            if inside {
                replace_place(info.location().map(ToString::to_string));
            }
            if !(inside && QUIET.load(Ordering::Relaxed)) {
                previous(info);
            }
        }));
    });
}

/// The text of a panic payload.
fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the panic payload is not text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_without_a_location_does_not_report_that_of_an_earlier_panic() {
        install_hook();
        let caught = catch(|| catch_unwind(|| panic!("caught by the task")).is_err());
        assert!(matches!(caught, Ok(true)));
        let resumed = catch(|| std::panic::resume_unwind(Box::new("resumed")));
        let Err(Failure::Panic { message, location }) = resumed else { unreachable!("it panics") };
        assert_eq!((message.as_str(), location), ("resumed", None));
    }
}
