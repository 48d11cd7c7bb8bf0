//! What surrounds every page: the rail, the path of links, the zone and the footer.

use super::assets::{CSS, GRAPH_CSS, ICON, SCRIPT};
use super::choices::ZoneLink;
use super::counts::Counts;
use super::marks::Mark;
use super::times::{Clock, Moment};
use super::who::Who;

/// The frame of a page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The path under which the server is reached: empty, or with a leading and no trailing slash.
    pub(crate) base: String,
    /// The title of the tab.
    pub(crate) title: String,
    /// Which part of the rail is marked.
    pub(crate) place: Place,
    /// The path of links; the last one is the page itself.
    pub(crate) path: Vec<Crumb>,
    /// The zone of the times, with its abbreviation.
    pub(crate) zone: String,
    /// The name of the choice of the zone: `schedule`, `mine` or `utc`.
    pub(crate) tz: &'static str,
    /// The zones that can be chosen instead.
    pub(crate) zones: Vec<ZoneLink>,
    /// What waits for people, beside the links of the rail.
    pub(crate) counts: Counts,
    /// The time of the server.
    pub(crate) now: Moment,
    /// The version of taskflow, for the footer.
    pub(crate) build: String,
    /// `light` or `dark` if the user has chosen one; empty to follow the system.
    pub(crate) theme: &'static str,
    /// Whether keys of one character are off.
    pub(crate) keys_are_off: bool,
    /// Who looks at it.
    pub(crate) who: Who,
    /// What the page is about, as the topics of a stream; empty if it does not change.
    pub(crate) topics: String,
    /// The place of the stream before the page was read.
    pub(crate) as_of: String,
}

/// A part of the rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    Dags,
    Runs,
    Assets,
    Backfills,
    Approvals,
    Deadlines,
    Pools,
    Settings,
    Audit,
    Doctor,
    Users,
    Nowhere,
}

/// A link of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crumb {
    pub(crate) words: String,
    /// The address below the base path; empty for the page itself.
    pub(crate) href: String,
}

/// What all pages of one request share.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) base: String,
    pub(crate) clock: Clock,
    pub(crate) build: String,
    pub(crate) theme: &'static str,
    pub(crate) keys_are_off: bool,
    pub(crate) tz: &'static str,
    pub(crate) zones: Vec<ZoneLink>,
    pub(crate) counts: Counts,
    /// Who looks at the page: some are made on another thread, which does not know.
    pub(crate) who: Who,
}

impl Frame {
    pub(crate) fn new(request: &Request, place: Place, title: impl Into<String>, path: Vec<Crumb>) -> Frame {
        Frame {
            base: request.base.clone(),
            title: title.into(),
            place,
            path,
            zone: request.clock.zone_words(),
            tz: request.tz,
            zones: request.zones.clone(),
            counts: request.counts,
            now: request.clock.moment(request.clock.now),
            build: request.build.clone(),
            theme: request.theme,
            keys_are_off: request.keys_are_off,
            who: request.who.clone(),
            topics: String::new(),
            as_of: String::new(),
        }
    }

    /// Of a page that follows the engine: what it is about, and the place of the stream
    /// before anything of it was read.
    #[must_use]
    pub(crate) fn live(self, topics: impl Into<String>, as_of: String) -> Frame {
        Frame { topics: topics.into(), as_of, ..self }
    }

    /// With the sign of a state in the title of the tab.
    #[must_use]
    pub(crate) fn with_sign(mut self, mark: Mark) -> Frame {
        self.title = format!("{} {}", mark.sign(), self.title);
        self
    }

    pub(crate) fn css(&self) -> &'static str {
        &CSS.address
    }

    /// The style sheet of graphs.
    #[allow(clippy::unused_self, reason = "templates call methods")]
    pub(crate) fn graph_css(&self) -> &'static str {
        &GRAPH_CSS.address
    }

    #[allow(clippy::unused_self, reason = "templates call methods")]
    pub(crate) fn script(&self) -> &'static str {
        &SCRIPT.address
    }

    /// The glyphs that marks refer to.
    #[allow(clippy::unused_self, reason = "templates call methods")]
    pub(crate) fn glyphs(&self) -> String {
        super::marks::glyphs()
    }

    pub(crate) fn icon(&self) -> &'static str {
        &ICON.address
    }

    /// The value of `aria-current` of a link of the rail.
    pub(crate) fn is_at(&self, place: Place) -> bool {
        self.place == place
    }
}

impl Crumb {
    pub(crate) fn link(words: impl Into<String>, href: impl Into<String>) -> Crumb {
        Crumb { words: words.into(), href: href.into() }
    }

    pub(crate) fn here(words: impl Into<String>) -> Crumb {
        Crumb { words: words.into(), href: String::new() }
    }
}
