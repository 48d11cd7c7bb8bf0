//! Selects runs by the values of their parameters.
//!
//! 1. The row of a run has the values as bytes, which no index knows. They are read for runs that
//!    fit everything else, some at a time: each may be as large as a request.
//! 2. The type of a parameter may have changed since, and the program may not have its DAG. So a
//!    text is not read by the type: it means the string that it is, or the JSON that it is.

use std::collections::HashSet;

use serde_json::Value;

use super::error::JournalError;
use super::journal::Journal;
use super::reading::RunSummary;
use crate::store::RunFilter;

/// Of how many runs the parameters are read at once.
const AT_ONCE: usize = 50;
/// How many runs are read at once to find those that fit.
const PAGE: u32 = 500;

impl Journal {
    /// The runs that match a filter about parameters, in its order. Reads on until enough fit.
    pub(super) async fn runs_with_params(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, JournalError> {
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut page = RunFilter { params: Vec::new(), limit: Some(PAGE), ..filter.clone() };
        let mut found = Vec::new();
        loop {
            let mut runs = self.summaries(&page).await?;
            let is_last = runs.len() < PAGE as usize;
            page.after = runs.last().map(|run| run.cursor(filter.order));
            let fitting = self.with_params(&filter.params, &runs).await?;
            runs.retain(|run| fitting.contains(&run.number));
            found.append(&mut runs);
            if is_last || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// The numbers of those of some runs that have these values of parameters; see
    /// [`RunFilter::params`].
    pub(crate) async fn with_params(
        &self,
        params: &[(String, String)],
        runs: &[RunSummary],
    ) -> Result<HashSet<i64>, JournalError> {
        let wanted = Wanted::of(params);
        let mut fitting = HashSet::new();
        for some in runs.chunks(AT_ONCE) {
            let numbers: Vec<i64> = some.iter().map(|run| run.number).collect();
            for (number, stored) in self.inner.store.params_of(&numbers).await? {
                let fits = fit(&wanted, &stored).map_err(|what| {
                    let run = some.iter().find(|run| run.number == number);
                    JournalError::DamagedRun { run: run.map(|run| run.info.run_id.clone()).unwrap_or_default(), what }
                })?;
                if fits {
                    fitting.insert(number);
                }
            }
        }
        Ok(fitting)
    }
}

/// A parameter with the values that it may have.
struct Wanted<'p> {
    name: &'p str,
    values: Vec<WantedValue<'p>>,
}

struct WantedValue<'p> {
    text: &'p str,
    /// What it is as JSON, if it is any.
    json: Option<Value>,
}

impl<'p> Wanted<'p> {
    fn of(params: &'p [(String, String)]) -> Vec<Wanted<'p>> {
        let mut all: Vec<Wanted<'p>> = Vec::new();
        for (name, text) in params {
            let value = WantedValue { text, json: serde_json::from_str(text).ok() };
            match all.iter_mut().find(|known| known.name == name) {
                Some(known) => known.values.push(value),
                None => all.push(Wanted { name, values: vec![value] }),
            }
        }
        all
    }
}

impl WantedValue<'_> {
    fn is(&self, stored: &Value) -> bool {
        let is_text = stored.as_str() == Some(self.text);
        is_text || self.json.as_ref().is_some_and(|json| is_same(json, stored))
    }
}

/// `5` and `5.0` are the same number.
fn is_same(json: &Value, stored: &Value) -> bool {
    match (json, stored) {
        // Integers have more digits than `f64`.
        (Value::Number(one), Value::Number(other)) if one.is_f64() || other.is_f64() => one.as_f64() == other.as_f64(),
        _ => json == stored,
    }
}

/// Whether the stored parameters of a run have these values.
fn fit(wanted: &[Wanted<'_>], stored: &[u8]) -> Result<bool, String> {
    let stored = super::params::decode(stored)?;
    for Wanted { name, values } in wanted {
        let Some(param) = stored.iter().find(|param| param.name == *name) else { return Ok(false) };
        let value = crate::value::to_json(&param.value, &param.ty);
        let value = value.map_err(|what| format!("parameter `{name}`: {what}"))?;
        if !values.iter().any(|wanted| wanted.is(&value)) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Values as they are stored, and texts that name them or do not.
    #[test]
    fn a_text_is_the_string_that_it_is_or_the_json_that_it_is() {
        for (text, stored, is_it) in [
            ("2013-01", json!("2013-01"), true),
            ("2013-1", json!("2013-01"), false),
            ("5", json!(5), true),
            ("5", json!("5"), true),
            ("\"5\"", json!("5"), true),
            ("\"5\"", json!(5), false),
            ("5", json!(5.0), true),
            ("9007199254740993", json!(9_007_199_254_740_992_u64), false),
            ("true", json!(true), true),
            ("null", json!(null), true),
            ("", json!(""), true),
            ("", json!(null), false),
            ("[\"a\", \"b\"]", json!(["a", "b"]), true),
            ("a", json!(["a"]), false),
            ("{\"b\": 1, \"a\": 2}", json!({"a": 2, "b": 1}), true),
        ] {
            let params = [("month".to_owned(), text.to_owned())];
            assert_eq!(Wanted::of(&params)[0].values[0].is(&stored), is_it, "{text} {stored}");
        }
    }
}
