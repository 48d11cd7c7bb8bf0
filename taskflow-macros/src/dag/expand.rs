//! Generates the code of a DAG. Cannot fail.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Type};

use super::event;
use super::model::{Dag, Default, Expansion, Param, Source};
use super::param::source_text;
use crate::task::{allow_lints, location};
use crate::types::{is_named, ungroup};
use crate::{crate_path, errors, spans};

pub(super) fn expand(dag: &Dag) -> TokenStream {
    match dag.expansion {
        Expansion::Full => {
            [namespace(dag), with_defaults(dag), definition(dag), group(dag), triggers(dag), registration(dag)]
                .into_iter()
                .collect()
        }
        Expansion::Placeholder => placeholder(dag),
        Expansion::Unchanged => {
            let (attrs, vis, sig, body) = (&dag.attrs, &dag.vis, &dag.sig, &dag.body);
            let (docs, shared, callable, own) = (&attrs.docs, &attrs.shared, &attrs.callable, &attrs.body);
            quote!(#(#docs)* #(#shared)* #(#callable)* #(#own)* #vis #sig #body)
        }
    }
}

/// The struct with `run` and the function as written, which builds the graph.
fn namespace(dag: &Dag) -> TokenStream {
    let (krate, name, vis, allow_lints) = (&dag.krate, dag.name(), &dag.vis, allow_lints());
    let p = crate_path::private(krate);
    let (docs, shared, deprecated, own) = (&dag.attrs.docs, &dag.attrs.shared, &dag.attrs.callable, &dag.attrs.body);
    let result = result(dag);
    let run_params = dag.params.iter().map(|Param { name, ty, .. }| quote!(#name: #ty));
    // Hygienic, so that it does not collide with a parameter of the user.
    let params = Ident::new("params", Span::mixed_site());
    let set_params =
        dag.params.iter().map(|Param { name, ty, .. }| quote!(#p::param_type::<#ty>().give(&mut #params, #name);));
    let run = Ident::new("run", name.span());
    let body_params =
        dag.params.iter().map(|Param { binding, ty, attrs, .. }| quote!(#(#attrs)* #binding: #krate::Output<#ty>));
    let output = match &dag.result {
        Some(ty) if is_composed(ty) => {
            let p = spans::at(ty.span(), &p);
            quote_spanned!(ty.span()=> impl #p::ComposedResult<#ty>)
        }
        Some(ty) => {
            let krate = spans::at(ty.span(), krate);
            quote_spanned!(ty.span()=> #krate::Output<#ty>)
        }
        None => {
            let p = spans::at(name.span(), &p);
            quote_spanned!(name.span()=> impl #p::DagResult<()>)
        }
    };
    let body = &dag.body;
    let run_doc =
        format!("Requests a run of the DAG `{}` with these parameters. Await the request to run it.", name.unraw());
    quote! {
        #(#docs)*
        #(#shared)*
        #(#deprecated)*
        #allow_lints
        #vis struct #name {}

        #(#shared)*
        impl #name {
            #[doc = #run_doc]
            #allow_lints
            #vis fn #run(#(#run_params),*) -> #p::RunRequest<#result> {
                #[allow(unused_mut)]
                let mut #params = #p::Params::default();
                #(#set_params)*
                #p::run_request::<#result>(Self::def(), #params)
            }

            #[allow(unused_must_use, unused_results, clippy::too_many_arguments)]
            #[doc(hidden)]
            #(#own)*
            fn __draw(#(#body_params),*) -> #output #body
        }
    }
}

/// `run_with_defaults`, with a method for each parameter that has a default. Nothing if none has.
fn with_defaults(dag: &Dag) -> TokenStream {
    if dag.params.iter().all(|param| param.default.is_none()) {
        return TokenStream::new();
    }
    let (name, vis, allow_lints) = (&dag.name(), &dag.vis, allow_lints());
    let p = crate_path::private(&dag.krate);
    let (shared, result, count) = (&dag.attrs.shared, result(dag), dag.params.len());
    let id = name.unraw();
    let places = || dag.params.iter().enumerate();
    let required = places().filter(|(_, param)| param.default.is_none());
    let arguments = required.clone().map(|(_, Param { name, ty, .. })| quote!(#name: #ty));
    // Hygienic, so that it does not collide with a parameter of the user.
    let params = Ident::new("params", Span::mixed_site());
    let set = required
        .map(|(place, Param { name, ty, .. })| quote!(#p::param_type::<#ty>().set(&mut #params, #place, #name);));
    let setters = places().filter(|(_, param)| param.default.is_some()).map(|(place, param)| {
        let Param { name, ty, help, .. } = param;
        // The name of a method that every request has, renamed as the command line does.
        let setter = if name == "request" { format_ident!("param_request", span = name.span()) } else { name.clone() };
        let doc = help.as_ref().map(|help| quote!(#[doc = #help]));
        quote! {
            #doc
            #vis fn #setter(mut self, value: #ty) -> Self {
                #p::param_type::<#ty>().set(&mut self.params, #place, value);
                self
            }
        }
    });
    let run_doc = format!(
        "Requests a run of the DAG `{id}` in which every parameter with a default has it, unless a method of the \
         returned builder sets another value. Await it to run it."
    );
    quote! {
        #(#shared)*
        const _: () = {
            /// A run with defaults.
            #[must_use = "a run starts when it is awaited"]
            #[derive(Clone, Debug)]
            #allow_lints
            #vis struct RunWithDefaults {
                params: #p::SomeParams,
            }

            #allow_lints
            impl #name {
                #[doc = #run_doc]
                #vis fn run_with_defaults(#(#arguments),*) -> RunWithDefaults {
                    #[allow(unused_mut)]
                    let mut #params = #p::SomeParams::new(#count);
                    #(#set)*
                    RunWithDefaults { params: #params }
                }
            }

            #allow_lints
            impl RunWithDefaults {
                #(#setters)*

                /// The request, to set options of the run.
                #vis fn request(self) -> #p::RunRequest<#result> {
                    self.params.request(#name::def())
                }
            }

            #allow_lints
            impl ::core::future::IntoFuture for RunWithDefaults {
                type Output = <#p::RunRequest<#result> as ::core::future::IntoFuture>::Output;
                type IntoFuture = #p::RunFuture<#result>;

                fn into_future(self) -> Self::IntoFuture {
                    ::core::future::IntoFuture::into_future(self.request())
                }
            }
        };
    }
}

/// The function that adds this DAG to another one, as a group of tasks.
fn group(dag: &Dag) -> TokenStream {
    let (krate, name, vis, allow_lints) = (&dag.krate, dag.name(), &dag.vis, allow_lints());
    let p = crate_path::private(krate);
    let (shared, docs) = (&dag.attrs.shared, &dag.attrs.docs);
    let params = dag.params.iter().map(|Param { name, ty, .. }| {
        // Spanned at the type, so that the compiler shows it beside a wrong argument.
        let p = spans::at(ty.span(), &p);
        quote_spanned!(ty.span()=> #name: impl #p::IntoArg<#ty>)
    });
    let arguments = dag.params.iter().map(|Param { name, ty, .. }| {
        let label = name.unraw().to_string();
        quote!(#p::param_type::<#ty>().inside(#p::IntoArg::<#ty>::into_arg(#name), #label))
    });
    let drawn = draw(dag, &quote!(#(#arguments),*), &p);
    let (output, drawn) = match &dag.result {
        Some(ty) => (quote!(-> #krate::Output<#ty>), drawn),
        None => (quote!(), quote!({ let _ = #drawn; })),
    };
    quote! {
        #(#docs)*
        #(#shared)*
        #allow_lints
        #[track_caller]
        #vis fn #name(#(#params),*) #output {
            #p::draw_inside(#name::def(), move || #drawn)
        }
    }
}

/// The functions that add a run of this DAG to another one, as a node.
fn triggers(dag: &Dag) -> TokenStream {
    let (krate, name, vis, allow_lints) = (&dag.krate, dag.name(), &dag.vis, allow_lints());
    let p = crate_path::private(krate);
    let shared = &dag.attrs.shared;
    let id = name.unraw().to_string();
    let (result, location) = (result(dag), location(name, &p));
    let inputs = dag.params.iter().map(|Param { name, ty, .. }| {
        let name = name.unraw().to_string();
        quote!(#p::InputDef { name: #name, ty: #p::TypeInfo::of::<#ty>() })
    });
    let inputs = quote!(&[#(#inputs),*]);
    let params = dag.params.iter().map(|Param { name, ty, .. }| {
        // Spanned at the type, so that the compiler shows it beside a wrong argument.
        let p = spans::at(ty.span(), &p);
        quote_spanned!(ty.span()=> #name: impl #p::IntoArg<#ty>)
    });
    let params = quote!(#(#params),*);
    let arguments = dag.params.iter().map(|Param { name, ty, .. }| quote!(#p::IntoArg::<#ty>::into_arg(#name)));
    let arguments = quote!(#(#arguments),*);
    let trigger_doc = format!(
        "Adds a node that starts a run of the DAG `{id}` when its inputs are ready, and waits for it without holding a \
         slot. Returns the result of the run."
    );
    let detached_doc = format!(
        "Adds a node that starts a run of the DAG `{id}` when its inputs are ready, without waiting for it to end. \
         Returns the id of the run."
    );
    quote! {
        #(#shared)*
        #allow_lints
        impl #name {
            #[doc = #trigger_doc]
            #[track_caller]
            #vis fn trigger(#params) -> #krate::Output<#result> {
                static __DEF: #p::TaskDef = #p::trigger_def(
                    #id,
                    #location,
                    #inputs,
                    #p::TypeInfo::of_value::<#result>(),
                    |inputs, context| #p::trigger::<#result>(#name::def(), inputs, context),
                );
                #p::add_task(&__DEF, [#arguments])
            }

            #[doc = #detached_doc]
            #[track_caller]
            #vis fn trigger_detached(#params) -> #krate::Output<::std::string::String> {
                static __DEF: #p::TaskDef = #p::trigger_def(
                    #id,
                    #location,
                    #inputs,
                    #p::TypeInfo::of_value::<::std::string::String>(),
                    |inputs, context| #p::trigger_detached::<#result>(#name::def(), inputs, context),
                );
                #p::add_task(&__DEF, [#arguments])
            }
        }
    }
}

/// The static definition.
fn definition(dag: &Dag) -> TokenStream {
    let (krate, name, vis, allow_lints) = (&dag.krate, dag.name(), &dag.vis, allow_lints());
    let p = crate_path::private(krate);
    let shared = &dag.attrs.shared;
    let (id, doc) = (name.unraw().to_string(), dag.attrs.doc_text());
    let location = location(name, &p);
    let options = dag.options.dag_options(&p);
    let has_intervals = dag.options.has_intervals();
    let params = dag.params.iter().map(|param| definition_of_param(param, has_intervals, &p));
    let result = result(dag);
    let inputs = format_ident!("__inputs");
    let handles = dag.params.iter().map(|Param { ty, .. }| quote!(#p::dag_input::<#ty>(&mut #inputs)));
    let drawn = draw(dag, &quote!(#(#handles),*), &p);
    quote! {
        #(#shared)*
        #allow_lints
        impl #name {
            /// The definition of the DAG: its graph, its options and its parameters.
            #vis fn def() -> &'static #p::DagDef {
                static __DEF: #p::DagDef = #p::DagDef {
                    id: #id,
                    module: ::core::module_path!(),
                    doc: #doc,
                    location: #location,
                    options: #options,
                    params: || ::std::vec![#(#params),*],
                    result: #p::TypeInfo::of_value::<#result>(),
                    trace: |#[allow(unused_mut)] mut #inputs| {
                        #p::DagResult::<#result>::into_handle(#drawn)
                    },
                    plan: #p::PlanCell::new(),
                };
                &__DEF
            }
        }

        #(#shared)*
        #[allow(unused_qualifications)]
        impl #p::DagFn for #name {
            type Result = #result;
            fn definition() -> &'static #p::DagDef {
                #name::def()
            }
        }
    }
}

fn definition_of_param(param: &Param, has_intervals: bool, p: &TokenStream) -> TokenStream {
    let (name, ty) = (param.name.unraw().to_string(), &param.ty);
    let default = param.default.as_ref().map(|default| match default {
        Default::Text(text) => quote!(.default_text(#text)),
        Default::List(array, elements) => {
            let text = source_text(array);
            quote!(.default_list(#text, &[#(#elements),*]))
        }
        Default::FromRun(closure) => {
            let text = source_text(closure);
            let kind = if has_intervals { quote!(Intervals) } else { quote!(NoIntervals) };
            quote!(.default_of_run::<#p::#kind>(#text, #closure))
        }
        // An array of other expressions than literals is meant as the list that the parameter
        // takes.
        Default::Value(value) if matches!(value, Expr::Array(_)) && is_named(&param.ty, "Vec") => {
            let text = source_text(value);
            quote!(.default(#text, || ::std::vec::Vec::from(#value)))
        }
        Default::Value(value) => {
            let text = source_text(value);
            quote!(.default(#text, || #value))
        }
    });
    let range = param.range.as_ref().map(|range| {
        let text = source_text(range);
        quote_spanned!(range.span()=> .range(#text, #range))
    });
    let choices = (!param.choices.is_empty()).then(|| {
        let choices = &param.choices;
        quote!(.choices(&[#(#choices),*]))
    });
    let pattern = param.pattern.as_ref().map(|pattern| quote!(.pattern(#pattern)));
    let help = param.help.as_ref().map(|help| quote!(.help(#help)));
    let plain = quote!(#p::param_type::<#ty>().named(#name) #default #range #choices #pattern #help);
    let Some(event) = &param.event else {
        let check = (!param.takes_events && event::names(ty, &event::TYPES)).then(|| {
            let message = format!(
                "the parameter `{name}` takes events: write `#[event(ASSET)]` before it, with an asset or the name of a DAG"
            );
            let p = spans::at(ty.span(), p);
            quote_spanned!(ty.span()=> const _: () = {
                #[allow(unused_imports)]
                use #p::PlainParam as _;
                ::core::assert!(!#p::ParamKind::<#ty>::IS_EVENT, #message);
            };)
        });
        return match check {
            Some(check) => quote!({ #check #plain.erase() }),
            None => quote!(#plain.erase()),
        };
    };
    let (source, at) = match &event.source {
        Source::Dag(path) => (quote!(#p::DagEvents::<#path>::new()), path.span()),
        Source::Value(value) => (value.to_token_stream(), value.span()),
    };
    let options = event.options.event_options(p);
    let source_p = spans::at(at, p);
    let source = quote_spanned!(at=> #source_p::event_source(&#source));
    // Spanned at the type, so that the compiler reports a type that does not fit the asset there.
    match &event.options.key {
        Some(key) => {
            let text = source_text(key);
            let bind = quote_spanned!(ty.span()=> bind_by_key::<#ty, _>);
            quote!(#source.#bind(#plain, #options, #text, #key).erase())
        }
        None => {
            let bind = quote_spanned!(ty.span()=> bind::<#ty>);
            quote!(#source.#bind(#plain, #options).erase())
        }
    }
}

/// Calls the function as written. Makes one output of its result, if that can have several.
fn draw(dag: &Dag, arguments: &TokenStream, p: &TokenStream) -> TokenStream {
    let name = dag.name();
    match &dag.result {
        Some(ty) if is_composed(ty) => quote!(#p::ComposedResult::<#ty>::compose(#name::__draw(#arguments))),
        Some(_) | None => quote!(#name::__draw(#arguments)),
    }
}

/// Whether the function may end with something else than the output of its result: with an output
/// for each part of a tuple, or with the values of an `each`.
fn is_composed(ty: &Type) -> bool {
    match ungroup(ty) {
        Type::Tuple(tuple) => (2..=4).contains(&tuple.elems.len()),
        ty => is_named(ty, "Vec"),
    }
}

fn result(dag: &Dag) -> TokenStream {
    dag.result.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

fn registration(dag: &Dag) -> TokenStream {
    let (p, name) = (crate_path::private(&dag.krate), dag.name());
    quote! {
        #p::inventory::submit! { #p::DagEntry(#name::def) }
    }
}

/// The functions that callers use, with parameters that take anything.
fn placeholder(dag: &Dag) -> TokenStream {
    let (krate, name, vis, allow_lints) = (&dag.krate, dag.name(), &dag.vis, allow_lints());
    let p = crate_path::private(krate);
    let shared = &dag.attrs.shared;
    let (result, body) = (result(dag), errors::placeholder());
    let params: Vec<TokenStream> = (0..dag.arity())
        .map(|position| {
            let name: Ident = format_ident!("_parameter_{position}");
            quote!(#name: impl ::core::marker::Sized)
        })
        .collect();
    quote! {
        #(#shared)*
        #allow_lints
        #vis struct #name {}

        #(#shared)*
        #allow_lints
        impl #name {
            #vis fn def() -> &'static #p::DagDef {
                #body
            }

            #vis fn run(#(#params),*) -> #p::RunRequest<#result> {
                #body
            }

            #vis fn trigger(#(#params),*) -> #krate::Output<#result> {
                #body
            }

            #vis fn trigger_detached(#(#params),*) -> #krate::Output<::std::string::String> {
                #body
            }
        }
    }
}
