//! A model of what to read next: training, evaluation and publication.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// The pages of one session, in the order in which they were first read.
pub type Visit = Vec<String>;

/// For each page, the pages that were read in the same sessions, with the number of these sessions,
/// in descending order.
pub type Model = BTreeMap<String, Vec<(String, u32)>>;

/// How often the last page of a visit was among the recommended ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Score {
    pub visits: u32,
    pub hits: u32,
    /// The hits of the baseline, which recommends the most popular pages to everyone.
    pub popular: u32,
}

/// Whether the model is worth publishing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Verdict {
    Better(Score),
    NotBetter { score: Score, required: f64 },
}

/// Splits visits into training and test sets. Every `one_in`th visit is for testing.
pub fn split_visits(visits: impl IntoIterator<Item = Visit>, one_in: usize) -> (Vec<Visit>, Vec<Visit>) {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (number, visit) in visits.into_iter().enumerate() {
        let set = if number % one_in == 0 { &mut test } else { &mut train };
        set.push(visit);
    }
    (train, test)
}

/// Counts, for each pair of pages, the sessions in which both were read.
#[task]
pub fn train(visits: &[Visit]) -> Model {
    let mut together: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    for visit in visits {
        for (place, page) in visit.iter().enumerate() {
            for other in visit.iter().enumerate().filter(|&(at, _)| at != place).map(|(_, other)| other) {
                *together.entry(page).or_default().entry(other).or_default() += 1;
            }
        }
    }
    let ranked = |others: BTreeMap<&str, u32>| {
        let mut others: Vec<(String, u32)> = others.into_iter().map(|(page, count)| (page.to_owned(), count)).collect();
        // The sort is stable, so pages with equal counts stay sorted by name.
        others.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        others
    };
    together.into_iter().map(|(page, others)| (page.to_owned(), ranked(others))).collect()
}

/// All pages, by descending number of sessions in which they were read.
#[task]
pub fn popular(visits: &[Visit]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for page in visits.iter().flatten() {
        *counts.entry(page).or_default() += 1;
    }
    let mut pages: Vec<(&str, u32)> = counts.into_iter().collect();
    pages.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    pages.into_iter().map(|(page, _)| page.to_owned()).collect()
}

/// Recommends pages to a visitor who has read `read`: adds up the counts for these pages, and omits
/// the pages themselves.
fn recommend(model: &Model, read: &[String], count: usize) -> Vec<String> {
    let mut scores: BTreeMap<&str, u32> = BTreeMap::new();
    for (page, together) in read.iter().filter_map(|page| model.get(page)).flatten() {
        *scores.entry(page).or_default() += together;
    }
    let mut pages: Vec<(&str, u32)> = scores.into_iter().filter(|(page, _)| !read.iter().any(|r| r == page)).collect();
    pages.sort_by_key(|&(_, score)| std::cmp::Reverse(score));
    pages.into_iter().take(count).map(|(page, _)| page.to_owned()).collect()
}

/// Counts how often the last page of a visit is among `count` recommendations for the other pages.
#[task]
pub fn evaluate(model: &Model, popular: &[String], test: &[Visit], count: usize) -> Score {
    let mut score = Score { visits: 0, hits: 0, popular: 0 };
    for visit in test {
        let Some((last, read)) = visit.split_last() else { continue };
        let common = popular.iter().filter(|page| !read.contains(page)).take(count);
        score.visits += 1;
        score.hits += u32::from(recommend(model, read, count).contains(last));
        score.popular += u32::from(common.into_iter().any(|page| page == last));
    }
    score
}

/// Decides whether to publish: the model needs `min_lift` times as many hits as the baseline.
#[task]
pub fn judge(score: Score, min_lift: f64) -> Verdict {
    let required = f64::from(score.popular) * min_lift;
    if f64::from(score.hits) > 0.0 && f64::from(score.hits) >= required {
        Verdict::Better(score)
    } else {
        Verdict::NotBetter { score, required }
    }
}

/// Writes the model to a file, atomically.
#[task(blocking)]
pub fn publish(model: &Model, score: &Score, path: &str) -> Result<String> {
    let path = Path::new(path);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let temporary = path.with_extension("new");
    fs::write(&temporary, serde_json::to_string(model)?)?;
    fs::rename(&temporary, path)?;
    Ok(format!("published {} pages to {}: {}", model.len(), path.display(), describe(score)))
}

/// Keeps the published model.
#[task]
pub fn reject(score: &Score, required: f64) -> String {
    format!("not published, {required:.0} hits are required: {}", describe(score))
}

fn describe(score: &Score) -> String {
    format!("{} of {} last pages were recommended, {} by popularity", score.hits, score.visits, score.popular)
}
