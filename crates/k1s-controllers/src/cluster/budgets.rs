// SPDX-License-Identifier: Apache-2.0
//! The status of PodDisruptionBudgets: how many pods there should be and are, and how many may go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, LabelSelector, OwnerReference, Time,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use crate::cache::{Cache, Change, Kind, Queue};
use crate::error::{Refusal as _, Result};
use crate::recorder::Recorder;
use crate::scheduler::pod::selector;
use crate::setup::Setup;
use crate::workload::pod::is_ready;

/// After so long a pod that was evicted and is still there counts as one that stays.
const DELETION: SignedDuration = SignedDuration::from_secs(120);
const CONDITION: &str = "DisruptionAllowed";

struct Context {
    client: Client,
    budgets: Cache<PodDisruptionBudget>,
    pods: Cache<Pod>,
    owners: Owners,
    recorder: Recorder,
}

/// What may have made the pods.
struct Owners {
    deployments: Cache<Deployment>,
    replica_sets: Cache<ReplicaSet>,
    stateful_sets: Cache<StatefulSet>,
    replication_controllers: Cache<ReplicationController>,
}

/// Registers the disruption controller.
pub(crate) fn start(setup: &mut Setup) {
    let budgets = setup.cache::<PodDisruptionBudget>();
    let pods = setup.cache::<Pod>();
    let (queue, keys) = Queue::<PodDisruptionBudget>::new();
    budgets.feed_own(&queue);
    let all = budgets.clone();
    pods.feed(&queue, move |change: &Change<Pod>| {
        let namespace = change.latest().and_then(|pod| pod.namespace());
        let states: Vec<&Arc<Pod>> = change.states().collect();
        let about = all.in_namespace(&namespace.unwrap_or_default(), |budget| {
            states.iter().any(|pod| selects(budget, pod))
        });
        about
            .iter()
            .map(|budget| ObjectRef::from_obj(budget.as_ref()))
            .collect::<Vec<_>>()
    });
    let owners = Owners {
        deployments: setup.cache(),
        replica_sets: setup.cache(),
        stateful_sets: setup.cache(),
        replication_controllers: setup.cache(),
    };
    // A changed scale changes what is expected.
    scales(&owners.deployments, &budgets, &queue, |d| {
        d.spec.as_ref().and_then(|s| s.replicas)
    });
    scales(&owners.replica_sets, &budgets, &queue, |r| {
        r.spec.as_ref().and_then(|s| s.replicas)
    });
    scales(&owners.stateful_sets, &budgets, &queue, |s| {
        s.spec.as_ref().and_then(|s| s.replicas)
    });
    scales(&owners.replication_controllers, &budgets, &queue, |r| {
        r.spec.as_ref().and_then(|s| s.replicas)
    });
    let context = Context {
        client: setup.client(),
        budgets: budgets.clone(),
        pods,
        owners,
        recorder: setup.recorder("controllermanager"),
    };
    setup.controller(
        "disruption",
        (queue, keys),
        &budgets,
        context,
        |budget, context| async move { reconcile(&context, &budget).await },
    );
}

/// Has the budgets of a namespace looked at when something there is scaled.
fn scales<K: Kind>(
    cache: &Cache<K>,
    budgets: &Cache<PodDisruptionBudget>,
    queue: &Queue<PodDisruptionBudget>,
    replicas: impl Fn(&K) -> Option<i32> + Send + Sync + 'static,
) {
    let budgets = budgets.clone();
    cache.feed(queue, move |change| {
        let scale = |object: &Option<Arc<K>>| object.as_deref().and_then(&replicas);
        if scale(&change.old) == scale(&change.new) {
            return Vec::new();
        }
        let namespace = change.latest().and_then(|object| object.namespace());
        let all = budgets.in_namespace(&namespace.unwrap_or_default(), |_| true);
        all.iter()
            .map(|budget| ObjectRef::from_obj(budget.as_ref()))
            .collect()
    });
}

fn selects(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let wanted = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
    selector(wanted).matches(&pod.metadata.labels.as_ref())
}

impl Owners {
    /// How many pods the owner wants, with a name for the owner at the top; none for a kind that has no scale.
    fn scale(&self, namespace: &str, owner: &OwnerReference) -> Option<(String, i64)> {
        let name = owner.name.as_str();
        let same = |uid: Option<String>| uid.as_deref() == Some(owner.uid.as_str());
        match owner.kind.as_str() {
            "ReplicaSet" => {
                let set = self
                    .replica_sets
                    .get(namespace, name)
                    .filter(|s| same(s.uid()))?;
                let above = set
                    .metadata
                    .owner_references
                    .iter()
                    .flatten()
                    .find(|owner| owner.controller == Some(true) && owner.kind == "Deployment");
                if let Some(above) = above {
                    let deployment = self.deployments.get(namespace, &above.name)?;
                    let replicas = deployment.spec.as_ref()?.replicas.unwrap_or(1);
                    return Some((above.uid.clone(), replicas.into()));
                }
                Some((
                    owner.uid.clone(),
                    set.spec.as_ref()?.replicas.unwrap_or(1).into(),
                ))
            }
            "StatefulSet" => {
                let set = self
                    .stateful_sets
                    .get(namespace, name)
                    .filter(|s| same(s.uid()))?;
                Some((
                    owner.uid.clone(),
                    set.spec.as_ref()?.replicas.unwrap_or(1).into(),
                ))
            }
            "ReplicationController" => {
                let rc = self.replication_controllers.get(namespace, name)?;
                let rc = Some(rc).filter(|rc| same(rc.uid()))?;
                Some((
                    owner.uid.clone(),
                    rc.spec.as_ref()?.replicas.unwrap_or(1).into(),
                ))
            }
            _ => None,
        }
    }
}

/// The numbers of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    expected: i64,
    desired: i64,
}

/// How many pods are expected and have to stay: `pods` that there are, `scale` that their owners want.
fn numbers(min: Option<&IntOrString>, max: Option<&IntOrString>, pods: i64, scale: i64) -> Numbers {
    if let Some(max) = max {
        let desired = (scale - scaled(max, scale)).max(0);
        return Numbers {
            expected: scale,
            desired,
        };
    }
    match min {
        Some(IntOrString::Int(number)) => Numbers {
            expected: pods,
            desired: (*number).into(),
        },
        Some(percent) => Numbers {
            expected: scale,
            desired: scaled(percent, scale),
        },
        // A budget that says neither lets nothing go.
        None => Numbers {
            expected: 0,
            desired: 0,
        },
    }
}

/// A number, or a percentage of the whole, rounded up.
fn scaled(value: &IntOrString, whole: i64) -> i64 {
    match value {
        IntOrString::Int(number) => (*number).into(),
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            (percent * whole + 99).div_euclid(100)
        }
    }
}

async fn reconcile(context: &Context, budget: &PodDisruptionBudget) -> Result<Action> {
    let namespace = budget.namespace().unwrap_or_default();
    let now = Timestamp::now();
    let pods = context
        .pods
        .in_namespace(&namespace, |pod| selects(budget, pod));
    let spec = budget.spec.clone().unwrap_or_default();
    if pods.is_empty() {
        let note = "No matching pods found".to_owned();
        context.recorder.normal(budget, "NoPods", note);
    }
    let needs_scale = spec.max_unavailable.is_some()
        || matches!(&spec.min_available, Some(IntOrString::String(_)));
    let (scale, unmanaged) = if needs_scale {
        match expected(&context.owners, &namespace, &pods) {
            Ok(found) => found,
            Err(why) => {
                let note = format!("Failed to calculate the number of expected pods: {why}");
                let reason = "CalculateExpectedPodCountFailed";
                context.recorder.warning(budget, reason, note);
                return write(context, budget, unknown(budget, why, now)).await;
            }
        }
    } else {
        (0, Vec::new())
    };
    if !unmanaged.is_empty() {
        let note = format!(
            "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.",
            printed(spec.selector.as_ref())
        );
        context.recorder.warning(budget, "UnmanagedPods", note);
    }
    let count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    let numbers = numbers(
        spec.min_available.as_ref(),
        spec.max_unavailable.as_ref(),
        count,
        scale,
    );
    let (disrupted, again) = still_disrupted(budget, &pods, now);
    let status = status(budget, numbers, &pods, disrupted, now);
    write(context, budget, status).await?;
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}

/// Writes a status that differs from what is there.
async fn write(
    context: &Context,
    budget: &PodDisruptionBudget,
    status: PodDisruptionBudgetStatus,
) -> Result<Action> {
    if budget.status.as_ref() == Some(&status) {
        return Ok(Action::await_change());
    }
    let mut wanted = budget.clone();
    wanted.status = Some(status);
    let namespace = budget.namespace().unwrap_or_default();
    let api: Api<PodDisruptionBudget> = Api::namespaced(context.client.clone(), &namespace);
    let params = PostParams::default();
    match api
        .replace_status(&budget.name_any(), &params, &wanted)
        .await
    {
        Ok(written) => context.budgets.caught_up(&written).await,
        Err(error) if error.is_not_found() => {}
        // Perhaps an eviction was counted meanwhile: again, with the newer state.
        Err(error) => return Err(error.into()),
    }
    Ok(Action::await_change())
}

/// How many pods the owners want, and the names of those without one.
///
/// # Errors
/// The words for an owner of which nobody knows how many it wants.
fn expected(
    owners: &Owners,
    namespace: &str,
    pods: &[Arc<Pod>],
) -> std::result::Result<(i64, Vec<String>), String> {
    let mut by_owner: BTreeMap<String, i64> = BTreeMap::new();
    let mut unmanaged = Vec::new();
    for pod in pods {
        let owner = pod
            .metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true));
        match owner {
            Some(owner) => match owners.scale(namespace, owner) {
                Some((uid, scale)) => {
                    by_owner.insert(uid, scale);
                }
                None => return Err(no_scale(owner, &pod.name_any())),
            },
            None => unmanaged.push(pod.name_any()),
        }
    }
    Ok((by_owner.values().sum(), unmanaged))
}

fn no_scale(owner: &OwnerReference, pod: &str) -> String {
    let resource = match owner.kind.as_str() {
        "Job" => "jobs.batch",
        "DaemonSet" => "daemonsets.apps",
        _ => return format!("found no controllers for pod {pod:?}"),
    };
    format!("{resource} does not implement the scale subresource")
}

/// A selector as kube-controller-manager prints it in an event.
fn printed(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else {
        return "nil".to_owned();
    };
    let labels = selector.match_labels.iter().flatten();
    let labels: String = labels
        .map(|(key, value)| format!("{key}: {value},"))
        .collect();
    let expressions = selector.match_expressions.iter().flatten();
    let expressions: String = expressions
        .map(|r| {
            let values = r.values.iter().flatten().map(String::as_str);
            let values = values.collect::<Vec<_>>().join(" ");
            format!(
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},",
                r.key, r.operator
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

/// The evicted pods that have yet to go, and when the first of them will have taken too long.
fn still_disrupted(
    budget: &PodDisruptionBudget,
    pods: &[Arc<Pod>],
    now: Timestamp,
) -> (BTreeMap<String, Time>, Option<Duration>) {
    let noted = budget
        .status
        .as_ref()
        .and_then(|s| s.disrupted_pods.clone());
    let there: BTreeSet<String> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .map(|pod| pod.name_any())
        .collect();
    let left = |at: &Time| DELETION - now.duration_since(at.0);
    let mut noted = noted.unwrap_or_default();
    noted.retain(|name, at| there.contains(name) && left(at).is_positive());
    let again = noted.values().map(left).min();
    (noted, again.and_then(|left| Duration::try_from(left).ok()))
}

fn status(
    budget: &PodDisruptionBudget,
    numbers: Numbers,
    pods: &[Arc<Pod>],
    disrupted: BTreeMap<String, Time>,
    now: Timestamp,
) -> PodDisruptionBudgetStatus {
    let healthy = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter(|pod| !disrupted.contains_key(&pod.name_any()))
        .filter(|pod| is_ready(pod))
        .count();
    let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    let allowed = if numbers.expected <= 0 {
        0
    } else {
        (healthy - numbers.desired).max(0)
    };
    let number = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
    let generation = budget.metadata.generation;
    let (state, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let condition = Condition {
        type_: CONDITION.to_owned(),
        status: state.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: generation,
        last_transition_time: Time(now),
    };
    let present = budget.status.clone().unwrap_or_default();
    PodDisruptionBudgetStatus {
        conditions: Some(with(present.conditions.unwrap_or_default(), condition)),
        current_healthy: number(healthy),
        desired_healthy: number(numbers.desired),
        disrupted_pods: (!disrupted.is_empty()).then_some(disrupted),
        disruptions_allowed: number(allowed),
        expected_pods: number(numbers.expected),
        observed_generation: generation,
    }
}

/// The status of a budget of which the numbers cannot be known: nothing may go.
fn unknown(budget: &PodDisruptionBudget, why: String, now: Timestamp) -> PodDisruptionBudgetStatus {
    let mut status = budget.status.clone().unwrap_or_default();
    let condition = Condition {
        type_: CONDITION.to_owned(),
        status: "False".to_owned(),
        reason: "SyncFailed".to_owned(),
        message: why,
        observed_generation: status.observed_generation,
        last_transition_time: Time(now),
    };
    status.disruptions_allowed = 0;
    status.conditions = Some(with(status.conditions.unwrap_or_default(), condition));
    status
}

/// The conditions with one set anew; it keeps its time while its status stays.
fn with(mut conditions: Vec<Condition>, mut new: Condition) -> Vec<Condition> {
    match conditions.iter_mut().find(|c| c.type_ == new.type_) {
        Some(known) => {
            if known.status == new.status {
                new.last_transition_time = known.last_transition_time.clone();
            }
            *known = new;
        }
        None => conditions.push(new),
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_budgets() {
        let check = |min: Option<&str>, max: Option<&str>, pods, scale, expected: (i64, i64)| {
            let read = |text: &str| match text.parse() {
                Ok(number) => IntOrString::Int(number),
                Err(_) => IntOrString::String(text.to_owned()),
            };
            let (min, max) = (min.map(read), max.map(read));
            let numbers = numbers(min.as_ref(), max.as_ref(), pods, scale);
            assert_eq!(
                (numbers.expected, numbers.desired),
                expected,
                "{min:?} {max:?}"
            );
        };
        check(Some("2"), None, 3, 0, (3, 2));
        check(Some("30%"), None, 4, 4, (4, 2));
        check(Some("30%"), None, 4, 0, (0, 0));
        check(None, Some("1"), 4, 4, (4, 3));
        check(None, Some("50%"), 4, 4, (4, 2));
        check(None, Some("50%"), 3, 3, (3, 1));
        check(None, Some("9"), 3, 3, (3, 0));
        check(None, Some("1"), 2, 0, (0, 0));
        check(None, None, 3, 3, (0, 0));
    }

    #[test]
    fn selectors_as_they_are_printed() {
        let selector = serde_json::from_value(serde_json::json!({
            "matchLabels": {"b": "2", "a": "1"},
            "matchExpressions": [{"key": "c", "operator": "In", "values": ["x", "y"]}],
        }));
        assert_eq!(
            printed(selector.ok().as_ref()),
            "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{\
             LabelSelectorRequirement{Key:c,Operator:In,Values:[x y],},},}"
        );
    }
}
