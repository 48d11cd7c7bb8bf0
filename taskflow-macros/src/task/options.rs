//! The options a task takes: rules between them, and their constant.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

use crate::errors::Errors;
use crate::option::{Backoff, Options, peel};
use crate::spans;
use std::time::Duration;

/// Reports options that contradict each other.
pub(crate) fn check(options: &Options, errors: &mut Errors) {
    if let (Some(slots), None) = (&options.pool_slots, &options.pool) {
        errors.at(slots.span, "`pool_slots` counts the slots of a pool, and no pool is named; add `pool = \"..\"`");
    }
    if let (Some(delay), Some(longest)) = (&options.retry_delay, &options.max_retry_delay)
        && delay.value > longest.value
    {
        errors.at(longest.span, "`max_retry_delay` is shorter than `retry_delay`");
    }
    if let (Some(backoff), Some(delay)) = (&options.backoff, &options.retry_delay)
        && delay.value.is_zero()
        && matches!(backoff.value, Backoff::Exponential(_))
    {
        errors.at(backoff.span, "a `retry_delay` of zero does not grow; give it a length or leave `backoff` out");
    }
    if let (Some(memory), None) = (&options.memory, &options.isolation) {
        errors.at(
            memory.span,
            "`memory` limits the process of the task, and it shares one with the others; add `isolation = \"process\"`",
        );
    }
    if let (Some(isolation), Some(deferrable)) = (&options.isolation, &options.deferrable)
        && deferrable.value
    {
        errors.at(
            isolation.span,
            "a task with a process of its own cannot be deferred: split it into one that waits and one that works",
        );
    }
    if let (Some(executor), Some(_)) = (&options.executor, &options.isolation) {
        errors.at(executor.span, "a task on an executor runs in a process there; leave `isolation` out");
    }
    if let (Some(executor), Some(deferrable)) = (&options.executor, &options.deferrable)
        && deferrable.value
    {
        errors.at(
            executor.span,
            "a task on an executor cannot be deferred: split it into one that waits and one that works",
        );
    }
    let sensor = &options.sensor;
    if let (Some(interval), Some(longest)) = (&sensor.poke_interval, &sensor.max_poke_interval)
        && interval.value > longest.value
    {
        errors.at(longest.span, "`max_poke_interval` is shorter than `poke_interval`");
    }
    if let (Some(interval), Some(timeout)) = (&sensor.poke_interval, &sensor.timeout)
        && interval.value > timeout.value
    {
        errors.at(timeout.span, "`timeout` is shorter than `poke_interval`: the sensor would look only twice");
    }
    if let Some(retries) = &options.retries
        && retries.value == 0
    {
        let of_retries = [
            options.retry_delay.as_ref().map(|option| option.span),
            options.backoff.as_ref().map(|option| option.span),
            options.max_retry_delay.as_ref().map(|option| option.span),
        ];
        if let Some(span) = of_retries.into_iter().flatten().next() {
            errors.at(span, "this option is about retries, and `retries = 0` says that there are none");
        }
    }
}

/// The options as a constant `TaskOptions`.
pub(crate) fn tokens(options: &Options, private: &TokenStream) -> TokenStream {
    let mut set = Vec::new();
    let mut say = |field: TokenStream, value: Option<TokenStream>| {
        if let Some(value) = value {
            set.push(quote!(options.#field = ::core::option::Option::Some(#value);));
        }
    };
    let number = |value: u32| quote!(#value);
    say(quote!(retries), options.retries.as_ref().map(|retries| number(retries.value)));
    say(quote!(retry_delay), options.retry_delay.as_ref().map(|delay| duration(delay.value)));
    say(quote!(backoff), options.backoff.as_ref().map(|backoff| growth(backoff.value, private)));
    say(quote!(max_retry_delay), options.max_retry_delay.as_ref().map(|delay| duration(delay.value)));
    say(quote!(timeout), options.timeout.as_ref().map(|timeout| duration(timeout.value)));
    say(
        quote!(pool),
        options.pool.as_ref().map(|pool| {
            let name = &pool.value;
            quote!(#name)
        }),
    );
    say(quote!(pool_slots), options.pool_slots.as_ref().map(|slots| number(slots.value)));
    say(
        quote!(priority),
        options.priority.as_ref().map(|priority| {
            let value = priority.value;
            quote!(#value)
        }),
    );
    say(
        quote!(trigger_rule),
        options.trigger_rule.as_ref().map(|rule| {
            let variant = quote::format_ident!("{}", rule.value);
            quote!(#private::TriggerRule::#variant)
        }),
    );
    // What contradicts it has been reported.
    let apart = options.isolation.is_some() || options.deferrable.as_ref().is_some_and(|deferrable| deferrable.value);
    say(quote!(executor), options.executor.as_ref().filter(|_| !apart).map(|_| quote!(#private::spark())));
    let sensor = &options.sensor;
    say_sensor("poke_interval", sensor.poke_interval.as_ref().map(|interval| duration(interval.value)), &mut set);
    say_sensor("backoff", sensor.backoff.as_ref().map(|backoff| growth(backoff.value, private)), &mut set);
    let longest = sensor.max_poke_interval.as_ref().map(|interval| duration(interval.value));
    say_sensor("max_poke_interval", longest, &mut set);
    say_sensor("timeout", sensor.timeout.as_ref().map(|timeout| duration(timeout.value)), &mut set);
    let soft_fail = sensor.soft_fail.as_ref().map(|flag| {
        let value = flag.value;
        quote!(#value)
    });
    say_sensor("soft_fail", soft_fail, &mut set);
    set.extend(callbacks(options, private));
    if !options.tags.is_empty() {
        let tags = &options.tags;
        set.push(quote!(options.tags = &[#(#tags),*];));
    }
    if set.is_empty() {
        return quote!(#private::TaskOptions::NONE);
    }
    quote!({
        let mut options = #private::TaskOptions::NONE;
        #(#set)*
        options
    })
}

/// What sets the callbacks.
pub(crate) fn callbacks(options: &Options, private: &TokenStream) -> impl Iterator<Item = TokenStream> {
    options.callbacks.iter().map(move |(name, callback)| {
        let field = quote::format_ident!("{name}");
        // At the callback, so that one that is none is shown.
        let at = spans::at(callback.span(), private);
        let make = match peel(callback) {
            // The type of its parameter need not be written.
            Expr::Closure(_) => quote_spanned!(callback.span()=> #at::notifier_of(#callback)),
            _ => quote_spanned!(callback.span()=> #at::notifier(#callback)),
        };
        quote!(options.callbacks.#field = ::core::option::Option::Some(#private::Callback::new(|| #make));)
    })
}

fn say_sensor(field: &str, value: Option<TokenStream>, set: &mut Vec<TokenStream>) {
    if let Some(value) = value {
        let field = quote::format_ident!("{field}");
        set.push(quote!(options.sensor.#field = ::core::option::Option::Some(#value);));
    }
}

fn growth(backoff: Backoff, private: &TokenStream) -> TokenStream {
    match backoff {
        Backoff::Constant => quote!(#private::Backoff::Constant),
        Backoff::Exponential(factor) => quote!(#private::Backoff::Exponential { factor: #factor }),
    }
}

/// A duration as a constant.
pub(crate) fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
