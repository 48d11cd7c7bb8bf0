//! The progress view on a terminal: redrawn ten times a second and erased at the end.

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::terminal::{Paint, Terminal};
use super::sample::Sample;
use super::view;
use crate::dag::Plan;

/// The view. Nothing is drawn before the first sample.
#[derive(Debug)]
pub(in crate::cli) struct Bar {
    bar: ProgressBar,
    term: Term,
    terminal: Terminal,
    #[cfg(unix)]
    capture: Option<super::capture::Capture>,
}

impl Bar {
    /// Takes over the terminal. Where that is not possible, output of tasks mixes with the view.
    pub(super) fn new(terminal: Terminal) -> Self {
        #[cfg(unix)]
        if let Ok(bar) = Bar::with_capture(terminal) {
            return bar;
        }
        Bar {
            bar: bar(ProgressDrawTarget::stderr()),
            term: Term::stderr(),
            terminal,
            #[cfg(unix)]
            capture: None,
        }
    }

    #[cfg(unix)]
    fn with_capture(own: Terminal) -> std::io::Result<Self> {
        use std::io::Write;

        use super::capture::Capture;
        use super::screen::Screen;

        let term = Screen::term(Capture::terminal()?)?;
        let bar = bar(ProgressDrawTarget::term_like(Box::new(Screen::new(term.clone()))));
        let (view, mut terminal) = (bar.clone(), Capture::terminal()?);
        let capture = Capture::start(move |lines| {
            view.suspend(|| {
                // An error means that the terminal is gone.
                let _ = terminal.write_all(lines);
            });
        })?;
        Ok(Bar { bar, term, terminal: own, capture: Some(capture) })
    }

    pub(super) fn show(&self, sample: &Sample, plan: &Plan) {
        let (height, width) = self.term.size();
        let lines = view::lines(sample, plan, usize::from(width).saturating_sub(1), Paint(true));
        // A view that fills the screen could not be erased.
        let fitting = lines.len().min(usize::from(height).saturating_sub(1));
        self.bar.set_message(self.terminal.shown_stderr(&lines[..fitting].join("\n")));
    }

    /// Prints a line above the view.
    pub(super) fn note(&self, line: &str) {
        self.bar.println(self.terminal.shown_stderr(line));
    }

    /// Erases the view and prints a line in its place, for a program that ends at once.
    pub(super) fn quit(&self, line: &str) {
        self.bar.finish_and_clear();
        let _ = self.term.write_line(&self.terminal.shown_stderr(line));
    }

    /// Erases the view and gives the terminal back.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
        #[cfg(unix)]
        if let Some(capture) = self.capture {
            capture.end();
        }
    }
}

/// indicatif only redraws; the view formats itself.
fn bar(target: ProgressDrawTarget) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is a constant and right");
    ProgressBar::with_draw_target(None, target).with_style(style)
}
