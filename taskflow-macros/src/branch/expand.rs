//! From the model of a branch to code. Nothing can go wrong here.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::model::{Arm, Branch};

/// Names of ours, which those of the user cannot meet. Branches nest: each has its names in a block of its own.
struct Names {
    branch: Ident,
    value: Ident,
    results: Ident,
}

pub(super) fn expand(branch: &Branch) -> TokenStream {
    let own = |name: &str| Ident::new(name, Span::mixed_site());
    let names = Names { branch: own("branch"), value: own("value"), results: own("results") };
    let p = {
        let krate = &branch.krate;
        quote!(#krate::__private)
    };
    let (krate, on) = (&branch.krate, &branch.on);
    let Names { branch: this, value, results } = &names;
    let labels = branch.arms.iter().map(|arm| &arm.label);
    let choose = choose(branch, value);
    let arms = branch.arms.iter().enumerate().map(|(place, arm)| draw(place, arm, &names));
    let count = branch.arms.len();
    quote! {{
        let #this = #p::Branch::new(#on, &[#(#labels),*], |#value| #choose);
        // One list of one type: an arm of another type is what the compiler points at.
        let #results: [#krate::Output<_>; #count] = [#(#arms),*];
        #this.join(#results)
    }}
}

/// Which arm is taken. A variant without an arm is missing here, and what is missed is told at the value.
fn choose(branch: &Branch, value: &Ident) -> TokenStream {
    let arms = branch.arms.iter().enumerate().map(|(place, Arm { shape, body, .. })| {
        let mut place = place_of(place);
        // At the end of the arm: the compiler says that a missing one is to be added after the last.
        let end = body.to_token_stream().into_iter().last();
        place.set_span(end.map_or_else(Span::call_site, |token| token.span()));
        quote!(#shape => #place,)
    });
    let mut seen = value.clone();
    seen.set_span(value.span().located_at(branch.on.span()));
    quote_spanned!(seen.span()=> match *#seen { #(#arms)* })
}

/// The node of an arm, and what is drawn inside it.
fn draw(place: usize, arm: &Arm, Names { branch, value, .. }: &Names) -> TokenStream {
    let Arm { pattern, bindings, body, .. } = arm;
    let (this, inside) = (Ident::new("arm", Span::mixed_site()), Ident::new("_inside", Span::mixed_site()));
    let number = place_of(place);
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
    // At the pattern, which is where the node is written.
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

fn place_of(place: usize) -> Literal {
    Literal::u32_suffixed(u32::try_from(place).unwrap_or(u32::MAX))
}
