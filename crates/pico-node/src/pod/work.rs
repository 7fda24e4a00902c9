// SPDX-License-Identifier: Apache-2.0
//! One pod at work: its containers in their order, its end, and whether there is something to report.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::PinSet;

use super::container::{Runner, State, earlier};
use super::pull::names_registry;
use super::source::{Downward, Missing, PullSecrets, Source, pull_secrets, settings};
use super::spec::{ContainerSpec, Pod, RestartPolicy};
use crate::backoff::Random;
use crate::event::{About, Events};
use crate::facts::Config;
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

/// What a pod was given of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) pins: PinSet,
    pub(crate) pwm: u8,
    pub(crate) adc: PinSet,
    pub(crate) led: bool,
    pub(crate) temperature: bool,
}

impl Given {
    pub(crate) const NOTHING: Self = Self {
        pins: PinSet::EMPTY,
        pwm: 0,
        adc: PinSet::EMPTY,
        led: false,
        temperature: false,
    };
}

/// What a pod acts upon in one round.
pub(crate) struct World<'a> {
    pub(crate) now: Ms,
    pub(crate) wall: Option<Wall>,
    pub(crate) config: &'a Config,
    pub(crate) runtime: &'a mut dyn Runtime,
    pub(crate) events: &'a mut Events,
    pub(crate) random: &'a mut Random,
    /// Bytes of SRAM that no container uses.
    pub(crate) memory_free: u64,
    /// Whether no container is to be started.
    pub(crate) is_safe_mode: bool,
    /// Fuel left for all containers in this round.
    pub(crate) fuel: u32,
    /// Whether a container wanted more of it.
    pub(crate) starved: bool,
    /// Digests of the images that containers use; told only while one is being pulled.
    pub(crate) in_use: Vec<String>,
    /// Whether an image was pulled.
    pub(crate) has_pulled: bool,
    /// Whether the status of the pod at hand changed.
    pub(crate) dirty: bool,
    /// The pod at hand, for events.
    pub(crate) about: Option<About>,
}

impl World<'_> {
    pub(crate) fn event(
        &mut self,
        container: &ContainerSpec,
        is_warning: bool,
        reason: &'static str,
        message: String,
    ) {
        if let Some(about) = &self.about {
            let about = About {
                field: format!("spec.containers{{{}}}", container.name),
                ..about.clone()
            };
            self.events
                .add(about, is_warning, reason, message, self.wall);
        }
    }
}

/// The phase of a pod, as Kubernetes names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// A pod and all that belongs to it on this node.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) pod: Pod,
    pub(crate) given: Given,
    pub(crate) init: Vec<Runner>,
    pub(crate) containers: Vec<Runner>,
    pub(crate) sources: Vec<Source>,
    /// Reason and message of a pod that this node does not take.
    pub(crate) rejected: Option<(String, String)>,
    /// Whether an event has told of that, if it is so.
    is_told: bool,
    pub(crate) started: Option<Wall>,
    /// Since when each condition is what it is: Initialized, ContainersReady and Ready.
    pub(crate) since: [(bool, Option<Wall>); 3],
    /// Whether the status is to be sent.
    pub(crate) dirty: bool,
    /// Not to be sent again before.
    pub(crate) hold_until: Ms,
    /// Since when it is being ended.
    pub(crate) stopping: Option<Ms>,
    /// The API no longer has it: only its end is awaited.
    pub(crate) is_gone: bool,
    /// Its deletion was confirmed to the API.
    pub(crate) is_deleted: bool,
    /// The phase that was settled for good.
    pub(crate) settled: Option<Phase>,
}

impl Work {
    pub(crate) fn new(pod: Pod, now: Option<Wall>) -> Self {
        let runners = |specs: &[ContainerSpec]| specs.iter().map(|_| Runner::new()).collect();
        Self {
            init: runners(&pod.init),
            containers: runners(&pod.containers),
            sources: pod.references().into_iter().map(Source::new).collect(),
            given: Given::NOTHING,
            rejected: None,
            is_told: false,
            started: now,
            since: [(false, now); 3],
            dirty: true,
            hold_until: 0,
            stopping: None,
            is_gone: false,
            is_deleted: false,
            settled: None,
            pod,
        }
    }

    /// A container, or an init container, of this name.
    pub(crate) fn container(&self, name: &str) -> Option<(&ContainerSpec, &Runner)> {
        let specs = self.pod.init.iter().chain(&self.pod.containers);
        let runners = self.init.iter().chain(&self.containers);
        specs.zip(runners).find(|(spec, _)| spec.name == name)
    }

    pub(crate) fn about(&self) -> About {
        About {
            kind: "Pod",
            namespace: self.pod.namespace.clone(),
            name: self.pod.name.clone(),
            uid: self.pod.uid.clone(),
            field: String::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        if let Some(phase) = self.settled {
            return phase;
        }
        let begun =
            |runner: &Runner| runner.is_running() || runner.restarts > 0 || runner.last.is_some();
        let ended = |runner: &Runner| matches!(runner.state, State::Terminated(_));
        if self.containers.iter().any(begun) || self.containers.iter().any(ended) {
            Phase::Running
        } else {
            Phase::Pending
        }
    }

    /// Whether no container runs and none will.
    pub(crate) fn is_over(&self) -> bool {
        self.settled.is_some() || self.rejected.is_some()
    }

    fn any_running(&self) -> bool {
        self.init
            .iter()
            .chain(&self.containers)
            .any(Runner::is_running)
    }

    /// Every container, those that come first included.
    pub(crate) fn runners(&self) -> impl Iterator<Item = &Runner> {
        self.init.iter().chain(&self.containers)
    }

    /// Whether the pod is to be deleted and its containers have ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping.is_some() && !self.any_running()
    }

    /// Whether it can be asked: all its containers are ready and it is not being ended.
    pub(crate) fn is_ready(&self) -> bool {
        self.since[2].0 && self.stopping.is_none()
    }

    /// Refuses the pod.
    pub(crate) fn reject(&mut self, reason: String, message: String) {
        self.rejected = Some((reason, message));
        self.settled = Some(Phase::Failed);
        self.dirty = true;
    }

    /// Takes a newer version of the pod.
    pub(crate) fn update(&mut self, pod: Pod) {
        // What may change in a pod that runs: its labels, its deletion, and (rarely) an image.
        let same_containers =
            pod.containers.len() == self.containers.len() && pod.init.len() == self.init.len();
        if same_containers {
            self.pod = pod;
        } else {
            self.pod.deletion = pod.deletion;
        }
    }

    /// What containers waited for is there, by the reason of their waiting: they try again.
    pub(crate) fn look_again(&mut self, waits_for: &str, now: Ms) {
        for runner in self.init.iter_mut().chain(&mut self.containers) {
            if let State::Waiting {
                reason, retry_at, ..
            } = &mut runner.state
                && *reason == waits_for
            {
                *retry_at = now;
            }
        }
    }

    /// Bytes of memory that its containers use.
    pub(crate) fn memory(&self) -> u64 {
        self.init
            .iter()
            .chain(&self.containers)
            .map(Runner::memory)
            .sum()
    }

    /// Does what is to be done now. Says when to come again.
    pub(crate) fn poll(&mut self, world: &mut World<'_>) -> Option<Ms> {
        world.about = Some(self.about());
        world.dirty = false;
        if !core::mem::replace(&mut self.is_told, true)
            && let (Some((reason, message)), Some(about)) = (&self.rejected, world.about.clone())
        {
            world
                .events
                .add(about, true, reason.clone(), message.clone(), world.wall);
        }
        let next = self.act(world);
        self.observe(world.wall);
        self.dirty |= core::mem::take(&mut world.dirty);
        next
    }

    fn act(&mut self, world: &mut World<'_>) -> Option<Ms> {
        let ending = self.pod.deletion.is_some() || self.is_gone;
        if ending && self.stopping.is_none() {
            self.stop(world);
        }
        if self.settled.is_some() {
            return None;
        }
        let owner = self.pod.owner();
        let mut next = None;
        let policy = self.pod.restart;
        let init_policy = match policy {
            RestartPolicy::Never => RestartPolicy::Never,
            _ => RestartPolicy::OnFailure,
        };
        let name = format!("{}_{}({})", self.pod.name, self.pod.namespace, self.pod.uid);

        // Init containers one after another; the others once all of those have done their work.
        let mut may_go_on = true;
        for n in 0..self.init.len() {
            if !may_go_on {
                break;
            }
            next = earlier(next, self.one(true, n, &owner, world));
            let over = self.stopping.is_none()
                && self.init[n].after_end(&self.pod.init[n], init_policy, &name, world);
            let done = matches!(&self.init[n].state, State::Terminated(end) if end.code == 0);
            if over && !done {
                self.settle(Phase::Failed, world);
                return None;
            }
            may_go_on = done;
        }
        if may_go_on {
            let mut all_over = true;
            for n in 0..self.containers.len() {
                next = earlier(next, self.one(false, n, &owner, world));
                let over = self.stopping.is_none()
                    && self.containers[n].after_end(&self.pod.containers[n], policy, &name, world);
                if let (false, State::Waiting { retry_at, .. }) = (over, &self.containers[n].state)
                {
                    next = earlier(next, Some(*retry_at));
                }
                all_over &= over;
            }
            if all_over {
                let phase = self.final_phase();
                self.settle(phase, world);
                return None;
            }
        }
        if self.is_stopped() {
            let phase = self.final_phase();
            self.settle(phase, world);
            return None;
        }
        next
    }

    /// Starts or runs one container.
    fn one(&mut self, is_init: bool, n: usize, owner: &str, world: &mut World<'_>) -> Option<Ms> {
        let (runner, spec) = if is_init {
            (&mut self.init[n], &self.pod.init[n])
        } else {
            (&mut self.containers[n], &self.pod.containers[n])
        };
        if self.stopping.is_none() && world.is_safe_mode && !runner.is_running() {
            let message = "the board has crashed again and again: it starts nothing for now".into();
            if matches!(runner.state, State::Waiting { .. })
                && runner.wait("SafeMode", message, world.now + 60_000)
            {
                world.dirty = true;
            }
        } else if self.stopping.is_none() && runner.is_due(world.now) {
            let downward = Downward {
                node: &world.config.name,
                address: &world.config.address,
            };
            let secrets = if names_registry(&spec.image) {
                pull_secrets(&self.pod, &self.sources)
            } else {
                Ok(PullSecrets::default())
            };
            let settings = settings(&self.pod, spec, &self.sources, &downward);
            match settings.and_then(|settings| Ok((settings, secrets?))) {
                Ok((settings, secrets)) => {
                    runner.start(spec, settings, &secrets, &self.given, world);
                }
                // The answer will wake us.
                Err(Missing::Unread) => return None,
                Err(Missing::Absent(what)) => {
                    if runner.wait(
                        "CreateContainerConfigError",
                        what.clone(),
                        world.now + 10_000,
                    ) {
                        world.event(spec, true, "Failed", format!("Error: {what}"));
                        world.dirty = true;
                    }
                }
            }
        }
        runner.run(spec, owner, world)
    }

    fn stop(&mut self, world: &mut World<'_>) {
        self.stopping = Some(world.now);
        let seconds = if self.is_gone {
            0
        } else {
            self.pod.deletion.unwrap_or(self.pod.grace)
        };
        let by = world.now + Ms::from(seconds) * 1000;
        let pairs = self
            .init
            .iter_mut()
            .zip(&self.pod.init)
            .chain(self.containers.iter_mut().zip(&self.pod.containers));
        for (runner, spec) in pairs {
            if runner.is_running() {
                world.event(
                    spec,
                    false,
                    "Killing",
                    format!("Stopping container {}", spec.name),
                );
                runner.stop(by);
            }
        }
    }

    fn final_phase(&self) -> Phase {
        let fine = self
            .containers
            .iter()
            .all(|runner| matches!(&runner.state, State::Terminated(end) if end.code == 0));
        if fine {
            Phase::Succeeded
        } else {
            Phase::Failed
        }
    }

    fn settle(&mut self, phase: Phase, world: &mut World<'_>) {
        self.settled = Some(phase);
        world.dirty = true;
    }

    /// Takes notice of the conditions.
    fn observe(&mut self, now: Option<Wall>) {
        let initialized = self
            .init
            .iter()
            .all(|runner| matches!(&runner.state, State::Terminated(end) if end.code == 0));
        let ready = !self.is_over()
            && initialized
            && !self.containers.is_empty()
            && self.containers.iter().all(Runner::is_ready);
        for (known, holds) in self.since.iter_mut().zip([initialized, ready, ready]) {
            if known.0 != holds {
                *known = (holds, now);
                self.dirty = true;
            }
        }
    }
}
