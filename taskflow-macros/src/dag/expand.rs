//! From the model of a DAG to code. Nothing can go wrong here.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::model::{Dag, Default, Param, Shape};
use super::param::source_text;
use super::validate::has_intervals;
use crate::spans;
use crate::task::{callbacks, duration, location, option_tokens, quiet};

pub(super) fn expand(dag: &Dag) -> TokenStream {
    match dag.shape {
        Shape::Sound => {
            [face(dag), definition(dag), inside(dag), triggers(dag), registration(dag)].into_iter().collect()
        }
        Shape::Broken => stand_in(dag),
        Shape::Untouched => {
            let (attrs, vis, sig, body) = (&dag.attrs, &dag.vis, &dag.sig, &dag.body);
            let (docs, shared, face, own) = (&attrs.docs, &attrs.shared, &attrs.face, &attrs.body);
            quote!(#(#docs)* #(#shared)* #(#face)* #(#own)* #vis #sig #body)
        }
    }
}

/// The struct that carries the definition, `run`, and the function that draws the graph.
fn face(dag: &Dag) -> TokenStream {
    let (krate, name, vis, quiet) = (&dag.krate, dag.name(), &dag.vis, quiet());
    let p = quote!(#krate::__private);
    let (docs, shared, deprecated, own) = (&dag.attrs.docs, &dag.attrs.shared, &dag.attrs.face, &dag.attrs.body);
    let result = result(dag);
    let run_params = dag.params.iter().map(|Param { name, ty, .. }| quote!(#name: #ty));
    // Invisible to the user's names.
    let params = Ident::new("params", Span::mixed_site());
    let given =
        dag.params.iter().map(|Param { name, ty, .. }| quote!(#p::param_type::<#ty>().give(&mut #params, #name);));
    let run = Ident::new("run", name.span());
    let body_params =
        dag.params.iter().map(|Param { binding, ty, attrs, .. }| quote!(#(#attrs)* #binding: #krate::Output<#ty>));
    let gives = match &dag.result {
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
    let about = format!("Asks for a run of the DAG `{}` with these parameters; await it to run it.", name.unraw());
    quote! {
        #(#docs)*
        #(#shared)*
        #(#deprecated)*
        #quiet
        #vis struct #name {}

        #(#shared)*
        impl #name {
            #[doc = #about]
            #quiet
            #vis fn #run(#(#run_params),*) -> #p::RunRequest<#result> {
                #[allow(unused_mut)]
                let mut #params = #p::Params::default();
                #(#given)*
                #p::run_request::<#result>(Self::def(), #params)
            }

            #[allow(unused_must_use, unused_results, clippy::too_many_arguments)]
            #[doc(hidden)]
            #(#own)*
            fn __draw(#(#body_params),*) -> #gives #body
        }
    }
}

/// The function that draws this DAG inside another one, as a group.
fn inside(dag: &Dag) -> TokenStream {
    let (krate, name, vis, quiet) = (&dag.krate, dag.name(), &dag.vis, quiet());
    let p = quote!(#krate::__private);
    let (shared, docs) = (&dag.attrs.shared, &dag.attrs.docs);
    let params = dag.params.iter().map(|Param { name, ty, .. }| {
        // At the type, so that a wrong argument is shown beside it.
        let p = spans::at(ty.span(), &p);
        quote_spanned!(ty.span()=> #name: impl #p::IntoArg<#ty>)
    });
    let arguments = dag.params.iter().map(|Param { name, ty, .. }| {
        let label = name.unraw().to_string();
        quote!(#p::param_type::<#ty>().inside(#p::IntoArg::<#ty>::into_arg(#name), #label))
    });
    let drawn = quote!(#name::__draw(#(#arguments),*));
    let (gives, drawn) = match &dag.result {
        Some(ty) => (quote!(-> #krate::Output<#ty>), drawn),
        None => (quote!(), quote!({ let _ = #drawn; })),
    };
    quote! {
        #(#docs)*
        #(#shared)*
        #quiet
        #[track_caller]
        #vis fn #name(#(#params),*) #gives {
            #p::draw_inside(#name::def(), move || #drawn)
        }
    }
}

/// The functions that draw a run of this DAG as a node of another one.
fn triggers(dag: &Dag) -> TokenStream {
    let (krate, name, vis, quiet) = (&dag.krate, dag.name(), &dag.vis, quiet());
    let p = quote!(#krate::__private);
    let shared = &dag.attrs.shared;
    let id = name.unraw().to_string();
    let (result, location) = (result(dag), location(name, &p));
    let inputs = dag.params.iter().map(|Param { name, ty, .. }| {
        let name = name.unraw().to_string();
        quote!(#p::InputDef { name: #name, ty: #p::TypeInfo::of::<#ty>() })
    });
    let inputs = quote!(&[#(#inputs),*]);
    let params = dag.params.iter().map(|Param { name, ty, .. }| {
        // At the type, so that a wrong argument is shown beside it.
        let p = spans::at(ty.span(), &p);
        quote_spanned!(ty.span()=> #name: impl #p::IntoArg<#ty>)
    });
    let params = quote!(#(#params),*);
    let arguments = dag.params.iter().map(|Param { name, ty, .. }| quote!(#p::IntoArg::<#ty>::into_arg(#name)));
    let arguments = quote!(#(#arguments),*);
    let (waits, detached) = (
        format!(
            "Draws a run of the DAG `{id}` as a node: started when its inputs are there, waited for without a slot. Gives its result."
        ),
        format!(
            "Draws the start of a run of the DAG `{id}` as a node. Nobody waits for its end. Gives the id of the run."
        ),
    );
    quote! {
        #(#shared)*
        #quiet
        impl #name {
            #[doc = #waits]
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

            #[doc = #detached]
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
    let (krate, name, vis, quiet) = (&dag.krate, dag.name(), &dag.vis, quiet());
    let p = quote!(#krate::__private);
    let shared = &dag.attrs.shared;
    let (id, doc) = (name.unraw().to_string(), dag.attrs.doc_text());
    let location = location(name, &p);
    let options = options(dag, &p);
    let has_intervals = has_intervals(&dag.options.scheduling);
    let params = dag.params.iter().map(|param| definition_of_param(param, has_intervals, &p));
    let result = result(dag);
    let inputs = format_ident!("__inputs");
    let handles = dag.params.iter().map(|Param { ty, .. }| quote!(#p::dag_input::<#ty>(&mut #inputs)));
    quote! {
        #(#shared)*
        #quiet
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
                        #p::DagResult::<#result>::into_handle(#name::__draw(#(#handles),*))
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
        Default::FromRun(closure) => {
            let text = source_text(closure);
            let kind = if has_intervals { quote!(Intervals) } else { quote!(NoIntervals) };
            quote!(.default_of_run::<#p::#kind>(#text, #closure))
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
    quote!(#p::param_type::<#ty>().named(#name) #default #range #choices #pattern #help .erase())
}

fn options(dag: &Dag, p: &TokenStream) -> TokenStream {
    let options = &dag.options;
    let scheduling = &options.scheduling;
    let mut set = Vec::new();
    let mut some = |field: &str, value: Option<TokenStream>| {
        if let Some(value) = value {
            let field = format_ident!("{field}");
            set.push(quote!(options.#field = ::core::option::Option::Some(#value);));
        }
    };
    some("schedule", scheduling.schedule.as_ref().map(|text| text.value.to_token_stream()));
    some("timezone", scheduling.timezone.as_ref().map(|text| text.value.to_token_stream()));
    some("start", scheduling.start.as_ref().map(|bound| bound.value.0.to_token_stream()));
    some("end", scheduling.end.as_ref().map(|bound| bound.value.0.to_token_stream()));
    some("max_active_runs", options.max_active_runs.as_ref().map(|count| count.value.to_token_stream()));
    some("max_active_tasks", options.max_active_tasks.as_ref().map(|count| count.value.to_token_stream()));
    some("timeout", options.timeout.as_ref().map(|timeout| duration(timeout.value)));
    some("retries", options.retries.as_ref().map(|retries| retries.value.to_token_stream()));
    some("retry_delay", options.retry_delay.as_ref().map(|delay| duration(delay.value)));
    some(
        "deadline",
        options.deadline.as_ref().map(|deadline| {
            let (after, reference) = (duration(deadline.value.0), format_ident!("{}", deadline.value.1));
            quote!(#p::Deadline::new(#after, #p::DeadlineReference::#reference))
        }),
    );
    if scheduling.catchup.as_ref().is_some_and(|catchup| catchup.value) {
        set.push(quote!(options.catchup = true;));
    }
    if options.fail_fast.as_ref().is_some_and(|fail_fast| fail_fast.value) {
        set.push(quote!(options.fail_fast = true;));
    }
    set.extend(callbacks(options, p));
    if !options.tags.is_empty() {
        let tags = &options.tags;
        set.push(quote!(options.tags = &[#(#tags),*];));
    }
    if let Some(defaults) = &options.task_defaults {
        let defaults = option_tokens(defaults, p);
        set.push(quote!(options.task_defaults = #defaults;));
    }
    if set.is_empty() {
        return quote!(#p::DagOptions::NONE);
    }
    quote!({
        let mut options = #p::DagOptions::NONE;
        #(#set)*
        options
    })
}

fn result(dag: &Dag) -> TokenStream {
    dag.result.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

fn registration(dag: &Dag) -> TokenStream {
    let (krate, name) = (&dag.krate, dag.name());
    quote! {
        #krate::__private::inventory::submit! { #krate::__private::DagEntry(#name::def) }
    }
}

/// The names that callers use, with parameters that take anything.
fn stand_in(dag: &Dag) -> TokenStream {
    let (krate, name, vis, quiet) = (&dag.krate, dag.name(), &dag.vis, quiet());
    let shared = &dag.attrs.shared;
    let result = result(dag);
    let params: Vec<TokenStream> = (0..dag.arity())
        .map(|position| {
            let name: Ident = format_ident!("_parameter_{position}");
            quote!(#name: impl ::core::marker::Sized)
        })
        .collect();
    quote! {
        #(#shared)*
        #quiet
        #vis struct #name {}

        #(#shared)*
        #quiet
        impl #name {
            // Never run: these bodies only stand beside a compiler error, so that there is no second one.
            #vis fn def() -> &'static #krate::__private::DagDef {
                ::core::unimplemented!()
            }

            #vis fn run(#(#params),*) -> #krate::__private::RunRequest<#result> {
                ::core::unimplemented!()
            }

            #vis fn trigger(#(#params),*) -> #krate::Output<#result> {
                ::core::unimplemented!()
            }

            #vis fn trigger_detached(#(#params),*) -> #krate::Output<::std::string::String> {
                ::core::unimplemented!()
            }
        }
    }
}
