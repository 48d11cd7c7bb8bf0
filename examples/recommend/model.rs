//! What to read next: learned from visits, judged, and published if it is worth it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// The pages of one session, in the order in which they were first read.
pub type Visit = Vec<String>;

/// For each page those that were read in the same sessions, most often first, with how often.
pub type Model = BTreeMap<String, Vec<(String, u32)>>;

/// How often the page that was read last was among those that were recommended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Score {
    pub visits: u32,
    pub hits: u32,
    /// The hits of recommending what is read most, whoever asks.
    pub popular: u32,
}

/// Whether the model is worth publishing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Verdict {
    Better(Score),
    NoBetter { score: Score, wanted: f64 },
}

/// Every `one_in`th session is for testing, the others are for training.
pub fn halves(visits: impl IntoIterator<Item = Visit>, one_in: usize) -> (Vec<Visit>, Vec<Visit>) {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (number, visit) in visits.into_iter().enumerate() {
        let half = if number % one_in == 0 { &mut test } else { &mut train };
        half.push(visit);
    }
    (train, test)
}

/// Counts the sessions in which two pages were both read.
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
        // Stable: of pages seen equally often the first by name.
        others.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        others
    };
    together.into_iter().map(|(page, others)| (page.to_owned(), ranked(others))).collect()
}

/// The pages read in most sessions, most first.
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

/// What to read after these pages: added up over them, without what was read.
fn recommend(model: &Model, read: &[String], count: usize) -> Vec<String> {
    let mut scores: BTreeMap<&str, u32> = BTreeMap::new();
    for (page, together) in read.iter().filter_map(|page| model.get(page)).flatten() {
        *scores.entry(page).or_default() += together;
    }
    let mut pages: Vec<(&str, u32)> = scores.into_iter().filter(|(page, _)| !read.iter().any(|r| r == page)).collect();
    pages.sort_by_key(|&(_, score)| std::cmp::Reverse(score));
    pages.into_iter().take(count).map(|(page, _)| page.to_owned()).collect()
}

/// Hides the last page of each session for testing, and looks whether it is among `count` recommendations.
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

/// The model must hit `min_lift` times as often as popularity does.
#[task]
pub fn judge(score: Score, min_lift: f64) -> Verdict {
    let wanted = f64::from(score.popular) * min_lift;
    if f64::from(score.hits) > 0.0 && f64::from(score.hits) >= wanted {
        Verdict::Better(score)
    } else {
        Verdict::NoBetter { score, wanted }
    }
}

/// Writes the model where a web server can read it, whole or not at all.
#[task(blocking)]
pub fn publish(model: &Model, score: &Score, path: &str) -> Result<String> {
    let path = Path::new(path);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_string(model)?)?;
    fs::rename(&fresh, path)?;
    Ok(format!("published {} pages to {}: {}", model.len(), path.display(), told(score)))
}

/// The model that is there stays.
#[task]
pub fn refuse(score: &Score, wanted: f64) -> String {
    format!("not published, {wanted:.0} hits are wanted: {}", told(score))
}

fn told(score: &Score) -> String {
    format!("{} of {} last pages were recommended, {} by popularity", score.hits, score.visits, score.popular)
}
