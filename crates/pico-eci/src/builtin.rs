// SPDX-License-Identifier: Apache-2.0
//! Containers that are compiled into a firmware: state machines behind the same trait as WebAssembly ones.

use alloc::boxed::Box;

use crate::{
    Capabilities, Container, Context, Grant, Host, Limits, Progress, Slice, StartError, Usage, Wake,
};

/// What a native container does when its turn comes.
pub trait BuiltIn {
    /// One step. It must return soon: nothing interrupts it.
    fn step(&mut self, context: &mut Context<'_>) -> Step;
}

/// What a step ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More to do at once.
    Again,
    /// Nothing to do before this time (monotonic milliseconds) or one of these events.
    Wait(Option<u64>, Wake),
    /// The container has ended with this code.
    Exit(i32),
}

/// A native image.
#[derive(Clone, Copy, Debug)]
pub struct BuiltInImage {
    /// The name by which a pod asks for it: `name:version`.
    pub reference: &'static str,
    /// What it asks for.
    pub capabilities: Capabilities,
    /// The memory it takes, in bytes, as its author states: native code is trusted like the firmware it is part of.
    pub memory_bytes: u32,
    /// Fuel that a step costs.
    pub step_fuel: u32,
    /// Makes a new one.
    pub start: fn() -> Box<dyn BuiltIn>,
}

/// The native images of a firmware.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIns(pub &'static [BuiltInImage]);

impl BuiltIns {
    /// The image that a pod asks for by this name.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<&'static BuiltInImage> {
        self.0.iter().find(|image| image.reference == reference)
    }
}

impl BuiltInImage {
    /// Starts it.
    ///
    /// # Errors
    /// [`StartError::OutOfMemory`] and [`StartError::Shortage`].
    pub fn start(&self, grant: Grant, limits: Limits) -> Result<Box<dyn Container>, StartError> {
        grant
            .check(&self.capabilities)
            .map_err(StartError::Shortage)?;
        if self.memory_bytes > limits.memory_bytes {
            return Err(StartError::OutOfMemory);
        }
        Ok(Box::new(Native {
            code: (self.start)(),
            grant: grant.limited_to(&self.capabilities),
            step_fuel: self.step_fuel.max(1),
            usage: Usage {
                memory_bytes: self.memory_bytes,
                memory_peak_bytes: self.memory_bytes,
                ..Usage::default()
            },
            ended: None,
        }))
    }
}

struct Native {
    code: Box<dyn BuiltIn>,
    grant: Grant,
    step_fuel: u32,
    usage: Usage,
    ended: Option<i32>,
}

impl Container for Native {
    fn run(&mut self, fuel: u32, host: &mut dyn Host) -> Slice {
        let mut used = 0_u32;
        let mut context = Context::new(host, &self.grant);
        let progress = loop {
            if let Some(code) = self.ended {
                break Progress::Exited(code);
            }
            if used >= fuel {
                break Progress::Yielded;
            }
            used = used.saturating_add(self.step_fuel);
            match self.code.step(&mut context) {
                Step::Again => {}
                Step::Wait(until_ms, wake) => break Progress::Waiting { until_ms, wake },
                Step::Exit(code) => self.ended = Some(code),
            }
        };
        self.usage.denied_calls += context.denied();
        self.usage.fuel += u64::from(used);
        Slice {
            progress,
            fuel: used,
        }
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}
