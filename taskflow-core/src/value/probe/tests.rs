use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{self, SerializeStruct};

use super::check;
use crate::value::msgpack::MAX_DEPTH;

const NIL: &str = "`Some` of an empty value (`Some(None)`, `Some(())`) would be read back as `None`; use an enum of your \
                   own in place of the outer `Option`";

#[derive(Serialize)]
struct Newtype<T>(T);

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
enum Shape<T> {
    Tuple(u8, T),
    Struct { inner: T },
    Newtype(T),
}

#[derive(Serialize)]
struct Tree {
    children: Vec<Tree>,
}

#[test]
fn some_of_an_empty_value_is_found_at_any_depth() {
    assert_eq!(check(&Some(None::<u8>)).unwrap_err(), NIL);
    assert_eq!(check(&Some(())).unwrap_err(), NIL);
    assert_eq!(check(&Some(Some(None::<u8>))).unwrap_err(), NIL);
    assert_eq!(check(&Some(Newtype(None::<u8>))).unwrap_err(), NIL);
    assert_eq!(check(&Some(Box::new(()))).unwrap_err(), NIL);
    assert_eq!(check(&Some(serde_json::Value::Null)).unwrap_err(), NIL);
}

#[test]
fn the_message_contains_the_path() {
    let map = BTreeMap::from([("gate".to_owned(), vec![None, Some(Some(1)), Some(None)])]);
    let place = |error: String| error.split_once(": ").map(|(place, _)| place.to_owned()).unwrap();
    assert_eq!(place(check(&map).unwrap_err()), "at `[\"gate\"][2]`");
    assert_eq!(place(check(&Shape::Struct { inner: map }).unwrap_err()), "at `inner[\"gate\"][2]`");
    assert_eq!(place(check(&Shape::Tuple(1, Some(()))).unwrap_err()), "at `[1]`");
    assert_eq!(place(check(&vec![Shape::Newtype(Some(()))]).unwrap_err()), "at `[0].Newtype`");
    assert_eq!(place(check(&BTreeMap::from([((1, Some(())), 2)])).unwrap_err()), "at `[0][1]`");
}

#[test]
fn other_options_and_empty_values_are_valid() {
    check(&(None::<u8>, Some(1), (), Some(Unit), Some(Vec::<u8>::new()), vec![()], Some([None::<u8>]))).unwrap();
    check(&BTreeMap::from([(None, None), (Some(1), Some(2))])).unwrap();
    check(&Some(Shape::Newtype(None::<u8>))).unwrap();
}

#[test]
fn a_value_nested_too_deep_is_rejected_without_walking_all_of_it() {
    let tree = |levels: usize| (1..levels).fold(Tree { children: vec![] }, |tree, _| Tree { children: vec![tree] });
    check(&tree(MAX_DEPTH / 2)).unwrap();
    let error = check(&tree(MAX_DEPTH / 2 + 1)).unwrap_err();
    assert_eq!(
        error,
        "at `children[0].children[0].children[0].children[0].children[0].children[0]…`: it is nested deeper than 128 \
         levels; store its parts in a list that refer to each other by index"
    );
    check(&tree(2_000)).unwrap_err();
}

#[test]
fn a_serialize_impl_that_miscounts_is_rejected() {
    struct Miscounted;
    impl Serialize for Miscounted {
        fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_struct("Miscounted", 3)?;
            fields.serialize_field("one", &1)?;
            fields.end()
        }
    }
    assert_eq!(
        check(&[Miscounted]).unwrap_err(),
        "at `[0]`: its `Serialize` announces 3 elements and writes 1; correct that implementation"
    );
}

#[test]
fn the_errors_of_a_serialize_impl_are_returned() {
    #[derive(Serialize)]
    struct Holder {
        path: std::path::PathBuf,
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        let path = std::ffi::OsString::from_vec(vec![0xff]).into();
        assert_eq!(check(&Holder { path }).unwrap_err(), "at `path`: path contains invalid UTF-8 characters");
    }
}

#[test]
fn a_length_beyond_32_bits_is_rejected() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            ser::SerializeSeq::end(serializer.serialize_seq(Some(1 << 33))?)
        }
    }
    assert!(
        check(&Endless).unwrap_err().starts_with("it has 8589934592 elements or bytes, and MessagePack holds up to")
    );
}
