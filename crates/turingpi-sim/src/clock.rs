// SPDX-License-Identifier: Apache-2.0
//! The board's time: real time, or faster.

use std::time::Duration;

use tokio::time::Instant;

/// A clock that runs at a speed.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    speed: f64,
    origin: Instant,
}

impl Clock {
    /// A clock; at a speed of 60 a minute of the board lasts a second. It begins at zero.
    ///
    /// A speed that is not above zero is taken for 1; others are kept between 0.001 and 1 000 000.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        Self {
            speed: if speed.is_finite() && speed > 0.0 {
                speed.clamp(0.001, 1e6)
            } else {
                1.0
            },
            origin: Instant::now(),
        }
    }

    /// Time of the board since it was started.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.origin.elapsed().mul_f64(self.speed)
    }

    /// Waits for a time of the board.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }

    /// Waits for a client, which lives in real time however fast the board's goes: never less than the duration itself.
    pub(crate) async fn patience(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed.min(1.0))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fast_board_is_as_patient_as_a_slow_one() {
        let real = async |speed| {
            let begun = Instant::now();
            Clock::new(speed).patience(Duration::from_secs(10)).await;
            begun.elapsed().as_secs()
        };
        assert_eq!(
            [real(100.0).await, real(1.0).await, real(0.5).await],
            [10, 10, 20]
        );
    }
}
