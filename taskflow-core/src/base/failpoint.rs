//! Failpoints: named places where a test can kill the process or make a write fail.
//!
//! `failpoint::hit("name")?` precedes every write, rename and fsync of durable data. Without the
//! feature `failpoints` it does nothing. With it, the variable `TASKFLOW_FAILPOINTS` configures the
//! failpoints: `value.rename=kill`, `journal.append@3=ENOSPC`, separated by `;`. `@3` selects the
//! third hit, `@3+` the third and all later ones; without a number, every hit counts. `kill` sends
//! SIGKILL; any other word is the error that the write returns.
//!
//! With the feature, the variable `TASKFLOW_CLOCK` names a file that moves the clock of the
//! process: it holds a number of seconds.

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn hit(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

/// By how many nanoseconds the clock is moved.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn clock_offset() -> i64 {
    0
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::{clock_offset, hit};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::io;
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// The action at one failpoint.
    struct Point {
        name: String,
        /// The hit at which it acts, and whether it also acts at later ones.
        strikes: Option<(u64, bool)>,
        action: String,
    }

    fn points() -> &'static [Point] {
        static POINTS: OnceLock<Vec<Point>> = OnceLock::new();
        POINTS.get_or_init(|| {
            let configured = std::env::var("TASKFLOW_FAILPOINTS").unwrap_or_default();
            configured.split(';').filter(|point| !point.trim().is_empty()).map(read).collect()
        })
    }

    fn read(point: &str) -> Point {
        let wrong = || panic!("TASKFLOW_FAILPOINTS: `{point}` is not of the form `name@3=kill`");
        let (place, action) = point.trim().split_once('=').unwrap_or_else(wrong);
        let (name, strikes) = match place.split_once('@') {
            Some((name, count)) => {
                let count_of =
                    |text: &str| text.parse().unwrap_or_else(|_| panic!("`{point}`: `{count}` is not a count"));
                let strikes = match count.strip_suffix('+') {
                    Some(first) => (count_of(first), true),
                    None => (count_of(count), false),
                };
                (name, Some(strikes))
            }
            None => (place, None),
        };
        Point { name: name.to_owned(), strikes, action: action.to_owned() }
    }

    pub(crate) fn hit(name: &'static str) -> io::Result<()> {
        static PASSED: OnceLock<Mutex<HashMap<&'static str, u64>>> = OnceLock::new();

        if points().is_empty() {
            return Ok(());
        }
        let passed = {
            let mut passed = PASSED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
            let passed = passed.entry(name).or_default();
            *passed += 1;
            *passed
        };
        let strikes = |point: &&Point| match point.strikes {
            None => true,
            Some((at, true)) => passed >= at,
            Some((at, false)) => passed == at,
        };
        match points().iter().filter(|point| point.name == name).find(strikes) {
            None => Ok(()),
            Some(point) => Err(strike(name, &point.action)),
        }
    }

    pub(crate) fn clock_offset() -> i64 {
        static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

        let file = FILE.get_or_init(|| std::env::var_os("TASKFLOW_CLOCK").map(PathBuf::from));
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        text.and_then(|text| text.trim().parse::<i64>().ok()).map_or(0, |seconds| seconds.saturating_mul(1_000_000_000))
    }

    fn strike(name: &str, action: &str) -> io::Error {
        match action {
            "kill" => {
                // If even this fails, the error below is all that is left.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                std::thread::park();
                io::Error::other("still alive after SIGKILL")
            }
            "ENOSPC" => io::Error::from(io::ErrorKind::StorageFull),
            "EIO" => io::Error::from_raw_os_error(5),
            "EROFS" => io::Error::from(io::ErrorKind::ReadOnlyFilesystem),
            "EACCES" => io::Error::from(io::ErrorKind::PermissionDenied),
            other => io::Error::other(format!("{other} (failpoint {name})")),
        }
    }
}
