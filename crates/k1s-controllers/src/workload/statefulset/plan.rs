// SPDX-License-Identifier: Apache-2.0
//! What is to be done to the pods of a StatefulSet next: a pure function of their states.

/// A pod with an ordinal, as far as decisions look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) ordinal: i32,
    /// The ControllerRevision of its template.
    pub(super) revision: String,
    pub(super) pending: bool,
    /// It has ended; such a pod is made anew.
    pub(super) finished: bool,
    /// It was deleted and is on its way out.
    pub(super) going: bool,
    /// It runs and is ready.
    pub(super) ready: bool,
    /// It has been for `minReadySeconds`.
    pub(super) available: bool,
}

impl State {
    fn is_healthy(&self) -> bool {
        self.ready && !self.going
    }
}

/// What the StatefulSet wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) start: i32,
    pub(super) replicas: i32,
    /// All at once, rather than one after the other.
    pub(super) parallel: bool,
    /// Whether pods are replaced when the template changes, or only when they are deleted.
    pub(super) rolls: bool,
    /// Ordinals below `start` plus this keep the old template.
    pub(super) partition: i32,
    /// Most pods that a rollout may make unavailable.
    pub(super) max_unavailable: i32,
    pub(super) current_revision: String,
    pub(super) update_revision: String,
}

impl Wanted {
    fn ordinals(&self) -> std::ops::Range<i32> {
        self.start..self.start.saturating_add(self.replicas)
    }

    /// Whether the StatefulSet wants a pod of this ordinal.
    pub(super) fn has(&self, ordinal: i32) -> bool {
        self.ordinals().contains(&ordinal)
    }

    /// The revision that a new pod of this ordinal is made of.
    pub(super) fn revision(&self, ordinal: i32) -> &str {
        if self.rolls && ordinal < self.start.saturating_add(self.partition) {
            &self.current_revision
        } else {
            &self.update_revision
        }
    }
}

/// Something to do to the pod of an ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create(i32),
    /// Make claims that it waits for.
    Claim(i32),
    /// Mend labels, claims and their owners, where they are not as they should be.
    Mend(i32),
    /// Give its claims the owners that a pod has which is going to be deleted.
    Condemn(i32),
    /// Delete a pod that is too many, of an old template, or at its end; a new one is made once it is gone.
    Delete(i32),
}

/// The steps of one reconciliation, in order.
pub(super) fn steps(wanted: &Wanted, pods: &[State]) -> Vec<Step> {
    let mut steps = Vec::new();
    let find = |ordinal| pods.iter().find(|pod: &&State| pod.ordinal == ordinal);
    for ordinal in wanted.ordinals() {
        let blocks = match find(ordinal) {
            None => {
                steps.push(Step::Create(ordinal));
                true
            }
            Some(pod) if pod.finished => {
                if !pod.going {
                    steps.push(Step::Delete(ordinal));
                }
                true
            }
            Some(pod) => {
                if pod.pending {
                    steps.push(Step::Claim(ordinal));
                }
                let blocks = pod.going || !pod.ready || !pod.available;
                if !blocks || wanted.parallel {
                    steps.push(Step::Mend(ordinal));
                }
                blocks
            }
        };
        if blocks && !wanted.parallel {
            return steps;
        }
    }
    let mut condemned: Vec<&State> = pods.iter().filter(|pod| !wanted.has(pod.ordinal)).collect();
    condemned.sort_by_key(|pod| std::cmp::Reverse(pod.ordinal));
    steps.extend(condemned.iter().map(|pod| Step::Condemn(pod.ordinal)));
    if wanted.parallel {
        let alive = condemned.iter().filter(|pod| !pod.going);
        steps.extend(alive.map(|pod| Step::Delete(pod.ordinal)));
    } else if let Some(highest) = condemned.first() {
        // One that is not well is deleted only when it is the lowest of those: no more than one is missing at a time.
        let unwell = condemned.iter().rev().find(|pod| !pod.is_healthy());
        let well = highest.ready && highest.available;
        let may_go = well || unwell.is_some_and(|pod| pod.ordinal == highest.ordinal);
        if !highest.going && may_go {
            steps.push(Step::Delete(highest.ordinal));
        }
        return steps;
    }
    if wanted.rolls {
        steps.extend(updates(wanted, pods));
    }
    steps
}

/// Pods of an old template that may go now, the highest ordinal first.
fn updates(wanted: &Wanted, pods: &[State]) -> Vec<Step> {
    let find = |ordinal| pods.iter().find(|pod: &&State| pod.ordinal == ordinal);
    let is_missing = |pod: Option<&State>| pod.is_none_or(|p| !p.is_healthy() || !p.available);
    let missing = wanted
        .ordinals()
        .filter(|&ordinal| is_missing(find(ordinal)))
        .count();
    let mut left = wanted.max_unavailable - i32::try_from(missing).unwrap_or(i32::MAX);
    let mut steps = Vec::new();
    let first = wanted.start.saturating_add(wanted.partition);
    for ordinal in wanted
        .ordinals()
        .rev()
        .take_while(|ordinal| *ordinal >= first)
    {
        let Some(pod) = find(ordinal) else { continue };
        if pod.revision == wanted.update_revision || pod.going || pod.finished {
            continue;
        }
        // One that is missing anyway costs nothing.
        if is_missing(Some(pod)) {
            steps.push(Step::Delete(ordinal));
        } else if left > 0 {
            left -= 1;
            steps.push(Step::Delete(ordinal));
        }
    }
    steps
}

#[cfg(test)]
mod tests;
