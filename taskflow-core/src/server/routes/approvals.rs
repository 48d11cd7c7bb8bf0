//! What waits for people, what is due, and what is at its limits.

use super::field::{AFTER, LIMIT, PAGES};
use super::route::{Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops;
use crate::server::api::approvals;

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/api/v1/approvals", approvals::list, "The questions that tasks ask people now"
        => Vec<ops::Approval>)
    .query(PAGES),
    route!(Get "/api/v1/approvals/{run}/{task}", approvals::approval, "The question that a task asks now"
        => ops::Approval),
    route!(Get "/api/v1/deadlines", approvals::deadlines,
        "The deadlines that are due next, and those that were missed"
        => ops::DeadlineList),
    route!(Get "/api/v1/deliveries", approvals::deliveries, "The notifications that could not be delivered"
        => Vec<ops::FailedDelivery>)
    .query(&[LIMIT, AFTER]),
    route!(Get "/api/v1/pools", approvals::limits, "The pools and limits, and who waits for them"
        => ops::LimitStatus),
    route!(Get "/api/v1/pools/{pool}", approvals::pool, "A pool: who holds its slots, and who waits for them"
        => ops::PoolStatus),
];
