//! The tables that the core makes schemas of.

use proc_macro2::TokenStream;
use quote::quote;

use super::model::{Case, Content, Kind, Member, Members, Model, Tagging};

pub(super) fn expand(model: &Model) -> TokenStream {
    let Model { ident, name, about, .. } = model;
    let shape = match &model.kind {
        Kind::Struct(members) => object(name, about, members),
        Kind::Transparent(ty) => quote!(<#ty as written::Schema>::shape()),
        Kind::Enum { tagging: Tagging::Name, cases } => by_name(name, about, cases),
        Kind::Enum { tagging: Tagging::Member(tag), cases } => of_cases(name, about, &quote!(Some(#tag)), cases),
        Kind::Enum { tagging: Tagging::Nothing, cases } => of_cases(name, about, &quote!(None), cases),
    };
    let (of, to, bounds) = model.generics.split_for_impl();
    quote! {
        #[cfg(feature = "server")]
        const _: () = {
            use crate::base::schema as written;

            impl #of written::Schema for #ident #to #bounds {
                fn shape() -> written::Shape {
                    #shape
                }
            }
        };
    }
}

fn object(name: &str, about: &str, members: &Members) -> TokenStream {
    let (members, flattened) = tables(members);
    quote! {
        written::Shape::Object(&written::Object { name: #name, about: #about, members: &[#members], flattened: &[#flattened] })
    }
}

/// The members, and the types whose members are among them.
fn tables(members: &Members) -> (TokenStream, TokenStream) {
    let named = members.named.iter().map(|Member { name, about, ty, is_required }| {
        quote! {
            written::Member { name: #name, about: #about, is_required: #is_required, shape: <#ty as written::Schema>::shape },
        }
    });
    let flattened = members.flattened.iter().map(|ty| quote!(<#ty as written::Schema>::shape,));
    (named.collect(), flattened.collect())
}

/// `{"state": "paused", "by": ".."}`, or without the tag.
fn of_cases(name: &str, about: &str, tag: &TokenStream, cases: &[Case]) -> TokenStream {
    let cases = cases.iter().map(|Case { word, content, .. }| {
        let (members, flattened) = match content {
            Content::Nothing => (TokenStream::new(), TokenStream::new()),
            Content::Value(ty) => (TokenStream::new(), quote!(<#ty as written::Schema>::shape)),
            Content::Members(members) => tables(members),
        };
        quote!(written::Case { word: #word, members: &[#members], flattened: &[#flattened] },)
    });
    quote! {
        written::Shape::Cases(&written::Cases { name: #name, about: #about, tag: #tag, cases: &[#(#cases)*] })
    }
}

/// `"paused"`, or `{"paused": ..}`.
fn by_name(name: &str, about: &str, cases: &[Case]) -> TokenStream {
    let words = cases.iter().filter(|case| matches!(case.content, Content::Nothing)).map(|case| &case.word);
    let words: Vec<&String> = words.collect();
    let members = cases.iter().filter_map(|Case { ident, word, content }| {
        let shape = match content {
            Content::Nothing => return None,
            Content::Value(ty) => quote!(<#ty as written::Schema>::shape),
            Content::Members(members) => {
                let object = object(&format!("{name}{ident}"), "", members);
                quote!(|| #object)
            }
        };
        Some(quote!(written::Member { name: #word, about: "", is_required: false, shape: #shape },))
    });
    let members: TokenStream = members.collect();
    let of_words = |name: &str| quote!(written::Shape::Words(&written::Words { name: #name, about: #about, words: &[#(#words),*] }));
    let of_members = |name: &str| {
        quote! {
            written::Shape::Object(&written::Object { name: #name, about: #about, members: &[#members], flattened: &[] })
        }
    };
    match (words.is_empty(), members.is_empty()) {
        (_, true) => of_words(name),
        (true, false) => of_members(name),
        (false, false) => {
            let (words, members) = (of_words(&format!("{name}Word")), of_members(name));
            quote!(written::Shape::Either(&[|| #words, || #members]))
        }
    }
}
