//! Splits prose into paragraphs and lines that must not change.
//!
//! It supports the Markdown that this project uses. In doubt a line does not change: a line with
//! another indentation than its paragraph starts another block, and a line with several spaces
//! between words counts as a drawing.

use std::ops::Range;

use super::wrap::{begins_html, begins_structure, is_heading, is_list_marker, is_rule};

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Their indices.
    pub(super) lines: Range<usize>,
    pub(super) kind: Kind,
}

/// The kind of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Prose. `first` precedes its first line (as the marker of a list item does), `rest` the
    /// others.
    Paragraph { first: String, rest: String },
    /// Prose that must not change: a heading, a drawing, HTML.
    Line,
    /// Code between fences or indented.
    Code,
    /// Any width is permitted: a row of a table, the definition of a link, an empty line.
    Free,
}

/// HTML tags that end a paragraph.
const HTML_BLOCKS: [&str; 9] =
    ["<!--", "<details", "</details", "<summary", "<div", "</div", "<table", "</table", "<p>"];

/// Splits `lines`, which are without comment markers.
pub(super) fn blocks(lines: &[&str]) -> Vec<Block> {
    let mut reader = Reader::default();
    for (index, line) in lines.iter().enumerate() {
        reader.take(index, line);
    }
    reader.blocks
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    /// Whether the last block is a paragraph that the next line may continue.
    open: bool,
    /// The fence that ends the code.
    fence: Option<String>,
    /// Whether the last line was HTML, which continues up to an empty line.
    html: bool,
    /// The columns where the text of the current list items begins, the outermost first.
    items: Vec<usize>,
}

impl Reader {
    fn take(&mut self, index: usize, line: &str) {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        let word = text.split(' ').next().unwrap_or_default();

        if let Some(fence) = &self.fence {
            if text.starts_with(fence.as_str()) && text.bytes().all(|byte| fence.as_bytes().contains(&byte)) {
                self.fence = None;
            }
            return self.put(index, Kind::Code);
        }
        if text.is_empty() {
            self.html = false;
            return self.put(index, Kind::Free);
        }
        if self.html {
            return self.put(index, Kind::Line);
        }
        if let Some(fence) = fence(text) {
            self.fence = Some(fence.to_owned());
            return self.put(index, Kind::Code);
        }
        if text.starts_with('|') || is_link_definition(text) {
            return self.put(index, Kind::Free);
        }
        if is_html_block(text, self.open) {
            self.html = !text.contains("-->");
            return self.put(index, Kind::Line);
        }
        self.items.retain(|start| *start <= indent);
        if is_heading(word) || is_rule(text) || text.starts_with('>') || is_drawing(text) {
            return self.put(index, Kind::Line);
        }
        if is_list_marker(word) {
            return self.item(index, line, indent, word);
        }
        self.prose(index, line, indent);
    }

    fn item(&mut self, index: usize, line: &str, indent: usize, marker: &str) {
        let after = &line[indent + marker.len()..];
        let text = after.trim_start();
        let start = line.trim_end().len() - text.trim_end().len();
        self.items.push(start);
        if text.is_empty() || (begins_structure(text) && !text.starts_with('[')) || start > indent + marker.len() + 4 {
            return self.put(index, Kind::Line);
        }
        self.paragraph(index, line, start);
    }

    fn prose(&mut self, index: usize, line: &str, indent: usize) {
        if let Some(Block { lines, kind: Kind::Paragraph { rest, .. } }) = self.blocks.last_mut()
            && self.open
            && rest.len() == indent
        {
            lines.end = index + 1;
            self.open = !breaks_after(line);
            return;
        }
        let base = self.items.last().copied().unwrap_or(0);
        if indent >= base + 4 {
            return self.put(index, Kind::Code);
        }
        self.paragraph(index, line, indent);
    }

    /// Opens a paragraph whose text begins at the column `start` of `line`.
    fn paragraph(&mut self, index: usize, line: &str, start: usize) {
        self.put(index, Kind::Paragraph { first: line[..start].to_owned(), rest: " ".repeat(start) });
        self.open = !breaks_after(line);
    }

    fn put(&mut self, index: usize, kind: Kind) {
        self.open = false;
        self.blocks.push(Block { lines: index..index + 1, kind });
    }
}

/// The characters of a fence that `text` opens.
fn fence(text: &str) -> Option<&str> {
    ['`', '~'].into_iter().find_map(|mark| {
        let length = text.len() - text.trim_start_matches(mark).len();
        (length >= 3 && !text[length..].contains(mark)).then(|| &text[..length])
    })
}

/// Whether `text` is `[name]: target`, perhaps with a title.
fn is_link_definition(text: &str) -> bool {
    let target = text.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    target.is_some_and(|(_, target)| match target.trim().split_once(' ') {
        None => true,
        Some((_, title)) => title.starts_with(['"', '\'', '(']),
    })
}

fn is_html_block(text: &str, in_paragraph: bool) -> bool {
    HTML_BLOCKS.iter().any(|tag| text.starts_with(tag)) || (!in_paragraph && begins_html(text))
}

/// Whether `text` is part of a drawing or table that other line breaks would destroy.
fn is_drawing(text: &str) -> bool {
    text.contains("  ") || text.contains('\t') || text.contains(|c: char| ('\u{2500}'..='\u{257f}').contains(&c))
}

/// Whether Markdown keeps the line break after `line`.
fn breaks_after(line: &str) -> bool {
    line.ends_with('\\') || line.ends_with("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a line: `P` begins a paragraph, `p` continues it, `L` line, `C` code, `F` free.
    fn kinds(text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let letters = blocks(&lines).into_iter().flat_map(|block| {
            let letter = match block.kind {
                Kind::Paragraph { .. } => 'P',
                Kind::Line => 'L',
                Kind::Code => 'C',
                Kind::Free => 'F',
            };
            [letter].into_iter().chain(block.lines.skip(1).map(|_| 'p'))
        });
        letters.collect()
    }

    #[test]
    fn empty_lines_separate_paragraphs() {
        assert_eq!(kinds("a\nb\n\nc"), "PpFP");
    }

    #[test]
    fn a_heading_a_table_and_a_rule_do_not_change() {
        assert_eq!(kinds("# Errors\n| a |\n|---|\n---\na\n[a]: b"), "LFFLPF");
        assert_eq!(kinds("[`a`]: b c\n1. [a]: b\n   c"), "PPp");
        assert_eq!(kinds("a\n#[task] b"), "Pp");
    }

    #[test]
    fn code_between_fences_does_not_change() {
        assert_eq!(kinds("a\n```text\nb\n\n- c\n``` d\n```\ne"), "PCCCCCCP");
        assert_eq!(kinds("~~~\n```\n~~~\na"), "CCCP");
        assert_eq!(kinds("````\n```\n````\na"), "CCCP");
        assert_eq!(kinds("```a``` b\nc"), "Pp");
    }

    #[test]
    fn each_list_item_is_a_paragraph_and_hangs() {
        assert_eq!(kinds("a\n- b\n  c\n- d\n1. e\n   f\n   - g\n     h\n\n   i"), "PPpPPpPpFP");
        let item = blocks(&["12. a"]).remove(0);
        assert_eq!(item.kind, Kind::Paragraph { first: "12. ".to_owned(), rest: "    ".to_owned() });
    }

    #[test]
    fn a_line_with_another_indentation_is_never_joined() {
        assert_eq!(kinds("- a\nb\n  c"), "PPP");
        assert_eq!(kinds("- a\n    b"), "PP");
    }

    #[test]
    fn indented_code_and_drawings_do_not_change() {
        assert_eq!(kinds("a\n\n    code\n\nb"), "PFCFP");
        assert_eq!(kinds("1. a\n\n       code"), "PFC");
        assert_eq!(kinds("a    b\n├── c\nd"), "LLP");
    }

    #[test]
    fn html_continues_up_to_an_empty_line() {
        assert_eq!(kinds("<details>\n<b>a</b>\nb\n\nc"), "LLLFP");
        assert_eq!(kinds("<!-- a -->\nb"), "LP");
        assert_eq!(kinds("a\n<T> b"), "Pp");
        assert_eq!(kinds("<https://a> b\nc"), "Pp");
    }

    #[test]
    fn a_line_break_that_markdown_keeps_ends_the_paragraph() {
        assert_eq!(kinds("a\\\nb\nc  \nd"), "PPpP");
    }
}
