// SPDX-License-Identifier: Apache-2.0
//! The pods of this node: who is taken in, who holds what of the board, and who is to run next.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::{PinMode, PinSet};

use crate::facts::{Hardware, MAX_PODS, resource};
use crate::pod::{Ask, Given, Pod, Work, World};
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

/// What a container asks of one resource.
type Of<'a> = &'a dyn Fn(&Ask) -> u64;

/// The pods of this node.
#[derive(Debug)]
pub(crate) struct Pods {
    pub(crate) all: Vec<Work>,
    /// Pins that are used by something that is no pod, by who uses them.
    pub(crate) reserved: [PinSet; 3],
    /// Whether a list was read since storage was last looked through.
    pub(crate) is_listed: bool,
}

impl Default for Pods {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            reserved: [PinSet::EMPTY; 3],
            is_listed: false,
        }
    }
}

/// Who uses pins besides pods: an index of [`Pods::reserved`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PinUser {
    Map,
    Ingress,
    Controller,
}

const USERS: [(PinUser, &str); 3] = [
    (PinUser::Map, "is set by the ConfigMap"),
    (PinUser::Ingress, "is the input of an Ingress"),
    (PinUser::Controller, "belongs to a GPIOController"),
];

impl Pods {
    /// Takes note of the pins that somebody uses now.
    pub(crate) fn reserve(&mut self, user: PinUser, pins: PinSet) {
        self.reserved[user as usize] = pins;
    }

    /// Why a pin is not to be had for `user` (for a pod: `None`), in words; `None` if it is free.
    pub(crate) fn why_taken(&self, pin: u8, user: Option<PinUser>) -> Option<String> {
        let held = |work: &&Work| !work.is_over() && work.given.pins.contains(pin);
        if let Some(work) = self.all.iter().find(held) {
            return Some(format!(
                "GP{pin} is in use by pod {}/{}",
                work.pod.namespace, work.pod.name
            ));
        }
        let mut others = USERS.iter().filter(|(other, _)| user != Some(*other));
        let (_, words) = others.find(|(other, _)| self.reserved[*other as usize].contains(pin))?;
        Some(format!("GP{pin} {words}"))
    }

    pub(crate) fn by_uid(&mut self, uid: &str) -> Option<&mut Work> {
        self.all.iter_mut().find(|work| work.pod.uid == uid)
    }

    pub(crate) fn by_name(&self, namespace: &str, name: &str) -> Option<&Work> {
        // Of two with one name the newer one is meant.
        self.all
            .iter()
            .rev()
            .find(|work| work.pod.namespace == namespace && work.pod.name == name)
    }

    /// Takes a pod as the API has it now.
    pub(crate) fn put(&mut self, pod: Pod, hardware: &Hardware, now: Option<Wall>) {
        if let Some(known) = self.by_uid(&pod.uid) {
            known.is_gone = false;
            known.update(pod);
            return;
        }
        if pod.is_over && pod.deletion.is_none() {
            return;
        }
        let mut work = Work::new(pod, now);
        match self.admit(&work.pod, hardware) {
            // One that is being deleted gets nothing more.
            _ if work.pod.deletion.is_some() => {}
            Ok(given) => work.given = given,
            Err((reason, message)) => work.reject(reason, message),
        }
        self.all.push(work);
    }

    /// The API has this pod no longer.
    pub(crate) fn gone(&mut self, uid: &str) {
        if let Some(work) = self.by_uid(uid) {
            work.is_gone = true;
        }
    }

    /// Forgets pods that are gone and have ended. What they held is free from now on.
    pub(crate) fn sweep(&mut self, runtime: &mut dyn Runtime) {
        let all = core::mem::take(&mut self.all);
        for mut work in all {
            if work.is_over() || work.is_stopped() {
                release(&mut work, runtime);
            }
            if !(work.is_gone && (work.is_over() || work.is_stopped())) {
                self.all.push(work);
            } else if !work.pod.comes_back {
                // What fails is said by the runtime, and freed after the next list.
                let _ = runtime.forget(&work.pod.owner());
            }
        }
        // A pod that was deleted while the board was off is in no list.
        if core::mem::take(&mut self.is_listed) {
            let uids = self.all.iter().map(|work| work.pod.uid.clone()).collect();
            let _ = runtime.keep(uids);
        }
    }

    fn admit(&self, pod: &Pod, hardware: &Hardware) -> Result<Given, (String, String)> {
        if let Some(what) = &pod.unsupported {
            return Err(("UnsupportedPod".into(), format!("Pod was rejected: {what}")));
        }
        let active = || self.all.iter().filter(|work| !work.is_over());
        let short = |name: &str, asked: u64, used: u64, capacity: u64| {
            if asked > 0 && used + asked > capacity {
                Err((
                    format!("OutOf{name}"),
                    format!(
                        "Node didn't have enough resource: {name}, requested: {asked}, used: {used}, capacity: {capacity}"
                    ),
                ))
            } else {
                Ok(())
            }
        };
        short("pods", 1, active().count() as u64, MAX_PODS as u64)?;
        let total = |pod: &Pod, of: Of<'_>| -> u64 {
            let main: u64 = pod.containers.iter().map(|c| of(&c.ask)).sum();
            let init = pod.init.iter().map(|c| of(&c.ask)).max().unwrap_or(0);
            main.max(init)
        };
        let cpu = u64::from(hardware.cores) * 900;
        let checks: [(&str, Of<'_>, u64); 7] = [
            ("memory", &|a| a.request_memory, hardware.memory_allocatable),
            ("cpu", &|a| a.request_cpu_milli, cpu),
            (
                resource::PINS,
                &|a| a.pins.into(),
                hardware.pins.len() as u64,
            ),
            (resource::PWM, &|a| a.pwm.into(), hardware.pwm.into()),
            (resource::ADC, &|a| a.adc.into(), hardware.adc.into()),
            (resource::LED, &|a| a.led.into(), hardware.led.into()),
            (
                resource::TEMPERATURE,
                &|a| a.temperature.into(),
                hardware.temperature.into(),
            ),
        ];
        for (name, of, capacity) in checks {
            let used = active().map(|work| total(&work.pod, of)).sum();
            short(name, total(pod, of), used, capacity)?;
        }
        let pins = self.choose_pins(pod, total(pod, &|a| a.pins.into()), hardware)?;
        let adc_wanted = total(pod, &|a| a.adc.into());
        let adc_taken = active().fold(PinSet::EMPTY, |set, work| set.with(work.given.adc));
        let adc = (0..hardware.adc)
            .rev()
            .filter(|channel| !adc_taken.contains(*channel))
            .take(usize::try_from(adc_wanted).unwrap_or(0))
            .fold(PinSet::EMPTY, |set, channel| set.with(PinSet::one(channel)));
        Ok(Given {
            pins,
            pwm: u8::try_from(total(pod, &|a| a.pwm.into())).unwrap_or(u8::MAX),
            adc,
            led: total(pod, &|a| a.led.into()) > 0,
            temperature: total(pod, &|a| a.temperature.into()) > 0,
        })
    }

    fn choose_pins(
        &self,
        pod: &Pod,
        count: u64,
        hardware: &Hardware,
    ) -> Result<PinSet, (String, String)> {
        let refuse = |message: String| ("UnexpectedAdmissionError".into(), message);
        let Some(wanted) = &pod.pins else {
            let free: Vec<u8> = hardware
                .pins
                .iter()
                .copied()
                .filter(|pin| self.why_taken(*pin, None).is_none())
                .take(usize::try_from(count).unwrap_or(usize::MAX))
                .collect();
            if (free.len() as u64) < count {
                return Err(refuse(format!(
                    "{} pins are free, the pod asks for {count}: the others are set by objects of the cluster",
                    free.len()
                )));
            }
            return Ok(set(&free));
        };
        if wanted.len() as u64 != count {
            return Err(refuse(format!(
                "the annotation names {} pins, the containers ask for {count} {}",
                wanted.len(),
                resource::PINS
            )));
        }
        for pin in wanted {
            if !hardware.pins.contains(pin) {
                return Err(refuse(format!(
                    "GP{pin} is not on the header of {}",
                    hardware.model
                )));
            }
            if let Some(why) = self.why_taken(*pin, None) {
                return Err(refuse(why));
            }
        }
        Ok(set(wanted))
    }

    /// Lets every pod do what is to be done. Says when to come again.
    pub(crate) fn poll(&mut self, world: &mut World<'_>) -> Option<Ms> {
        let mut next: Option<Ms> = None;
        let active = || self.all.iter().filter(|work| !work.is_over());
        if active()
            .flat_map(Work::runners)
            .any(|runner| runner.is_pulling)
        {
            world.in_use = active()
                .flat_map(Work::runners)
                .map(|runner| runner.image_id.clone())
                .collect();
        }
        for work in &mut self.all {
            let at = work.poll(world);
            next = match (next, at) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        next
    }

    /// Bytes of memory that containers use.
    pub(crate) fn memory(&self) -> u64 {
        self.all.iter().map(Work::memory).sum()
    }
}

fn set(pins: &[u8]) -> PinSet {
    pins.iter()
        .fold(PinSet::EMPTY, |set, pin| set.with(PinSet::one(*pin)))
}

/// Takes back what a pod held: its pins are as after a reset.
fn release(work: &mut Work, runtime: &mut dyn Runtime) {
    let given = core::mem::replace(&mut work.given, Given::NOTHING);
    let devices = runtime.devices();
    // A device that does not answer cannot be switched off either; the next one who gets it sets it up anew.
    for pin in given.pins.iter() {
        if given.pwm > 0 {
            let _ = devices.stop_pwm(pin);
        }
        let _ = devices.configure_pin(pin, PinMode::Disabled);
    }
    if given.led {
        let _ = devices.set_led(false);
    }
}
