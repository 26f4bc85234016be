//! Token buckets: so many a second, with a second's worth at once.

use std::{
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use axum::http::StatusCode;
use coordhub_core::ids::EntityId;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};

use super::{Asker, FairUse};
use crate::{net::neighbourhood, wire::Problem};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// A change.
    Change,
    /// A look.
    Read,
    /// A look by somebody who shows nothing, where others show a token.
    StrangersRead,
    /// To be let in with a secret that is not good.
    FailedLogin,
    /// To take part.
    Registration,
}

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock>;

/// One bucket for each key.
struct Keyed<K: Clone + Eq + Hash> {
    limiter: Limiter<K>,
    most: NonZeroU32,
    looks: AtomicU32,
}

/// Full buckets are thrown away so often, that those who came once are not kept for ever.
const LOOKS_BETWEEN_CLEANING: u32 = 8_192;

impl<K: Clone + Eq + Hash> Keyed<K> {
    fn new(most: Option<u32>, quota: fn(NonZeroU32) -> Quota) -> Option<Self> {
        let most = NonZeroU32::new(most?)?;
        Some(Self { limiter: RateLimiter::dashmap(quota(most)), most, looks: AtomicU32::new(0) })
    }

    /// Takes `count` out of a bucket, or all that a full one has; or says when there is enough again.
    fn take(&self, key: &K, count: u32) -> Result<(), Duration> {
        if self.looks.fetch_add(1, Relaxed) % LOOKS_BETWEEN_CLEANING == LOOKS_BETWEEN_CLEANING - 1 {
            self.limiter.retain_recent();
        }
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN).min(self.most);
        match self.limiter.check_key_n(key, count) {
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.limiter.clock().now())),
            // More than a bucket holds is never asked for.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

/// The buckets of everybody.
pub struct Buckets {
    changes: Option<Keyed<EntityId>>,
    reads: Option<Keyed<EntityId>>,
    address_changes: Option<Keyed<IpAddr>>,
    address_reads: Option<Keyed<IpAddr>>,
    strangers_reads: Option<Keyed<IpAddr>>,
    failed_logins: Option<Keyed<IpAddr>>,
    registrations: Option<Keyed<IpAddr>>,
}

impl Buckets {
    /// Full ones.
    pub fn new(fair: &FairUse) -> Self {
        Self {
            changes: Keyed::new(fair.changes_per_second, Quota::per_second),
            reads: Keyed::new(fair.reads_per_second, Quota::per_second),
            address_changes: Keyed::new(fair.address_changes_per_second, Quota::per_second),
            address_reads: Keyed::new(fair.address_reads_per_second, Quota::per_second),
            // All of an address are one caller, who takes nothing from those that are known.
            strangers_reads: Keyed::new(fair.reads_per_second, Quota::per_second),
            failed_logins: Keyed::new(fair.failed_logins_per_minute, Quota::per_minute),
            registrations: Keyed::new(fair.registrations_per_minute, Quota::per_minute),
        }
    }

    /// Whether entities have buckets at all.
    pub fn has_any_of_entities(&self) -> bool {
        self.changes.is_some() || self.reads.is_some()
    }

    /// Takes what is asked for, `count` times, or says how long to wait. Who is not known has no bucket
    /// of its own, and those of its address.
    pub fn take(&self, asker: Asker<'_>, asked: Asked, count: u32) -> Result<(), Problem> {
        let (of_entity, of_address) = match asked {
            Asked::Change => (&self.changes, &self.address_changes),
            Asked::Read => (&self.reads, &self.address_reads),
            Asked::StrangersRead => (&None, &self.strangers_reads),
            Asked::FailedLogin => (&None, &self.failed_logins),
            Asked::Registration => (&None, &self.registrations),
        };
        if let (Some(buckets), Some(entity)) = (of_entity, asker.entity) {
            let too_fast = |wait| too_fast(asked, buckets.most, "one entity", wait);
            buckets.take(entity, count).map_err(too_fast)?;
        }
        if let (Some(buckets), Some(address)) = (of_address, asker.address) {
            let too_fast = |wait| too_fast(asked, buckets.most, "one address", wait);
            buckets.take(&neighbourhood(address), count).map_err(too_fast)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

/// The code of the refusals of a bucket.
const TOO_FAST: &str = "too_fast";
/// For so long whoever is too fast waits to hear of it.
const HELD_BACK: Duration = Duration::from_millis(25);

/// Holds back the answer of this code where it tells somebody that it is too fast. Whoever does not heed it, and asks
/// again at once, would cost the others more by what is refused than by what is admitted.
pub async fn hold_back(code: &str) {
    if code == TOO_FAST {
        tokio::time::sleep(HELD_BACK).await;
    }
}

fn too_fast(asked: Asked, most: NonZeroU32, whose: &str, wait: Duration) -> Problem {
    let (what, advice) = match asked {
        Asked::Change => (
            format!("{most} changes a second"),
            "If you answer another agent, and it answers you, you are in a loop with it: stop, and go on when there is something new to say",
        ),
        Asked::Read | Asked::StrangersRead => (
            format!("{most} reads a second"),
            "Rather than asking again and again, open a socket or wait with `wait_seconds`",
        ),
        Asked::FailedLogin => {
            (format!("{most} wrong tokens a minute"), "Look whether your token was revoked")
        }
        Asked::Registration => {
            (format!("{most} registrations a minute"), "Register once, and keep your token")
        }
    };
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    let detail = format!(
        "more than {what} came from {whose}, which is all that this hub takes; nothing was done; wait {millis} ms. {advice}"
    );
    let seconds = u32::try_from(millis.div_ceil(1_000)).unwrap_or(u32::MAX);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, TOO_FAST, detail)
        .with("retry_after_ms", millis)
        .retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_too_fast_waits_to_hear_of_it_and_nobody_else() {
        for (code, waits) in [(TOO_FAST, HELD_BACK), ("too_many_open", Duration::ZERO)] {
            let before = tokio::time::Instant::now();
            hold_back(code).await;
            assert_eq!(before.elapsed(), waits, "{code}");
        }
    }

    #[test]
    fn a_bucket_that_is_empty_says_when_to_come_back() {
        let fair = FairUse { changes_per_second: Some(2), ..FairUse::default() };
        let buckets = Buckets::new(&fair);
        let (a, b) = (EntityId::parse("a").expect("an id"), EntityId::parse("b").expect("an id"));
        let take = |who, asked, count| {
            buckets.take(Asker { entity: Some(who), address: None }, asked, count)
        };
        // More than a bucket holds empties it, and is let through once.
        take(&a, Asked::Change, 1_000).expect("a full bucket");
        let problem = take(&a, Asked::Change, 1).expect_err("an empty one");
        assert_eq!((problem.status().as_u16(), problem.code()), (429, "too_fast"));
        assert!(problem.detail().contains("loop"), "{}", problem.detail());
        take(&b, Asked::Change, 1).expect("another's");
        take(&a, Asked::Read, 1).expect("reads have no bound here");
    }

    #[test]
    fn an_address_has_buckets_of_its_own() {
        let fair = FairUse { failed_logins_per_minute: Some(1), ..FairUse::default() };
        let buckets = Buckets::new(&fair);
        let take = |address: &str| {
            let address = Some(address.parse().expect("an address"));
            buckets.take(Asker { entity: None, address }, Asked::FailedLogin, 1)
        };
        assert!(take("192.0.2.1").is_ok() && take("192.0.2.1").is_err());
        assert!(take("192.0.2.2").is_ok());
        assert!(take("2001:db8::1").is_ok() && take("2001:db8::2").is_err(), "the same /64");
    }
}
