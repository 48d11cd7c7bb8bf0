//! How the processes of a store share the slots of pools.
//!
//! An engine dispatches tasks without asking a store: that would cost a statement for each start.
//! It holds a *lease* of some slots of each pool instead, and the writer of the journal adjusts the
//! lease from time to time.
//!
//! 1. An engine whose runs are stored holds no slots at first. The writer leases some as soon as a
//!    run with a task in a pool begins ([`PoolStore::lease_pools`]), and starts nothing in the pool
//!    before that.
//! 2. An engine that is alone takes the whole pool. From then on it only looks, with one read and
//!    as often as the writer looks for requests, whether somebody else wants slots.
//! 3. Several engines each get their *share*: the size of the pool divided by their number, but
//!    enough for their largest ready task. An engine with less than its share, and with tasks that
//!    need more, *claims* the difference. A claim has a ticket: first come, first served.
//! 4. Whoever holds slots gives them up for claims that are older than its own: idle slots at once,
//!    the slots of running tasks as these end. It also gives up slots that it has no tasks for.
//!    Slots that nobody claims go to whoever has tasks for them.
//! 5. Each step is one transaction over all pools of an engine, so the leases of a pool never
//!    exceed its size. While somebody waits, the engines look every few milliseconds.
//! 6. A lease ends with the process: a store knows which holders are alive, as it does for owners
//!    of runs. It also ends with the last stored run of the engine.
//!
//! A claim that is only partly served keeps what it has. Two engines that both wait for the whole
//! pool do not block each other, because the younger claim gives its slots to the older one.
//!
//! The size of a pool is that of the process that asks. A pool that was made smaller shrinks as
//! tasks end.
//!
//! [`PoolStore::lease_pools`]: super::traits::PoolStore::lease_pools

/// What an engine asks of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolDemand {
    pub(crate) pool: String,
    /// How many slots the pool has.
    pub(crate) size: u32,
    /// How many slots the engine still uses of its lease.
    pub(crate) held: u32,
    /// How many of them running tasks take.
    pub(crate) taken: u32,
    /// How many slots running and ready tasks want together.
    pub(crate) wanted: u32,
    /// The slots of the largest ready task.
    pub(crate) largest: u32,
}

/// What an engine holds of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolGrant {
    /// How many slots its tasks may take. Never fewer than running tasks take.
    pub(crate) held: u32,
    /// How many of them it has to give up as tasks end.
    pub(crate) owed: u32,
    /// Whether somebody waits for slots: it asks again soon.
    pub(crate) is_contended: bool,
}

/// A lease as stored.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only processes that share a store lease pools"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) held: u32,
    /// How many slots it claims beyond those.
    pub(super) claimed: u32,
    /// The place of the claim in the queue; 0 without a claim.
    pub(super) ticket: i64,
}

/// Decides what an engine holds of a pool. `own` is its lease so far, `others` are those of other
/// living holders, `ticket` is the next ticket.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only processes that share a store lease pools"))]
pub(super) fn decide(demand: &PoolDemand, own: Lease, others: &[Lease], ticket: i64) -> (Lease, PoolGrant) {
    let &PoolDemand { size, taken, .. } = demand;
    let wanted = demand.wanted.min(size);
    let others_hold: u32 = others.iter().map(|other| other.held).sum();
    let held = own.held.min(demand.held).max(taken);
    if others.is_empty() {
        let held = size.max(taken);
        let grant = PoolGrant { held, owed: held - size.min(held), is_contended: false };
        return (Lease { held, claimed: 0, ticket: 0 }, grant);
    }

    let of_claims = |is_older: &dyn Fn(&Lease) -> bool| -> u32 {
        others.iter().filter(|other| other.claimed > 0 && is_older(other)).map(|other| other.claimed).sum()
    };
    let has_claim = own.claimed > 0;
    let older = of_claims(&|other| !has_claim || other.ticket < own.ticket);

    // What it gives up: slots without tasks, what older claims lack, and what the pool does not
    // have.
    let wants_to_keep = held.min(wanted.max(taken));
    let free = size.saturating_sub(others_hold).saturating_sub(wants_to_keep);
    let excess = (others_hold + wants_to_keep).saturating_sub(size);
    let gives = (older.saturating_sub(free) + excess).min(wants_to_keep);
    let keeps = wants_to_keep - gives;
    let held = keeps.max(taken);
    let owed = held - keeps;

    // What it gets.
    let share = (size / (others.len() as u32 + 1)).max(1).max(demand.largest);
    let free = size.saturating_sub(others_hold).saturating_sub(held);
    let for_it = free.saturating_sub(older);
    let claims = wanted.min(share).saturating_sub(keeps);
    let lacks = wanted.saturating_sub(keeps);
    // Beyond its share it takes only what nobody claims.
    let gets = if claims > 0 { claims.min(for_it) } else { lacks.min(for_it) };
    let claimed = claims.saturating_sub(gets);
    let own_ticket = match (claimed > 0, has_claim) {
        (false, _) => 0,
        (true, true) => own.ticket,
        (true, false) => ticket,
    };
    let lease = Lease { held: held + gets, claimed, ticket: own_ticket };
    let anybody_claims = claimed > 0 || others.iter().any(|other| other.claimed > 0);
    let is_contended = anybody_claims || owed > 0 || lacks > gets;
    (lease, PoolGrant { held: lease.held, owed, is_contended })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine whose tasks each take one slot, or `largest` ones.
    #[derive(Clone, Copy, Debug, Default)]
    struct Engine {
        taken: u32,
        ready: u32,
        largest: u32,
        held: u32,
        lease: Lease,
    }

    struct Pool {
        size: u32,
        engines: Vec<Engine>,
        tickets: i64,
    }

    impl Pool {
        fn new(size: u32, ready: &[(u32, u32)]) -> Self {
            let engine = |&(ready, largest): &(u32, u32)| Engine { ready, largest, ..Engine::default() };
            Pool { size, engines: ready.iter().map(engine).collect(), tickets: 0 }
        }

        /// One engine asks, and starts what it can.
        fn ask(&mut self, at: usize) -> PoolGrant {
            let engine = self.engines[at];
            let demand = PoolDemand {
                pool: "p".to_owned(),
                size: self.size,
                held: engine.held,
                taken: engine.taken,
                wanted: engine.taken + engine.ready,
                largest: if engine.ready > 0 { engine.largest } else { 0 },
            };
            let others = self.engines.iter().enumerate().filter(|&(other, _)| other != at);
            let others: Vec<Lease> =
                others.map(|(_, other)| other.lease).filter(|lease| *lease != Lease::default()).collect();
            self.tickets += 1;
            let (lease, grant) = decide(&demand, engine.lease, &others, self.tickets);
            let engine = &mut self.engines[at];
            (engine.lease, engine.held) = (lease, grant.held);
            // Owed slots are not taken again.
            while engine.ready >= engine.largest.max(1)
                && engine.taken + engine.largest.max(1) + grant.owed <= grant.held
            {
                engine.ready -= engine.largest.max(1);
                engine.taken += engine.largest.max(1);
            }
            self.check();
            grant
        }

        fn end(&mut self, at: usize, slots: u32, owed: u32) {
            let engine = &mut self.engines[at];
            engine.taken -= slots;
            engine.held -= owed.min(slots);
        }

        fn check(&self) {
            let held: u32 = self.engines.iter().map(|engine| engine.lease.held).sum();
            assert!(held <= self.size, "{:?}", self.engines);
            assert!(self.engines.iter().all(|engine| engine.taken <= engine.lease.held), "{:?}", self.engines);
        }
    }

    #[test]
    fn an_engine_that_is_alone_has_the_whole_pool() {
        let mut pool = Pool::new(4, &[(1, 1)]);
        assert_eq!(pool.ask(0), PoolGrant { held: 4, owed: 0, is_contended: false });
        assert_eq!(pool.ask(0), PoolGrant { held: 4, owed: 0, is_contended: false });
    }

    #[test]
    fn two_busy_engines_have_half_of_the_pool_each() {
        let mut pool = Pool::new(4, &[(10, 1), (10, 1)]);
        assert_eq!(pool.ask(0).held, 4);
        assert_eq!(pool.ask(1), PoolGrant { held: 0, owed: 0, is_contended: true });
        let owes = pool.ask(0);
        assert_eq!((owes.held, owes.owed), (4, 2));
        pool.end(0, 2, owes.owed);
        assert_eq!(pool.ask(0).held, 2);
        assert_eq!(pool.ask(1).held, 2);
        // Nobody claims anything: each starts its next task without the other.
        for at in [0, 1, 0, 1] {
            pool.end(at, 1, 0);
            assert_eq!((pool.ask(at).held, pool.ask(at).owed), (2, 0));
        }
    }

    #[test]
    fn slots_without_tasks_go_to_the_other_engine() {
        let mut pool = Pool::new(4, &[(1, 1), (10, 1)]);
        assert_eq!(pool.ask(0).held, 4);
        assert_eq!(pool.ask(1).held, 0);
        assert_eq!(pool.ask(0).held, 1);
        assert_eq!(pool.ask(1).held, 2);
        assert_eq!(pool.ask(1).held, 3);
        pool.end(0, 1, 0);
        assert_eq!(pool.ask(0).held, 0);
        assert_eq!(pool.ask(1).held, 4);
    }

    /// Every engine gets on, whatever its tasks need: each ends all of its tasks.
    #[test]
    fn nobody_waits_forever() {
        let cases: [&[(u32, u32)]; 5] = [
            &[(8, 4), (8, 4)],
            &[(40, 1), (8, 4)],
            &[(8, 4), (40, 1), (12, 3)],
            &[(6, 2), (6, 3), (6, 1)],
            &[(9, 3); 7],
        ];
        for case in cases {
            let mut pool = Pool::new(4, case);
            let mut owed = vec![0; case.len()];
            for round in 0..2_000 {
                for (at, owed) in owed.iter_mut().enumerate() {
                    let size = pool.engines[at].largest;
                    if pool.engines[at].taken >= size && (round + at) % 3 == 0 {
                        pool.end(at, size, *owed);
                    }
                    *owed = pool.ask(at).owed;
                }
                if pool.engines.iter().all(|engine| engine.ready == 0) {
                    break;
                }
            }
            assert!(pool.engines.iter().all(|engine| engine.ready == 0), "{case:?}: {:?}", pool.engines);
        }
    }

    #[test]
    fn a_smaller_pool_shrinks_as_tasks_end() {
        let mut pool = Pool::new(4, &[(10, 1)]);
        assert_eq!(pool.ask(0).held, 4);
        pool.size = 2;
        let demand = PoolDemand { pool: "p".to_owned(), size: 2, held: 4, taken: 4, wanted: 10, largest: 1 };
        let (lease, grant) = decide(&demand, pool.engines[0].lease, &[], 9);
        assert_eq!((lease.held, grant.held, grant.owed), (4, 4, 2));
    }
}
