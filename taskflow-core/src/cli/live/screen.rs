//! The terminal that indicatif draws on, under a separate descriptor.
//!
//! Each drawing is written with one call, so that other output cannot interrupt it and nothing
//! flickers. Then the cursor moves to the beginning of the last line, because the terminal prints
//! `^C` at the cursor: at the end of the line it would scroll the view, and a part of the view
//! could not be erased.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use console::Term;
use indicatif::TermLike;

#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    drawing: Mutex<String>,
}

impl Screen {
    pub(super) fn new(term: Term) -> Self {
        Screen { term, drawing: Mutex::default() }
    }

    /// A terminal behind a file.
    pub(super) fn term(file: File) -> io::Result<Term> {
        Ok(Term::read_write_pair(file.try_clone()?, file))
    }

    fn draw(&self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        let mut drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string does not fail.
        let _ = drawing.write_fmt(text);
        Ok(())
    }

    fn moved(&self, cells: usize, direction: char) -> io::Result<()> {
        if cells > 0 { self.draw(format_args!("\x1b[{cells}{direction}")) } else { Ok(()) }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.draw(format_args!("{line}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(format_args!("{text}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw(format_args!("\r\x1b[2K"))
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawing = std::mem::take(&mut *self.drawing.lock().unwrap_or_else(PoisonError::into_inner));
        // A terminal that became narrower may have wrapped parts of the view below it.
        drawing.push_str("\x1b[J\r");
        self.term.write_str(&drawing)
    }
}
