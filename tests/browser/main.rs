//! The pages of the server in a real Chromium, over the protocol of its developer tools.
//!
//! [`page`] has what a test says to a page, [`site`] the servers and their homes, [`proxy`] what
//! can stand between the two.
//!
//! A comment of each test says which of these it proves:
//!
//! 1. Every page opens without a message, in both themes.
//! 2. A run that a form has started is followed in another tab.
//! 3. The grid of 5,000 tasks has the states of the API, and few elements.
//! 4. A grid that changes keeps focus, place and rows.
//! 5. The grid is used with the keyboard.
//! 6. Slots without runs are hollow, with their reason.
//! 7. What is cleared is what the form has shown.
//! 8. What has changed since a preview is shown, and nothing is done.
//! 9. Forms work without scripts.
//! 10. The form of a backfill shows the fates of its slots; its page has them, and follows it.
//! 11. The form of parameters shows mistakes at their fields.
//! 12. The log of a running attempt is followed until somebody scrolls up.
//! 13. A log whose stream is cut has each line once.
//! 14. A long log is found by the browser, and by the server.
//! 15. A hostile log is text.
//! 16. A task with 100,000 elements has the right numbers.
//! 17. The states of a graph change, and no node moves; a large one is opened by its groups.
//! 18. The bars of a run are its attempts; the critical path is what it waited for.
//! 19. The calendar is right where clocks change.
//! 20. Every time has a zone.
//! 21. What a person does with a page stays while it changes.
//! 22. A hidden tab asks for nothing, and is right when it is shown again.
//! 23. A page comes back by itself when the server does.
//! 24. A log-out, or a token that is revoked, ends all tabs; rights that are taken away are gone
//!     from open pages.
//! 25. Who may look at one DAG is shown no action, and nothing of other DAGs.
//! 26. What people write is never a part of a page's code.
//! 27. The rules of axe, tabs, reflow, large text, forced colours, reduced motion, and how much is
//!     read aloud.
//! 28. The families of states differ for all eyes.
//! 29. Pages are live below a base path, and through proxies.
//! 30. A page that changes often does not grow.
//! 31. A run is printed.
//! 32. What is selected in a list is changed at once.
//! 33. Each role is shown what it may do, and nothing that it would be refused.
//! 34. A page of another origin reads and changes nothing; a foreign name is not answered.
//! 35. Who knows no address runs an example, repairs it, and asks for a year of it.
//! 36. A phone is enough to approve, to retry and to read a log.
//! 37. A page that is held, a block with selected text and a list that is used stay as they are.
//! 38. A page costs one request and one stream.
//! 39. The theme that somebody has chosen is there with the first paint of the next page.

#![cfg(unix)]

mod chromium;
mod page;
mod proxy;
mod site;
// The service of the tests of the API.
#[allow(dead_code, reason = "the tests of the API use the rest")]
#[path = "../server/home.rs"]
mod home;
#[path = "../server/nginx.rs"]
mod nginx;

mod access;
mod backfills;
mod budgets;
mod bulk;
mod calendars;
mod colours;
mod crowds;
mod everywhere;
mod forms;
mod graphs;
mod grids;
mod journey;
mod layout;
mod live;
mod logs;
mod long_logs;
mod mapped;
mod origins;
mod restarts;
mod roles;
mod self_check;
mod sessions;
mod tabs;
mod times;
