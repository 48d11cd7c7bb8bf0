//! Generates the code of a branch. Cannot fail.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::model::{Arm, Branch};
use crate::crate_path;

/// Hygienic names, which do not collide with those of the user. Branches can be nested: each
/// declares its names in a block of its own.
struct Names {
    branch: Ident,
    value: Ident,
    results: Ident,
}

pub(super) fn expand(branch: &Branch) -> TokenStream {
    let hygienic = |name: &str| Ident::new(name, Span::mixed_site());
    let names = Names { branch: hygienic("branch"), value: hygienic("value"), results: hygienic("results") };
    let (krate, on) = (&branch.krate, &branch.on);
    let p = crate_path::private(krate);
    let Names { branch: this, value, results } = &names;
    let labels = branch.arms.iter().map(|arm| &arm.label);
    let choose = choose(branch, value);
    let arms = branch.arms.iter().enumerate().map(|(index, arm)| draw(index, arm, &names));
    let count = branch.arms.len();
    quote! {{
        let #this = #p::Branch::new(#on, &[#(#labels),*], |#value| #choose);
        // An array, so that the compiler reports an arm of another type.
        let #results: [#krate::Output<_>; #count] = [#(#arms),*];
        #this.join(#results)
    }}
}

/// The `match` that selects the arm. The compiler reports a missing variant here, at the value.
fn choose(branch: &Branch, value: &Ident) -> TokenStream {
    let arms = branch.arms.iter().enumerate().map(|(index, Arm { match_only, body, .. })| {
        let mut index = index_literal(index);
        // Spanned at the end of the arm, after which the compiler suggests to add a missing one.
        let end = body.to_token_stream().into_iter().last();
        index.set_span(end.map_or_else(Span::call_site, |token| token.span()));
        quote!(#match_only => #index,)
    });
    let mut matched = value.clone();
    matched.set_span(value.span().located_at(branch.on.span()));
    quote_spanned!(matched.span()=> match *#matched { #(#arms)* })
}

/// The node of an arm, and the tasks inside it.
fn draw(index: usize, arm: &Arm, Names { branch, value, .. }: &Names) -> TokenStream {
    let Arm { pattern, bindings, body, .. } = arm;
    let (this, inside) = (Ident::new("arm", Span::mixed_site()), Ident::new("_inside", Span::mixed_site()));
    let number = index_literal(index);
    let clones = bindings.iter().map(|binding| quote_spanned!(binding.span()=> ::core::clone::Clone::clone(#binding)));
    let payload = match bindings.len() {
        0 => quote!(()),
        1 => quote!(#(#clones)*),
        _ => quote!((#(#clones),*)),
    };
    let take = quote! {
        |#value| match #value {
            #pattern => ::core::option::Option::Some(#payload),
            #[allow(unreachable_patterns)]
            _ => ::core::option::Option::None,
        }
    };
    // Spanned at the pattern, which is the source location of the node.
    let node = quote_spanned!(pattern.span()=> #branch.arm(#number, #take));
    let outputs = bindings.iter().enumerate().map(|(item, binding)| match bindings.len() {
        1 => quote!(let #binding = #this.output();),
        _ => {
            let item = Literal::usize_unsuffixed(item);
            quote!(let #binding = #this.item(#item, |#value| &#value.#item);)
        }
    });
    let result = match arm.is_empty() {
        true => quote_spanned!(body.span()=> #this.nothing()),
        false => body.to_token_stream(),
    };
    quote! {{
        let #this = #node;
        #(#outputs)*
        let #inside = #this.enter();
        #result
    }}
}

fn index_literal(index: usize) -> Literal {
    Literal::u32_suffixed(u32::try_from(index).unwrap_or(u32::MAX))
}
