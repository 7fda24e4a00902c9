// SPDX-License-Identifier: Apache-2.0
//! Many requests of one kind: in batches that double while all goes well, so that a quota or a bad template costs one
//! refusal and not five hundred.

use futures_util::future::join_all;

/// Requests that one reconciliation makes at most; the rest is left to the next.
pub(crate) const BURST: usize = 500;

/// Runs `make` for 0, 1, … `count` - 1 in batches of 1, 2, 4, …; after a batch with a failure no more are started. What was made, and
/// the first failure.
pub(crate) async fn slow_start<T, E, F: Future<Output = Result<T, E>>>(
    count: usize,
    make: impl Fn(usize) -> F,
) -> (Vec<T>, Option<E>) {
    let (mut made, mut started, mut size) = (Vec::with_capacity(count), 0, 1);
    while started < count {
        let end = count.min(started + size);
        let mut failure = None;
        for result in join_all((started..end).map(&make)).await {
            match result {
                Ok(one) => made.push(one),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if failure.is_some() {
            return (made, failure);
        }
        started = end;
        size *= 2;
    }
    (made, None)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn stops_after_the_batch_with_a_failure() {
        // count, first that fails, how many are asked for, how many are made
        for (count, fails, asked, made) in [
            (0, 9, 0, 0),
            (1, 9, 1, 1),
            (9, 99, 9, 9),
            (9, 0, 1, 0),
            (9, 1, 3, 1),
            (9, 4, 7, 4),
            (500, 10, 15, 10),
        ] {
            let asks = AtomicUsize::new(0);
            let (done, failure) = slow_start(count, |n| {
                asks.fetch_add(1, Ordering::Relaxed);
                std::future::ready(if n < fails { Ok(n) } else { Err(n) })
            })
            .await;
            assert_eq!(asks.load(Ordering::Relaxed), asked, "{count} {fails}");
            assert_eq!(done.len(), made, "{count} {fails}");
            assert_eq!(failure, (fails < count).then_some(fails));
        }
    }
}
