//! Recognises code that is compiled only for tests.

use syn::{Attribute, Meta, Token, punctuated::Punctuated};

/// Whether these attributes exclude an item from every build except that of tests.
pub(super) fn only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta)))
    })
}

/// Whether a condition implies `test`.
fn needs_test(condition: &Meta) -> bool {
    if condition.path().is_ident("test") {
        return true;
    }
    let Meta::List(list) = condition else { return false };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else { return false };
    match () {
        () if list.path.is_ident("all") => parts.iter().any(needs_test),
        () if list.path.is_ident("any") => !parts.is_empty() && parts.iter().all(needs_test),
        () => false,
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn only_conditions_that_need_test_are_for_tests() {
        let yes: [Attribute; 4] = [
            parse_quote!(#[cfg(test)]),
            parse_quote!(#[cfg(all(test, unix))]),
            parse_quote!(#[cfg(any(test, all(unix, test)))]),
            parse_quote!(#[test]),
        ];
        let no: [Attribute; 5] = [
            parse_quote!(#[cfg(not(test))]),
            parse_quote!(#[cfg(any(test, feature = "testing"))]),
            parse_quote!(#[cfg(feature = "test")]),
            parse_quote!(#[derive(Debug)]),
            parse_quote!(#[cfg(unix)]),
        ];
        assert!(yes.into_iter().all(|attribute| only_for_tests(&[attribute])));
        assert!(!only_for_tests(&no));
    }
}
