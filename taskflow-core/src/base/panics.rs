//! Catches panics of user code, with their message and location.

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
}

/// Whether the previous panic hook is bypassed for panics inside tasks. The command line sets it,
/// because it reports them itself.
pub(crate) static QUIET: AtomicBool = AtomicBool::new(false);

/// Calls `function`; a panic becomes a [`Failure::Panic`] with its message and location.
///
/// Only a panic hook sees the location, so taskflow installs one for the process. It records the
/// location of panics inside tasks and calls the previous hook.
pub(crate) fn catch<R>(function: impl FnOnce() -> R) -> Result<R, Failure> {
    DEPTH.set(DEPTH.get() + 1);
    // Not every panic runs the hook, so an earlier location must not remain.
    let outer = PLACE.take();
    let result = catch_unwind(AssertUnwindSafe(function));
    let location = PLACE.replace(outer);
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        let panic = Failure::Panic { message: panic_message(&*payload), location };
        // The payload is user data: if its destructor panics, leak the second payload.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        panic
    })
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
                PLACE.set(info.location().map(ToString::to_string));
            }
            if !(inside && QUIET.load(Ordering::Relaxed)) {
                previous(info);
            }
        }));
    });
}

/// The text of a panic payload.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
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
