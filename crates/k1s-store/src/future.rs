// SPDX-License-Identifier: Apache-2.0
//! [`WriteFuture`]: the outcome of a write, and [`wait`] for callers without a runtime.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::Written;
use crate::error::{Error, Result};

/// The outcome of [`crate::Store::write`]. The write happens whether it is polled or not.
#[must_use = "the write may have failed"]
pub struct WriteFuture(State);

enum State {
    Ready(Option<Result<Written>>),
    #[cfg_attr(
        not(feature = "lmdb"),
        expect(dead_code, reason = "only durable engines have writers that wait")
    )]
    Waiting(Arc<Slot>),
}

impl WriteFuture {
    pub(crate) fn ready(result: Result<Written>) -> Self {
        Self(State::Ready(Some(result)))
    }

    #[cfg(feature = "lmdb")]
    pub(crate) fn waiting() -> (Self, Promise) {
        let slot = Arc::new(Slot::default());
        (Self(State::Waiting(slot.clone())), Promise(slot))
    }

    /// Blocks until the write is done.
    ///
    /// # Errors
    /// As [`crate::Store::write`].
    pub fn wait(self) -> Result<Written> {
        wait(self)
    }
}

impl Future for WriteFuture {
    type Output = Result<Written>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().unwrap_or(Err(Error::Closed))),
            State::Waiting(slot) => {
                let mut slot = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
                match slot.0.take() {
                    Some(result) => Poll::Ready(result),
                    None => {
                        slot.1 = Some(context.waker().clone());
                        Poll::Pending
                    }
                }
            }
        }
    }
}

#[derive(Default)]
struct Slot(Mutex<(Option<Result<Written>>, Option<Waker>)>);

/// The writer's end of a [`WriteFuture`]; dropped without a word it tells [`Error::Closed`].
#[cfg(feature = "lmdb")]
pub(crate) struct Promise(Arc<Slot>);

#[cfg(feature = "lmdb")]
impl Promise {
    pub(crate) fn keep(self, result: Result<Written>) {
        self.settle(result);
    }

    fn settle(&self, result: Result<Written>) {
        let mut slot = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 = Some(result);
        let waker = slot.1.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(feature = "lmdb")]
impl Drop for Promise {
    fn drop(&mut self) {
        let settled = {
            let slot = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            // One reference left means that the future is gone or has its answer.
            slot.0.is_some() || Arc::strong_count(&self.0) == 1
        };
        if !settled {
            self.settle(Err(Error::Closed));
        }
    }
}

/// Blocks the thread until a future is done.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Some(output) = poll_until(|context| future.as_mut().poll(context), None) {
            return output;
        }
    }
}

/// Polls and parks until there is an answer or the deadline has passed.
pub(crate) fn poll_until<T>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    deadline: Option<Instant>,
) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = poll(&mut context) {
            return Some(output);
        }
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                thread::park_timeout(left);
            }
        }
    }
}
