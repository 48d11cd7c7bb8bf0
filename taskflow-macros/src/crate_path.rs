//! The name of taskflow in the user's crate, and of its module for generated code.

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

/// The path of the facade's module for generated code.
pub(crate) fn private(krate: &TokenStream) -> TokenStream {
    let module = Ident::new(&private_name(), Span::call_site());
    quote!(#krate::#module)
}

/// The name of that module, such as `__private_0_1_0`. It carries the version, so that the compiler
/// reports macros and a facade of different versions as an unresolved name, and no other crate can
/// rely on the module.
pub(crate) fn private_name() -> String {
    let version = env!("CARGO_PKG_VERSION").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("__private_{version}")
}
