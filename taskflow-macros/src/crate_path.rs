//! The name of taskflow in the user's crate.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, Path};

/// The path of taskflow in generated code: the `crate` option, the name in the user's manifest, or
/// `::taskflow`.
pub(crate) fn resolve(given: Option<&Path>) -> TokenStream {
    if let Some(path) = given {
        return quote!(#path);
    }
    match crate_name("taskflow") {
        Ok(FoundCrate::Name(name)) => {
            let name = Ident::new(&name, Span::call_site());
            quote!(::#name)
        }
        // `Itself` is a test or an example of the package, where the library has its published
        // name. Without a readable manifest, as under another build system, the published name is
        // the best guess.
        Ok(FoundCrate::Itself) | Err(_) => quote!(::taskflow),
    }
}
