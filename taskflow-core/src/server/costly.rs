//! Requests that cost much: whole logs, searches, previews, checks of the home.
//!
//! 1. At most [`AT_ONCE`] of them are answered at a time, and [`EACH`] of somebody who is known by
//!    name, by however many tokens: however many ask, the engine keeps its cores.
//! 2. Others wait for their turn, for [`PATIENCE`] at most. Whoever has to wait longer, or comes
//!    when [`PLACES`] wait already, gets 503 with `Retry-After`, and has cost nothing.
//! 3. A [`Turn`] lasts as long as the work. A client that goes away does not end at once what a
//!    thread has begun for it, so that thread holds the turn too. `log_reads` reads no further
//!    then.
//! 4. A request waits for its turn once its body is there. No client holds a turn that it does
//!    nothing with.
//!
//! Streams are no such requests: they read little at a time, and have a limit of their own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::ServerState;
use super::auth::{Owner, Principal, Visitor};
use super::pages::problem_page;
use super::problem::Problem;
use super::shares::Shares;

/// How many are answered at a time.
const AT_ONCE: usize = 4;
/// How many of somebody who is known by name.
const EACH: usize = 2;
/// How many are answered or wait.
const PLACES: usize = AT_ONCE + 256;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The turns of a server.
#[derive(Debug)]
pub(super) struct Costly {
    places: Arc<Semaphore>,
    free: Arc<Semaphore>,
    own: Shares,
}

/// The right to answer a costly request now. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
    _free: OwnedSemaphorePermit,
}

/// No turn was free in time.
#[derive(Debug, PartialEq, Eq)]
struct Busy;

impl Costly {
    pub(super) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Costly { places: semaphore(PLACES), free: semaphore(AT_ONCE), own: Shares::new(EACH) }
    }

    async fn turn(&self, owner: Option<&Owner>) -> Result<Turn, Busy> {
        let busy = |_| Busy;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let deadline = Instant::now() + PATIENCE;
        // Nobody closes them.
        let wait = async |turns: Arc<Semaphore>| {
            let turn = timeout_at(deadline, turns.acquire_owned()).await.map_err(|_| Busy)?;
            turn.map_err(|_| Busy)
        };
        // One's own first: whoever waits for it holds up nobody else.
        let own = match owner {
            Some(owner) => Some(wait(self.own.of(owner)).await?),
            None => None,
        };
        Ok(Turn { _place: place, _own: own, _free: wait(Arc::clone(&self.free)).await? })
    }
}

impl ServerState {
    /// Waits for a turn.
    pub(super) async fn turn(&self, principal: &Principal) -> Result<Arc<Turn>, Problem> {
        self.costly.turn(principal.owner().as_ref()).await.map(Arc::new).map_err(|Busy| {
            self.metrics.busy();
            let detail = "the server is busy with other requests that cost as much";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            problem.next("ask again in a few seconds").header(header::RETRY_AFTER, "5")
        })
    }
}

/// Answers a costly page in its turn.
pub(super) async fn in_turn(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let visitor = Visitor::new(state, request.extensions());
    match visitor.turn(visitor.principal()).await {
        Ok(turn) => {
            request.extensions_mut().insert(Arc::clone(&turn));
            let response = next.run(request).await;
            drop(turn);
            response
        }
        Err(problem) => problem_page(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_turn_in_time_is_told_so_and_costs_nothing() {
        let costly = Costly::new();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(costly.turn(None).await.unwrap());
        }
        let began = Instant::now();
        assert_eq!(costly.turn(None).await.unwrap_err(), Busy);
        assert_eq!(began.elapsed(), PATIENCE);
        assert_eq!(costly.places.available_permits(), PLACES - AT_ONCE);
        // One that ends makes room for one that waits.
        let (ended, next) = tokio::join!(
            async {
                tokio::time::sleep(PATIENCE / 2).await;
                drop(turns.pop());
            },
            costly.turn(None)
        );
        assert_eq!((ended, next.is_ok()), ((), true));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_all_turns() {
        let costly = Costly::new();
        let ada = Owner::User("ada".to_owned());
        let _both = (costly.turn(Some(&ada)).await.unwrap(), costly.turn(Some(&ada)).await.unwrap());
        let began = Instant::now();
        let (third, other) = tokio::join!(costly.turn(Some(&ada)), async {
            costly.turn(None).await.map(|turn| (turn, began.elapsed()))
        });
        assert_eq!(third.unwrap_err(), Busy);
        assert_eq!(other.unwrap().1, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_has_an_end() {
        let costly = Costly::new();
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(Arc::clone(&costly.places).try_acquire_owned().unwrap());
        }
        let began = Instant::now();
        assert_eq!(costly.turn(None).await.unwrap_err(), Busy);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
