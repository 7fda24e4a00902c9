// SPDX-License-Identifier: Apache-2.0
//! One container: from its image in flash to its end, and again.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use pico_eci::{Container, CpuQuota, Grant, Limits, Progress, StartError, Wake};

use super::host::{ContainerHost, Request};
use super::log::Log;
use super::probe::{Probe, Step, Verdict};
use super::pull::{self, names_registry};
use super::source::{PullSecrets, Settings};
use super::spec::{Action, ContainerSpec, ProbeSpec, RestartPolicy};
use super::work::{Given, World};
use crate::runtime::ImageError;
use crate::time::{Ms, Wall};

/// The first waiting time before a container that failed is started again, and the longest, in milliseconds.
const BACKOFF_MS: (Ms, Ms) = (10_000, 300_000);
/// A container that ran this long has earned that its failures are forgotten.
const FORGIVEN_MS: Ms = 600_000;
/// How often it is looked whether an image has come, in milliseconds.
const PULL_MS: Ms = 250;
/// Fuel that a container gets at a time.
const SLICE: u32 = 20_000;
/// Memory of a container without a limit, in bytes.
pub(crate) const DEFAULT_MEMORY: u64 = 64 * 1024;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: i32,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) started: Option<Wall>,
    pub(crate) finished: Option<Wall>,
    pub(crate) id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting {
        reason: &'static str,
        message: String,
        retry_at: Ms,
    },
    Running {
        since: Ms,
        started: Option<Wall>,
    },
    Terminated(End),
}

pub(crate) struct Runner {
    pub(crate) state: State,
    pub(crate) last: Option<End>,
    pub(crate) restarts: u32,
    pub(crate) image_id: String,
    pub(crate) id: u64,
    pub(crate) log: Log,
    pub(crate) previous_log: Log,
    pub(crate) request: Option<Request>,
    /// Whether the request that waits is a probe's.
    probe_asks: Option<Which>,
    /// Fuel used since the pod started, and the most memory, in bytes.
    pub(crate) fuel: u64,
    pub(crate) fuel_seen: u64,
    /// Cores in use over the last while, in billionths.
    pub(crate) cpu_rate: u64,
    pub(crate) memory_peak: u32,
    pub(crate) throttled: u64,
    container: Option<Box<dyn Container>>,
    quota: CpuQuota,
    settings: Settings,
    wake: Option<Ms>,
    wants: Wake,
    failures: u32,
    image_failures: u32,
    /// Whether its image is being pulled.
    pub(crate) is_pulling: bool,
    stop_by: Option<Ms>,
    probes: [Option<Probe>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Startup,
    Liveness,
    Readiness,
}

const PROBES: [Which; 3] = [Which::Startup, Which::Liveness, Which::Readiness];

impl Which {
    fn spec(self, spec: &ContainerSpec) -> Option<&ProbeSpec> {
        match self {
            Self::Startup => spec.startup.as_ref(),
            Self::Liveness => spec.liveness.as_ref(),
            Self::Readiness => spec.readiness.as_ref(),
        }
    }
}

impl core::fmt::Debug for Runner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Runner")
            .field("state", &self.state)
            .field("restarts", &self.restarts)
            .finish_non_exhaustive()
    }
}

impl Runner {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Waiting {
                reason: "ContainerCreating",
                message: String::new(),
                retry_at: 0,
            },
            last: None,
            restarts: 0,
            image_id: String::new(),
            id: 0,
            log: Log::default(),
            previous_log: Log::default(),
            request: None,
            probe_asks: None,
            fuel: 0,
            fuel_seen: 0,
            cpu_rate: 0,
            memory_peak: 0,
            throttled: 0,
            container: None,
            quota: CpuQuota::new(None, 1),
            settings: Settings::default(),
            wake: None,
            wants: Wake::default(),
            failures: 0,
            image_failures: 0,
            is_pulling: false,
            stop_by: None,
            probes: [None, None, None],
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Whether it has passed its startup probe, if it has one.
    pub(crate) fn is_started(&self) -> bool {
        self.is_running()
            && self.probes[0]
                .as_ref()
                .is_none_or(|p| p.verdict == Verdict::Healthy)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_started()
            && self.probes[2]
                .as_ref()
                .is_none_or(|p| p.verdict == Verdict::Healthy)
    }

    /// What it can ask for by name.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Bytes of memory in use now.
    pub(crate) fn memory(&self) -> u64 {
        let own = self
            .container
            .as_ref()
            .map_or(0, |c| c.usage().memory_bytes);
        u64::from(own) + self.settings.size() as u64
    }

    /// Waits with a reason, until something outside changes or the time has come.
    pub(crate) fn wait(&mut self, reason: &'static str, message: String, retry_at: Ms) -> bool {
        let changed = !matches!(&self.state, State::Waiting { reason: r, message: m, .. } if *r == reason && *m == message);
        self.state = State::Waiting {
            reason,
            message,
            retry_at,
        };
        changed
    }

    /// Whether it waits for its start and the time has come.
    pub(crate) fn is_due(&self, now: Ms) -> bool {
        matches!(self.state, State::Waiting { retry_at, .. } if now >= retry_at)
    }

    /// Finds and verifies the image, and starts the container.
    pub(crate) fn start(
        &mut self,
        spec: &ContainerSpec,
        settings: Settings,
        secrets: &PullSecrets<'_>,
        given: &Given,
        world: &mut World<'_>,
    ) {
        if self.backs_off(spec, world) {
            return;
        }
        let mut found = world.runtime.image(&spec.image);
        let wants = spec.pull.wants(&spec.image, &found);
        if wants {
            found = match self.pull(spec, secrets, world) {
                Ok(true) => world.runtime.image(&spec.image),
                Ok(false) => return,
                Err(error) => Err(error),
            };
        }
        let facts = match found {
            Ok(facts) => facts,
            Err(error) => return self.image_failed(spec, &error, world),
        };
        self.image_failures = 0;
        if wants || self.image_id != facts.digest {
            self.image_id = facts.digest;
            let text = if wants {
                format!("Successfully pulled image {:?}", spec.image)
            } else {
                format!(
                    "Container image {:?} already present on machine",
                    spec.image
                )
            };
            world.event(spec, false, "Pulled", text);
        }
        let memory = spec.ask.memory.unwrap_or(DEFAULT_MEMORY);
        let grant = Grant {
            pins: given.pins,
            pwm: if spec.ask.pwm > 0 {
                given.pins
            } else {
                pico_board::PinSet::EMPTY
            },
            adc: given.adc,
            led: given.led && spec.ask.led > 0,
            temperature: spec.ask.temperature > 0,
            http: spec.port.is_some(),
            storage_bytes: spec
                .ask
                .storage
                .map_or(u32::MAX, |s| u32::try_from(s).unwrap_or(u32::MAX)),
        };
        let limits = Limits {
            // The board has no more than it has, whatever the limit says.
            memory_bytes: u32::try_from(memory.min(world.memory_free)).unwrap_or(u32::MAX),
        };
        self.id = world.random.number();
        let started = world.runtime.start(&spec.image, grant, limits);
        self.settings = settings;
        match started {
            Ok(container) => {
                self.container = Some(container);
                self.state = State::Running {
                    since: world.now,
                    started: world.wall,
                };
                self.quota = CpuQuota::new(
                    spec.ask
                        .cpu_milli
                        .map(|m| u32::try_from(m).unwrap_or(u32::MAX)),
                    world.runtime.fuel_per_second(),
                );
                self.wake = Some(world.now);
                self.wants = Wake::default();
                self.stop_by = None;
                self.probes =
                    PROBES.map(|which| which.spec(spec).map(|spec| Probe::new(spec, world.now)));
                world.event(
                    spec,
                    false,
                    "Created",
                    format!("Created container: {}", spec.name),
                );
                world.event(
                    spec,
                    false,
                    "Started",
                    format!("Started container {}", spec.name),
                );
            }
            Err(StartError::OutOfMemory) => {
                self.end(
                    spec,
                    137,
                    "OOMKilled",
                    format!("{}", StartError::OutOfMemory),
                    None,
                    world,
                );
            }
            Err(error) => {
                self.failures += 1;
                let wait = self.backoff();
                let message = format!("Error: {error}");
                world.event(spec, true, "Failed", message.clone());
                self.wait("CreateContainerError", message, world.now + wait);
            }
        }
        world.dirty = true;
    }

    /// Has the image pulled. Says whether it is there now.
    fn pull(
        &mut self,
        spec: &ContainerSpec,
        secrets: &PullSecrets<'_>,
        world: &mut World<'_>,
    ) -> Result<bool, ImageError> {
        if !core::mem::replace(&mut self.is_pulling, true) {
            world.event(
                spec,
                false,
                "Pulling",
                format!("Pulling image {:?}", spec.image),
            );
            if !secrets.missing.is_empty() {
                let text = format!(
                    "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
                    secrets.missing.join(", ")
                );
                world.event(spec, true, "FailedToRetrieveImagePullSecret", text);
            }
        }
        let pulled = world
            .runtime
            .pull(&spec.image, &world.in_use, &secrets.documents);
        match &pulled {
            Ok(false) => {
                if let State::Waiting { retry_at, .. } = &mut self.state {
                    *retry_at = world.now + PULL_MS;
                }
            }
            Ok(true) => (self.is_pulling, world.has_pulled) = (false, true),
            Err(_) => self.is_pulling = false,
        }
        pulled
    }

    /// A registry that has just failed is left alone for a while. Says whether it is, from now on.
    fn backs_off(&mut self, spec: &ContainerSpec, world: &mut World<'_>) -> bool {
        match &self.state {
            State::Waiting {
                reason: "ErrImagePull",
                message,
                ..
            } if !self.is_pulling && names_registry(&spec.image) => {
                let message = message.clone();
                self.back_off(spec, &message, world);
                true
            }
            _ => false,
        }
    }

    fn back_off(&mut self, spec: &ContainerSpec, why: &str, world: &mut World<'_>) {
        let wait = self.image_wait();
        let text = format!("Back-off pulling image {:?}", spec.image);
        world.event(spec, false, "BackOff", text.clone());
        self.wait(
            "ImagePullBackOff",
            format!("{text}: {why}"),
            world.now + wait,
        );
        world.dirty = true;
    }

    fn image_wait(&self) -> Ms {
        (BACKOFF_MS.0 << self.image_failures.saturating_sub(1).min(5)).min(BACKOFF_MS.1)
    }

    fn image_failed(&mut self, spec: &ContainerSpec, error: &ImageError, world: &mut World<'_>) {
        let (reason, message) = pull::failure(&spec.image, spec.pull, error);
        self.image_failures += 1;
        // Every attempt fails first and waits then, as with a kubelet: the reason alternates.
        let has_failed = matches!(
            &self.state,
            State::Waiting {
                reason: "ErrImagePull",
                ..
            }
        );
        if has_failed {
            return self.back_off(spec, &message, world);
        }
        world.event(
            spec,
            true,
            "Failed",
            format!("Failed to pull image {:?}: {message}", spec.image),
        );
        let wait = if reason == "ErrImagePull" {
            1000
        } else {
            self.image_wait()
        };
        self.wait(reason, message, world.now + wait);
        world.dirty = true;
    }

    fn backoff(&self) -> Ms {
        (BACKOFF_MS.0 << self.failures.saturating_sub(2).min(5)).min(BACKOFF_MS.1)
    }

    /// How often it has been started again: one that is to be has not been yet.
    pub(crate) fn restart_count(&self) -> u32 {
        match self.state {
            State::Waiting { .. } => self.restarts.saturating_sub(1),
            _ => self.restarts,
        }
    }

    /// Asks the container to end by itself before a time.
    pub(crate) fn stop(&mut self, by: Ms) {
        if self.is_running() {
            let by = self.stop_by.map_or(by, |before| before.min(by));
            self.stop_by = Some(by);
        }
    }

    /// Lets the container run for a while. Says when it wants to run again.
    pub(crate) fn run(
        &mut self,
        spec: &ContainerSpec,
        owner: &str,
        world: &mut World<'_>,
    ) -> Option<Ms> {
        let State::Running { since, started } = self.state else {
            return match self.state {
                State::Waiting { retry_at, .. } => Some(retry_at),
                _ => None,
            };
        };
        let now = world.now;
        let mut next = self.probe(spec, world);
        let stirred = self.wants.edge
            || (self.wants.request && self.request.as_ref().is_some_and(|r| !r.is_taken));
        let due = self.wake.is_some_and(|at| now >= at) || stirred || self.stop_by.is_some();
        if due {
            let allowed = self.quota.allow(now, SLICE.min(world.fuel));
            let container = self.container.as_mut()?;
            if allowed > 0 {
                let mut host = ContainerHost {
                    runtime: world.runtime,
                    now,
                    wall: world.wall,
                    stopping: self.stop_by.is_some(),
                    settings: &self.settings,
                    log: &mut self.log,
                    owner,
                    request: &mut self.request,
                };
                let slice = container.run(allowed, &mut host);
                self.memory_peak = self.memory_peak.max(container.usage().memory_peak_bytes);
                self.quota.charge(slice.fuel);
                self.fuel += u64::from(slice.fuel);
                world.fuel = world.fuel.saturating_sub(slice.fuel);
                match slice.progress {
                    Progress::Yielded => (self.wake, self.wants) = (Some(now), Wake::default()),
                    Progress::Waiting { until_ms, wake } => {
                        (self.wake, self.wants) = (until_ms, wake)
                    }
                    Progress::Exited(code) => {
                        let reason = if code == 0 { "Completed" } else { "Error" };
                        self.end(spec, code, reason, String::new(), started, world);
                    }
                    Progress::Trapped(trap) => {
                        self.end(spec, 134, "Error", format!("{trap}"), started, world);
                    }
                    Progress::OutOfMemory => {
                        self.end(spec, 137, "OOMKilled", String::new(), started, world);
                    }
                }
            } else if world.fuel > 0 {
                self.throttled += 1;
                next = earlier(next, Some(self.quota.next_period_ms()));
            }
            if world.fuel == 0 {
                world.starved = true;
            }
        }
        if let (true, Some(by)) = (self.is_running(), self.stop_by) {
            if now >= by {
                self.end(
                    spec,
                    137,
                    "Error",
                    "the container did not end in time".into(),
                    started,
                    world,
                );
            } else {
                next = earlier(next, Some(by));
            }
        }
        self.probe_answered(spec, world);
        if now.saturating_sub(since) >= FORGIVEN_MS {
            self.failures = 0;
        }
        if !self.is_running() {
            return next;
        }
        let wake = match self.wake {
            // Throttled or out of fuel: it is woken by the next period.
            Some(at) if at <= now && self.quota.allow(now, 1) == 0 => {
                Some(self.quota.next_period_ms())
            }
            other => other,
        };
        earlier(next, wake)
    }

    fn end(
        &mut self,
        spec: &ContainerSpec,
        code: i32,
        reason: &'static str,
        message: String,
        started: Option<Wall>,
        world: &mut World<'_>,
    ) {
        self.container = None;
        self.request = None;
        self.probe_asks = None;
        self.stop_by = None;
        self.settings = Settings::default();
        if reason == "OOMKilled" {
            world.event(
                spec,
                true,
                "OOMKilled",
                format!("Container {} exceeded its memory limit", spec.name),
            );
        }
        self.state = State::Terminated(End {
            code,
            reason,
            message,
            started: started.or(world.wall),
            finished: world.wall,
            id: self.id,
        });
        world.dirty = true;
    }

    /// What happens after an end. Says whether the container is over for good.
    pub(crate) fn after_end(
        &mut self,
        spec: &ContainerSpec,
        policy: RestartPolicy,
        pod: &str,
        world: &mut World<'_>,
    ) -> bool {
        let State::Terminated(end) = &self.state else {
            return false;
        };
        let again = match policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => end.code != 0,
            RestartPolicy::Never => false,
        };
        if !again {
            return true;
        }
        let end = end.clone();
        self.failures += 1;
        self.restarts += 1;
        self.last = Some(end);
        self.previous_log = core::mem::take(&mut self.log);
        // The first restart comes at once.
        let wait = if self.failures == 1 {
            0
        } else {
            self.backoff()
        };
        if wait == 0 {
            self.wait("ContainerCreating", String::new(), world.now);
        } else {
            let message = format!(
                "back-off {} restarting failed container={} pod={pod}",
                span(wait),
                spec.name
            );
            world.event(
                spec,
                true,
                "BackOff",
                format!(
                    "Back-off restarting failed container {} in pod {pod}",
                    spec.name
                ),
            );
            self.wait("CrashLoopBackOff", message, world.now + wait);
        }
        world.dirty = true;
        false
    }

    /// Asks what is to be asked. Says when there is more to do.
    fn probe(&mut self, spec: &ContainerSpec, world: &mut World<'_>) -> Option<Ms> {
        let mut next = None;
        for (n, which) in PROBES.into_iter().enumerate() {
            let Some(probe_spec) = which.spec(spec) else {
                continue;
            };
            // Until the startup probe has passed it is the only one, and afterwards it rests.
            let started = self.is_started();
            if started == (which == Which::Startup) && spec.startup.is_some() {
                continue;
            }
            let was = self.probes[n].as_ref().map(|p| p.verdict);
            let Some(probe) = self.probes[n].as_mut() else {
                continue;
            };
            match probe.step(probe_spec, world.now) {
                Step::Wait(at) | Step::Await(at) => next = earlier(next, Some(at)),
                Step::Ask if self.request.is_some() => next = earlier(next, Some(world.now + 100)),
                Step::Ask => {
                    if let Action::Http(path) = &probe_spec.action {
                        self.request = Some(Request {
                            text: format!("GET {path}\n").into_bytes(),
                            is_taken: false,
                            answer: None,
                            visitor: None,
                        });
                        self.probe_asks = Some(which);
                    }
                    probe.asked(probe_spec, world.now);
                    next = earlier(next, Some(world.now + Ms::from(probe_spec.timeout) * 1000));
                }
            }
            if self.probe_asks == Some(which) && !probe.is_waiting() {
                // It took too long: whoever answers now answers nobody.
                (self.probe_asks, self.request) = (None, None);
            }
            self.judge(n, was, spec, world);
        }
        next
    }

    /// Takes the answer to a probe.
    fn probe_answered(&mut self, spec: &ContainerSpec, world: &mut World<'_>) {
        let Some(which) = self.probe_asks else {
            return;
        };
        let Some(status) = self
            .request
            .as_ref()
            .and_then(|r| r.answer.as_ref())
            .map(|a| a.0)
        else {
            return;
        };
        (self.probe_asks, self.request) = (None, None);
        let n = PROBES.iter().position(|w| *w == which).unwrap_or_default();
        let was = self.probes[n].as_ref().map(|p| p.verdict);
        if let (Some(probe), Some(probe_spec)) = (self.probes[n].as_mut(), which.spec(spec)) {
            probe.result(probe_spec, world.now, (200..400).contains(&status));
        }
        self.judge(n, was, spec, world);
    }

    fn judge(
        &mut self,
        n: usize,
        was: Option<Verdict>,
        spec: &ContainerSpec,
        world: &mut World<'_>,
    ) {
        let verdict = self.probes[n].as_ref().map(|p| p.verdict);
        if verdict == was {
            return;
        }
        world.dirty = true;
        if verdict != Some(Verdict::Failing) {
            return;
        }
        let name = ["Startup", "Liveness", "Readiness"][n];
        world.event(spec, true, "Unhealthy", format!("{name} probe failed"));
        if PROBES[n] != Which::Readiness {
            world.event(
                spec,
                false,
                "Killing",
                format!(
                    "Container {} failed {} probe, will be restarted",
                    spec.name,
                    name.to_lowercase()
                ),
            );
            self.stop(world.now + 10_000);
        }
    }
}

/// The earlier of two times.
pub(crate) fn earlier(a: Option<Ms>, b: Option<Ms>) -> Option<Ms> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// `10s`, `1m20s`.
fn span(ms: Ms) -> String {
    let s = ms / 1000;
    match (s / 60, s % 60) {
        (0, s) => format!("{s}s"),
        (m, s) => format!("{m}m{s}s"),
    }
}
