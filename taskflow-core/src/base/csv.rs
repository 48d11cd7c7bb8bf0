//! Rows of CSV (RFC 4180), which a spreadsheet shows as they are.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a
//! formula, which can send what is beside it to somebody. Such a cell begins with `'` instead, the
//! sign of spreadsheets for text.

use std::borrow::Cow;

/// Adds a row, with its line feed.
pub(crate) fn add_row<'a>(text: &mut String, cells: impl IntoIterator<Item = Cow<'a, str>>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        add_cell(text, &cell);
    }
    text.push('\n');
}

fn add_cell(text: &mut String, cell: &str) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let is_quoted = cell.contains(['"', ',', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ');
    let mark = if is_formula { "'" } else { "" };
    if is_quoted {
        text.push('"');
        text.push_str(mark);
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(mark);
        text.push_str(cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> String {
        let mut text = String::new();
        add_row(&mut text, cells.iter().map(|&cell| cell.into()));
        text
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        assert_eq!(row(&["1", "", "a b", "é"]), "1,,a b,é\n");
        assert_eq!(row(&["a,b", "say \"x\"", "two\nlines", " a"]), "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\" a\"\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "=a,\"b\"", "\r=1", "\n=1"] {
            let text = row(&[cell, "after"]);
            let begins = text.trim_start_matches('"');
            assert!(begins.starts_with('\''), "{cell:?}: {text:?}");
        }
        assert_eq!(row(&["=1+1", "a=b", "a-b"]), "'=1+1,a=b,a-b\n");
        assert_eq!(row(&["=HYPERLINK(\"x\",1)"]), "\"'=HYPERLINK(\"\"x\"\",1)\"\n");
    }
}
