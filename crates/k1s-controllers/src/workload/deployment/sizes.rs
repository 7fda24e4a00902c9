// SPDX-License-Identifier: Apache-2.0
//! How many pods each ReplicaSet of a Deployment is to have: pure functions of both.

use std::cmp::Reverse;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt as _;

use super::annotations;

/// `spec.replicas` of a Deployment.
pub(super) fn wanted(deployment: &Deployment) -> i32 {
    let spec = deployment.spec.as_ref();
    spec.and_then(|spec| spec.replicas).unwrap_or(1)
}

/// `spec.replicas` of a ReplicaSet.
pub(super) fn size(rs: &ReplicaSet) -> i32 {
    rs.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// Its pods that are available.
pub(super) fn available(rs: &ReplicaSet) -> i32 {
    let status = rs.status.as_ref();
    status
        .and_then(|status| status.available_replicas)
        .unwrap_or(0)
}

/// Its pods that are there.
pub(super) fn actual(rs: &ReplicaSet) -> i32 {
    rs.status.as_ref().map_or(0, |status| status.replicas)
}

/// Whether it rolls, rather than stopping all before it starts any.
pub(super) fn rolls(deployment: &Deployment) -> bool {
    let strategy = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref());
    strategy
        .and_then(|s| s.type_.as_deref())
        .is_none_or(|type_| type_ == "RollingUpdate")
}

/// A number, or a share of `total` that is rounded up or down. What cannot be read is zero; the API lets none such in.
pub(crate) fn scaled(value: Option<&IntOrString>, total: i32, up: bool) -> i32 {
    match value {
        None => 0,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i64 = text
                .strip_suffix('%')
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
            let hundredfold = percent.saturating_mul(i64::from(total));
            let rounded = if up {
                hundredfold.saturating_add(99) / 100
            } else {
                hundredfold / 100
            };
            i32::try_from(rounded).unwrap_or(i32::MAX)
        }
    }
}

/// Most pods above the wanted number, and most unavailable ones below it. Never both zero, as nothing could roll then.
fn fences(deployment: &Deployment) -> (i32, i32) {
    let strategy = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let total = wanted(deployment);
    let surge = scaled(rolling.and_then(|r| r.max_surge.as_ref()), total, true);
    let unavailable = scaled(
        rolling.and_then(|r| r.max_unavailable.as_ref()),
        total,
        false,
    );
    (
        surge,
        if surge == 0 && unavailable == 0 {
            1
        } else {
            unavailable
        },
    )
}

/// Most pods above the wanted number.
pub(super) fn max_surge(deployment: &Deployment) -> i32 {
    if rolls(deployment) {
        fences(deployment).0
    } else {
        0
    }
}

/// Most pods of the wanted number that may be unavailable.
pub(super) fn max_unavailable(deployment: &Deployment) -> i32 {
    if rolls(deployment) && wanted(deployment) != 0 {
        fences(deployment).1.min(wanted(deployment))
    } else {
        0
    }
}

fn total<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i32 {
    sets.into_iter().map(size).sum()
}

/// The size of a new ReplicaSet of `size` pods, so that with all others, `all` pods together, no more than the surge comes.
pub(super) fn new_size(deployment: &Deployment, all: i32, size: i32) -> i32 {
    if !rolls(deployment) {
        return wanted(deployment);
    }
    let most = wanted(deployment) + max_surge(deployment);
    if all >= most {
        return size;
    }
    size + (most - all).min(wanted(deployment) - size)
}

/// The new size of the new ReplicaSet in a rolling update.
pub(super) fn rolled_up(deployment: &Deployment, new: &ReplicaSet, old: &[ReplicaSet]) -> i32 {
    if size(new) >= wanted(deployment) {
        return wanted(deployment);
    }
    new_size(deployment, size(new) + total(old), size(new))
}

/// The new sizes of the old ReplicaSets in a rolling update, as pairs of index and size: first pods that are not
/// available anyway, then as many as may be missing.
pub(super) fn rolled_down(
    deployment: &Deployment,
    new: &ReplicaSet,
    old: &[ReplicaSet],
) -> Vec<(usize, i32)> {
    let mut sizes: Vec<i32> = old.iter().map(size).collect();
    let oldest_first = oldest_first(old);
    let fewest = wanted(deployment) - max_unavailable(deployment);
    let not_yet = size(new) - available(new);
    let spare = size(new) + total(old) - fewest - not_yet;
    if total(old) == 0 || spare <= 0 {
        return Vec::new();
    }
    let mut left = spare;
    for &n in &oldest_first {
        let Some(rs) = old.get(n) else { continue };
        let broken = (size(rs) - available(rs)).max(0).min(left);
        sizes[n] -= broken;
        left -= broken;
    }
    let mut left = available(new) + old.iter().map(available).sum::<i32>() - fewest;
    for &n in &oldest_first {
        let step = sizes[n].min(left).max(0);
        sizes[n] -= step;
        left -= step;
    }
    let changed = |&(n, to): &(usize, i32)| old.get(n).is_some_and(|rs| size(rs) != to);
    sizes.into_iter().enumerate().filter(changed).collect()
}

fn oldest_first(sets: &[ReplicaSet]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sets.len()).collect();
    order.sort_by_key(|&n| (created(&sets[n]), sets[n].name_any()));
    order
}

/// When it was created, seconds since 1970.
pub(super) fn created(rs: &ReplicaSet) -> i64 {
    let time = rs.metadata.creation_timestamp.as_ref();
    time.map_or(0, |time| time.0.as_second())
}

/// Whether the Deployment was scaled since this ReplicaSet was last given its size.
pub(super) fn was_scaled(deployment: &Deployment, sets: &[&ReplicaSet]) -> bool {
    let active = sets.iter().filter(|rs| size(rs) > 0);
    active
        .filter_map(|rs| annotations::desired(rs))
        .any(|desired| desired != wanted(deployment))
}

/// The new sizes of all ReplicaSets of a Deployment that was scaled, `new` (if there is one) first, then `old`, as pairs of
/// index among them and size. Where several have pods each gets its share; its annotations are renewed even when it is
/// the same.
pub(super) fn scaled_sizes(
    deployment: &Deployment,
    new: Option<&ReplicaSet>,
    old: &[ReplicaSet],
) -> Vec<(usize, i32)> {
    let all: Vec<&ReplicaSet> = new.into_iter().chain(old).collect();
    let wanted = wanted(deployment);
    if let Some(only) = active_or_latest(&all, new.is_some()) {
        return if size(all[only]) == wanted {
            Vec::new()
        } else {
            vec![(only, wanted)]
        };
    }
    let mut active: Vec<usize> = (0..all.len()).filter(|&n| size(all[n]) > 0).collect();
    if new.is_some_and(|new| is_saturated(deployment, new)) {
        return active
            .into_iter()
            .filter(|&n| n > 0)
            .map(|n| (n, 0))
            .collect();
    }
    if !rolls(deployment) {
        return Vec::new();
    }
    let allowed = if wanted > 0 {
        wanted + max_surge(deployment)
    } else {
        0
    };
    let to_add = allowed - active.iter().map(|&n| size(all[n])).sum::<i32>();
    if to_add >= 0 {
        active.sort_by_key(|&n| {
            (
                Reverse(size(all[n])),
                Reverse(created(all[n])),
                Reverse(all[n].name_any()),
            )
        });
    } else {
        active.sort_by_key(|&n| (Reverse(size(all[n])), created(all[n]), all[n].name_any()));
    }
    let mut added = 0;
    let mut sizes: Vec<(usize, i32)> = Vec::with_capacity(active.len());
    for n in active {
        let share = share(deployment, all[n], to_add, added);
        added += share;
        sizes.push((n, size(all[n]) + share));
    }
    if let Some((_, largest)) = sizes.first_mut() {
        *largest = (*largest + to_add - added).max(0);
    }
    sizes
}

/// The only one with pods, or the newest when none has any; none when several have.
fn active_or_latest(all: &[&ReplicaSet], has_new: bool) -> Option<usize> {
    let active: Vec<usize> = (0..all.len()).filter(|&n| size(all[n]) > 0).collect();
    match active[..] {
        [] if has_new => Some(0),
        [] => (0..all.len()).max_by_key(|&n| (created(all[n]), all[n].name_any())),
        [one] => Some(one),
        _ => None,
    }
}

fn is_saturated(deployment: &Deployment, rs: &ReplicaSet) -> bool {
    let wanted = wanted(deployment);
    size(rs) == wanted && annotations::desired(rs) == Some(wanted) && available(rs) == wanted
}

/// What a ReplicaSet gets of `to_add` pods, of which `added` are given away.
fn share(deployment: &Deployment, rs: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    if size(rs) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let (fraction, left) = (fraction(deployment, rs), to_add - added);
    if to_add > 0 {
        fraction.min(left)
    } else {
        fraction.max(left)
    }
}

/// By how much it would grow if it kept its proportion of the whole.
fn fraction(deployment: &Deployment, rs: &ReplicaSet) -> i32 {
    if wanted(deployment) == 0 {
        return -size(rs);
    }
    let most = i64::from(wanted(deployment) + max_surge(deployment));
    let status = deployment.status.as_ref();
    let before = annotations::max_replicas(rs)
        .filter(|before| *before != 0)
        .or_else(|| status.and_then(|status| status.replicas))
        .unwrap_or(0);
    if before <= 0 {
        return 0;
    }
    // rounded half up; nothing here is negative
    let before = i64::from(before);
    let new = (2 * i64::from(size(rs)) * most + before) / (2 * before);
    i32::try_from(new).unwrap_or(i32::MAX) - size(rs)
}

#[cfg(test)]
mod tests;
