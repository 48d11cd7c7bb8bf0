//! A value whose type the graph knows, but the engine does not.
//!
//! A number, a `bool`, a `char` or `()` is held in place and copied. Every other value is behind an
//! `Arc`, so that its consumers share it. Without the first kind, a graph of tasks that pass
//! numbers would spend much of its time on allocating eight bytes for each of them, and consumers
//! on several cores would take turns to count the references to one number.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

/// A value of any type. It is cheap to clone.
#[derive(Clone)]
pub struct AnyValue(Held);

#[derive(Clone)]
enum Held {
    Small(Small),
    Shared(Arc<dyn Any + Send + Sync>),
}

macro_rules! small {
    ($($variant:ident($type:ty)),* $(,)?) => {
        /// A value that is copied.
        #[derive(Clone, Copy)]
        enum Small {
            $($variant($type)),*
        }

        // The type of each comparison is known at compile time: optimised code has one branch.
        impl Small {
            #[inline]
            fn of<T: 'static>(value: &T) -> Option<Small> {
                let value: &dyn Any = value;
                $(if let Some(&value) = value.downcast_ref::<$type>() {
                    return Some(Small::$variant(value));
                })*
                None
            }

            #[inline]
            fn get<T: 'static>(&self) -> Option<&T> {
                match self {
                    $(Small::$variant(value) => (value as &dyn Any).downcast_ref()),*
                }
            }

            #[inline]
            fn take<T: 'static>(self) -> Option<T> {
                let mut taken: Option<T> = None;
                let place: &mut dyn Any = &mut taken;
                match self {
                    $(Small::$variant(value) => if let Some(place) = place.downcast_mut() {
                        *place = Some(value);
                    }),*
                }
                taken
            }
        }
    };
}

small! {
    Unit(()),
    Bool(bool),
    Char(char),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    Usize(usize),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Isize(isize),
    F32(f32),
    F64(f64),
}

impl AnyValue {
    /// Holds a value.
    #[inline]
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        AnyValue(match Small::of(&value) {
            Some(small) => Held::Small(small),
            None => Held::Shared(Arc::new(value)),
        })
    }

    /// Whether the value is a `T`.
    pub fn is<T: 'static>(&self) -> bool {
        self.downcast_ref::<T>().is_some()
    }

    /// The value, if it is a `T`.
    #[inline]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        match &self.0 {
            Held::Small(small) => small.get(),
            Held::Shared(value) => value.downcast_ref(),
        }
    }

    /// The value as a typed handle.
    ///
    /// # Errors
    ///
    /// Returns the value if it is not a `T`.
    #[inline]
    pub fn downcast<T: Send + Sync + 'static>(self) -> Result<Arc<T>, AnyValue> {
        match self.0 {
            Held::Small(small) => small.take().map(Arc::new).ok_or(AnyValue(Held::Small(small))),
            Held::Shared(value) => value.downcast().map_err(|value| AnyValue(Held::Shared(value))),
        }
    }
}

impl<T: Send + Sync + 'static> From<Arc<T>> for AnyValue {
    fn from(value: Arc<T>) -> Self {
        AnyValue(Held::Shared(value))
    }
}

impl fmt::Debug for AnyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyValue")
    }
}

/// Takes the value: moved if this is the last handle, cloned otherwise.
///
/// # Panics
///
/// If the value is not a `T`; the types of [`Output`](crate::dag::Output) and
/// [`IntoArg`](crate::dag::IntoArg) rule that out.
#[inline]
pub fn into_owned<T: Clone + Send + Sync + 'static>(value: AnyValue) -> T {
    match value.0 {
        Held::Small(small) => small.take().unwrap_or_else(|| wrong_type::<T>()),
        Held::Shared(value) => Arc::unwrap_or_clone(value.downcast().unwrap_or_else(|_| wrong_type::<T>())),
    }
}

/// The value as a typed handle.
///
/// # Panics
///
/// Like [`into_owned`].
pub fn into_shared<T: Send + Sync + 'static>(value: AnyValue) -> Arc<T> {
    value.downcast().unwrap_or_else(|_| wrong_type::<T>())
}

#[cold]
fn wrong_type<T>() -> ! {
    panic!("an edge carries a value that is not a {}", type_name::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_out_as_it_went_in_and_as_nothing_else() {
        fn check<T: Copy + PartialEq + fmt::Debug + Send + Sync + 'static>(value: T) {
            for any in [AnyValue::new(value), AnyValue::from(Arc::new(value))] {
                assert_eq!(any.downcast_ref::<T>(), Some(&value));
                assert!(any.is::<T>() && !any.is::<[T; 1]>() && !any.is::<String>());
                assert_eq!(any.clone().downcast::<T>().unwrap(), Arc::new(value));
                assert!(any.clone().downcast::<[T; 1]>().unwrap_err().is::<T>());
                assert_eq!(*into_shared::<T>(any.clone()), value);
                assert_eq!(into_owned::<T>(any), value);
            }
        }
        check(());
        check(true);
        check('é');
        check((u8::MAX, i8::MIN));
        check(u8::MAX);
        check(u16::MAX);
        check(u32::MAX);
        check(u64::MAX);
        check(usize::MAX);
        check(i8::MIN);
        check(i16::MIN);
        check(i32::MIN);
        check(i64::MIN);
        check(isize::MIN);
        check(1.5_f32);
        check(-0.1_f64);
        assert!(!AnyValue::new(1_u64).is::<i64>() && !AnyValue::new(1_usize).is::<u64>());
        assert!(into_owned::<f64>(AnyValue::new(f64::NAN)).is_nan());
    }

    #[test]
    fn the_last_handle_moves_and_others_clone() {
        let text = AnyValue::new("a text".to_owned());
        let place = text.downcast_ref::<String>().map(|text| text.as_ptr());
        let cloned = into_owned::<String>(text.clone());
        assert_ne!(Some(cloned.as_ptr()), place);
        assert_eq!(Some(into_owned::<String>(text).as_ptr()), place);
    }

    #[test]
    #[should_panic(expected = "an edge carries a value that is not a alloc::string::String")]
    fn another_type_is_a_panic() {
        into_owned::<String>(AnyValue::new(1_u64));
    }

    #[test]
    fn it_is_three_words_also_where_it_may_be_absent() {
        assert_eq!(size_of::<Option<AnyValue>>(), 24);
    }
}
