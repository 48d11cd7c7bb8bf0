//! An asset as a typed constant.

use std::fmt;
use std::marker::PhantomData;

use super::def::AssetDef;
use super::partition::Partition;
use crate::base::SourceLocation;
use crate::value::{TypeInfo, Value};

/// Named data that tasks produce and DAGs consume, such as a table or a file: Airflow's asset, with
/// a type.
///
/// `T` is the payload of its events. `P` is the type of its partitions, such as [`Day`]; `()` for
/// an asset without partitions. `asset!` declares assets:
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::asset::Day;
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Loaded {
///     rows: u64,
/// }
///
/// taskflow::asset! {
///     /// Orders in the warehouse.
///     pub ORDERS: Asset<Loaded, Day> = "warehouse/orders";
///     RATES: Asset<f64> = "ecb/rates";
/// }
///
/// assert_eq!(ORDERS.name(), "warehouse/orders");
/// assert_eq!(RATES.def().partition, None);
/// ```
///
/// [`Day`]: super::Day
pub struct Asset<T, P = ()> {
    name: &'static str,
    doc: &'static str,
    location: SourceLocation,
    types: PhantomData<fn() -> (T, P)>,
}

impl<T, P> Asset<T, P> {
    /// Declares an asset. `asset!` calls this and registers the asset.
    ///
    /// # Panics
    ///
    /// If the name is empty or longer than 200 bytes, contains whitespace or control characters, or
    /// begins with `dag:`, as the names of the results of DAGs do. In a constant that is a compile
    /// error.
    pub const fn new(name: &'static str, doc: &'static str, location: SourceLocation) -> Self
    where
        T: Value,
        P: Partition,
    {
        check_name(name);
        Asset { name, doc: doc.trim_ascii(), location, types: PhantomData }
    }

    /// The definition, without the types.
    pub const fn def(&self) -> AssetDef
    where
        T: Value,
        P: Partition,
    {
        AssetDef {
            name: self.name,
            doc: self.doc,
            ty: TypeInfo::of_value::<T>(),
            partition: P::NAME,
            location: self.location,
        }
    }

    /// The name, under which its events are stored.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

const fn check_name(name: &str) {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "the name of an asset is empty");
    assert!(bytes.len() <= 200, "the name of an asset has at most 200 bytes");
    if let [b'd', b'a', b'g', b':', ..] = bytes {
        panic!("the name of an asset does not begin with `dag:`: such names belong to the results of DAGs");
    }
    let mut at = 0;
    while at < bytes.len() {
        assert!(bytes[at] > b' ' && bytes[at] != 0x7f, "the name of an asset contains no whitespace");
        at += 1;
    }
}

impl<T, P> Clone for Asset<T, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P> Copy for Asset<T, P> {}

impl<T, P> fmt::Debug for Asset<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asset({})", self.name)
    }
}
