//! Checks and re-wraps one piece of prose: a Markdown file, or the comment lines that follow each
//! other in a Rust file.

use super::blocks::{Block, Kind, blocks};
use super::wrap::wrap;
use super::{PROSE, width};

/// The meaning of line breaks inside a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaks {
    /// Line breaks have no meaning.
    Markdown,
    /// A break after the end of a sentence is intended if the next word would fit before it.
    Plain,
}

/// A piece of prose.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    /// Its lines, without indentation and comment marker.
    pub(super) lines: Vec<&'a str>,
    /// The width before each line: indentation, comment marker and a space.
    pub(super) offset: usize,
    pub(super) breaks: Breaks,
    /// The greatest width of code. `None` if code is not checked.
    pub(super) code: Option<usize>,
}

/// A line after re-wrapping.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line with this index, unchanged.
    Kept(usize),
    New(String),
}

impl Passage<'_> {
    /// The indices of the lines that are too wide, with the permitted width.
    pub(super) fn too_wide(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for block in self.paragraphs() {
            let limit = match block.kind {
                Kind::Paragraph { .. } if self.rewrapped_block(&block).is_none() => continue,
                Kind::Paragraph { .. } | Kind::Line => PROSE,
                Kind::Code => match self.code {
                    Some(limit) => limit,
                    None => continue,
                },
                Kind::Free => continue,
            };
            let excused =
                |index: usize| !matches!(block.kind, Kind::Paragraph { .. }) && is_long_url(self.lines[index]);
            let wide = block.lines.clone().filter(|index| self.width(*index) > limit && !excused(*index));
            found.extend(wide.map(|index| (index, limit)));
        }
        found
    }

    /// All lines. Paragraphs with a line that is too wide are re-wrapped.
    pub(super) fn rewrapped(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for block in self.paragraphs() {
            match self.rewrapped_block(&block) {
                Some(new) => lines.extend(new.into_iter().map(Line::New)),
                None => lines.extend(block.lines.map(Line::Kept)),
            }
        }
        lines
    }

    /// The new lines of a paragraph, if one of its lines is too wide and re-wrapping changes them.
    fn rewrapped_block(&self, block: &Block) -> Option<Vec<String>> {
        let Kind::Paragraph { first, rest } = &block.kind else {
            return None;
        };
        let old = &self.lines[block.lines.clone()];
        if !block.lines.clone().any(|index| self.width(index) > PROSE) {
            return None;
        }
        let text = old.join(" ");
        let room = PROSE.saturating_sub(self.offset + width(rest)).max(1);
        let prefixes = [first].into_iter().chain(std::iter::repeat(rest));
        let mut new: Vec<String> = wrap(&text[first.len()..], room)
            .into_iter()
            .zip(prefixes)
            .map(|(line, prefix)| format!("{prefix}{line}"))
            .collect();
        if let Some(last) = new.last_mut() {
            // Markdown keeps a line break after two spaces.
            let end = text.trim_end().len();
            last.push_str(if text[end..].len() >= 2 { "  " } else { "" });
        }
        (new != old).then_some(new)
    }

    /// The blocks. Paragraphs of ordinary comments are split at intended line breaks.
    fn paragraphs(&self) -> Vec<Block> {
        let blocks = blocks(&self.lines);
        match self.breaks {
            Breaks::Markdown => blocks,
            Breaks::Plain => blocks.into_iter().flat_map(|block| self.cut(block)).collect(),
        }
    }

    fn cut(&self, block: Block) -> Vec<Block> {
        let Kind::Paragraph { first, rest } = block.kind else {
            return vec![block];
        };
        let mut parts: Vec<Block> = Vec::new();
        for index in block.lines {
            match parts.last_mut() {
                Some(part) if !self.is_intended_break(index - 1) => part.lines.end = index + 1,
                last => {
                    let first = if last.is_none() { first.clone() } else { rest.clone() };
                    parts.push(Block { lines: index..index + 1, kind: Kind::Paragraph { first, rest: rest.clone() } });
                }
            }
        }
        parts
    }

    /// Whether the break after the line `index` is intended.
    fn is_intended_break(&self, index: usize) -> bool {
        let next = self.lines[index + 1].split_whitespace().next().unwrap_or_default();
        self.lines[index].trim_end().ends_with(['.', ':', ';', '!', '?'])
            && self.width(index) + 1 + width(next) <= PROSE
    }

    fn width(&self, index: usize) -> usize {
        self.offset + width(self.lines[index].trim_end())
    }
}

/// Whether most of a line is one URL.
pub(super) fn is_long_url(line: &str) -> bool {
    line.split_whitespace().any(|word| word.contains("://") && width(word) > PROSE / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrap(text: &str, breaks: Breaks) -> String {
        let passage = Passage { lines: text.lines().collect(), offset: 60, breaks, code: None };
        let lines = passage.rewrapped().into_iter().map(|line| match line {
            Line::Kept(index) => passage.lines[index].to_owned(),
            Line::New(line) => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_paragraph_whose_lines_fit_is_left_alone() {
        let text = "short\nlines\n\nstay";
        assert_eq!(rewrap(text, Breaks::Markdown), text);
    }

    #[test]
    fn only_the_paragraph_with_a_wide_line_changes() {
        let text = "short\nlines\n\nThis line is wider than the forty columns there are,\nand this is not.";
        let new = "short\nlines\n\nThis line is wider than the forty\ncolumns there are, and this is not.";
        assert_eq!(rewrap(text, Breaks::Markdown), new);
    }

    #[test]
    fn the_lines_of_a_list_item_hang() {
        let text = "1. An item of a list that is wider than forty columns\n   and goes on.\n2. Another.";
        let new = "1. An item of a list that is wider than\n   forty columns and goes on.\n2. Another.";
        assert_eq!(rewrap(text, Breaks::Markdown), new);
    }

    #[test]
    fn an_ordinary_comment_keeps_intended_breaks() {
        let text = "First:\nthis is a line that is wider than forty columns\nand so it breaks.\nLast.";
        let plain = "First:\nthis is a line that is wider than forty\ncolumns and so it breaks.\nLast.";
        assert_eq!(rewrap(text, Breaks::Plain), plain);
        let markdown = "First: this is a line that is wider than\nforty columns and so it breaks. Last.";
        assert_eq!(rewrap(text, Breaks::Markdown), markdown);
    }

    #[test]
    fn a_line_break_of_two_spaces_stays() {
        let text = "This line is wider than the forty columns.  \nNext.";
        assert_eq!(rewrap(text, Breaks::Markdown), "This line is wider than the forty\ncolumns.  \nNext.");
    }

    #[test]
    fn a_line_without_a_place_to_break_is_not_too_wide() {
        let passage = |text: &'static str| Passage {
            lines: text.lines().collect(),
            offset: 60,
            breaks: Breaks::Markdown,
            code: Some(80),
        };
        let url = "https://example.org/a/very/long/address/of/a/page";
        assert_eq!(passage(url).too_wide(), []);
        assert_eq!(passage("A heading\n## A heading that is wider than the forty columns").too_wide(), [(1, PROSE)]);
        assert_eq!(passage("```\ncode that is wider than twenty\n```").too_wide(), [(1, 80)]);
        assert_eq!(passage("| a row of a table that is wider than forty columns |").too_wide(), []);
    }
}
