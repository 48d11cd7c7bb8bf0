//! The generated constants that hold options.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::table::Options;

impl Options {
    /// The options as an expression of the type `TaskOptions`.
    pub(crate) fn task_options(&self, private: &TokenStream) -> TokenStream {
        self.constant("TaskOptions", private)
    }

    /// The options as an expression of the type `EventOptions`.
    pub(crate) fn event_options(&self, private: &TokenStream) -> TokenStream {
        self.constant("EventOptions", private)
    }

    /// The options as an expression of the type `DagOptions`.
    pub(crate) fn dag_options(&self, private: &TokenStream) -> TokenStream {
        self.constant("DagOptions", private)
    }

    /// A constant expression: `NONE` with the assigned fields.
    fn constant(&self, ty: &str, private: &TokenStream) -> TokenStream {
        let ty = format_ident!("{ty}");
        let assignments = self.assignments(private);
        if assignments.is_empty() {
            return quote!(#private::#ty::NONE);
        }
        quote!({
            let mut options = #private::#ty::NONE;
            #(#assignments)*
            options
        })
    }

    /// Whether the schedule has data intervals. `false` without a schedule.
    pub(crate) fn has_intervals(&self) -> bool {
        self.schedule.as_ref().is_some_and(|schedule| schedule.value.without_days().is_none())
    }
}
