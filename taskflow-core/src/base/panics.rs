//! Catching the panics of user code, with their message and their place.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Failure;

thread_local! {
    /// How many calls of [`catch`] this thread is inside.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic inside one happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether panics inside tasks are kept from the hook that was there before: set by the command line, which reports them
/// itself.
pub(crate) static QUIET: AtomicBool = AtomicBool::new(false);

/// Calls `function`; a panic becomes a [`Failure::Panic`] with its message and place.
///
/// The place is known only to the panic hook, so taskflow adds one to the process that notes it for panics inside tasks
/// and passes everything on to the hook that was there before.
pub(crate) fn catch<R>(function: impl FnOnce() -> R) -> Result<R, Failure> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(function));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        let panic = Failure::Panic { message: panic_message(&*payload), location: PLACE.take() };
        // The payload is user data; a payload whose destructor panics is left where it is.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        panic
    })
}

/// Drops a value of the user's; a destructor that panics harms nobody, the panic hook has said so.
pub(crate) fn drop_quietly<T>(value: T) {
    let _ = catch(|| drop(value));
}

/// Values of the user's that are dropped as by [`drop_quietly`], whoever drops them.
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
        // One at a time: a second panic while the first unwinds would end the process.
        self.0.drain(..).for_each(drop_quietly);
    }
}

/// Makes panics inside [`catch`] leave their place. Called before user code is.
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

/// The text of a panic's payload.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic whose payload is no text").to_owned()
}
