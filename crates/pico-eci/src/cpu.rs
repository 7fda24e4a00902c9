// SPDX-License-Identifier: Apache-2.0
//! CPU limits: millicores become fuel per period, and a container that has used its share waits for the next.

/// The share of a core that a container may use.
///
/// As in Linux' bandwidth control there is a quota for every period of [`CpuQuota::PERIOD_MS`]; unused quota is not saved.
#[derive(Clone, Copy, Debug)]
pub struct CpuQuota {
    quota: Option<u32>,
    period: u64,
    used: u32,
    throttled: bool,
    throttled_periods: u64,
}

impl CpuQuota {
    /// The length of a period in milliseconds.
    pub const PERIOD_MS: u64 = 100;

    /// A quota of `millicores` (`None` for no limit) on a core that runs `fuel_per_second`.
    #[must_use]
    pub fn new(millicores: Option<u32>, fuel_per_second: u32) -> Self {
        let quota = millicores.map(|millicores| {
            let fuel =
                u64::from(fuel_per_second) * u64::from(millicores) / (1_000_000 / Self::PERIOD_MS);
            u32::try_from(fuel).unwrap_or(u32::MAX).max(1)
        });
        Self {
            quota,
            period: 0,
            used: 0,
            throttled: false,
            throttled_periods: 0,
        }
    }

    /// How much of `wanted` fuel the container may use now; 0 when it is throttled.
    pub fn allow(&mut self, now_ms: u64, wanted: u32) -> u32 {
        let period = now_ms / Self::PERIOD_MS;
        if period != self.period {
            // a host call may have gone beyond the quota: that is owed
            let periods = u32::try_from(period.saturating_sub(self.period)).unwrap_or(u32::MAX);
            self.used = self
                .used
                .saturating_sub(self.quota.unwrap_or(0).saturating_mul(periods));
            (self.period, self.throttled) = (period, false);
        }
        let Some(quota) = self.quota else {
            return wanted;
        };
        let left = quota.saturating_sub(self.used);
        if left == 0 && !self.throttled {
            self.throttled = true;
            self.throttled_periods += 1;
        }
        wanted.min(left)
    }

    /// Takes fuel that was used from the quota.
    pub fn charge(&mut self, fuel: u32) {
        self.used = self.used.saturating_add(fuel);
    }

    /// When a throttled container may go on, in monotonic milliseconds.
    #[must_use]
    pub const fn next_period_ms(&self) -> u64 {
        (self.period + 1) * Self::PERIOD_MS
    }

    /// In how many periods the container wanted more than its quota.
    #[must_use]
    pub const fn throttled_periods(&self) -> u64 {
        self.throttled_periods
    }
}

#[cfg(test)]
mod tests {
    use super::CpuQuota;

    #[test]
    fn a_quota_is_used_up_and_comes_back() {
        // half of a core of a million instructions a second: 50 000 in 100 ms
        let mut quota = CpuQuota::new(Some(500), 1_000_000);
        assert_eq!(quota.allow(1000, 60_000), 50_000);
        quota.charge(20_000);
        assert_eq!(quota.allow(1050, 60_000), 30_000);
        quota.charge(30_010);
        assert_eq!(
            (
                quota.allow(1099, 1),
                quota.allow(1099, 1),
                quota.throttled_periods()
            ),
            (0, 0, 1)
        );
        assert_eq!(quota.next_period_ms(), 1100);
        assert_eq!(
            quota.allow(1100, 60_000),
            49_990,
            "what was used beyond the quota is owed"
        );
        assert_eq!(
            quota.allow(10_000, 60_000),
            50_000,
            "and what was not used is not saved"
        );
    }

    #[test]
    fn no_limit_and_tiny_limits() {
        let mut unlimited = CpuQuota::new(None, 1_000_000);
        unlimited.charge(u32::MAX);
        assert_eq!(unlimited.allow(0, 7), 7);
        assert_eq!(
            CpuQuota::new(Some(0), 1_000_000).allow(0, 7),
            1,
            "a container always makes progress"
        );
        assert_eq!(
            CpuQuota::new(Some(u32::MAX), u32::MAX).allow(0, u32::MAX),
            u32::MAX
        );
    }
}
