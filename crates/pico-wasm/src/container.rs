// SPDX-License-Identifier: Apache-2.0
//! A running container: slices of fuel, host calls between them, and one end.

use alloc::rc::Rc;
use core::cell::Cell;

use pico_eci::{
    CALLS, Container, Context, Grant, GuestMemory, Host, Outcome, Progress, Slice, Trap, Usage,
    ValueType, dispatch,
};
use spacewasm::{
    CodeBuilder, Engine as Interpreter, Interpreter as Instructions, InterpreterResult,
    InterpreterRunner, InvokeError, Memory, TrapReason, Value, WasmRef,
};

use crate::memory::Account;

/// What the module begins with.
pub(crate) struct Entry {
    /// The module's own start function, if it has one.
    pub(crate) start: Option<WasmRef>,
    /// The entry that the config names.
    pub(crate) run: WasmRef,
    /// Whether the entry returns an exit code.
    pub(crate) exit_code: bool,
}

/// The host call that the guest has made and that is not answered yet.
#[derive(Default)]
pub(crate) struct Request(Cell<Option<(usize, [i32; 4])>>);

impl Request {
    pub(crate) fn channel() -> Rc<Self> {
        Rc::default()
    }

    pub(crate) fn note(&self, line: usize, arguments: [i32; 4]) {
        self.0.set(Some((line, arguments)));
    }
}

#[derive(Clone, Copy)]
struct Pending {
    line: usize,
    arguments: [i32; 4],
    deadline: Option<Option<u64>>,
}

enum State {
    Start,
    Run,
    Running { entry: bool },
    Ended(Progress),
}

pub(crate) struct WasmContainer {
    code: CodeBuilder,
    interpreter: Interpreter,
    entry: Entry,
    grant: Grant,
    account: Rc<Account>,
    requests: Rc<Request>,
    pending: Option<Pending>,
    state: State,
    usage: Usage,
}

impl WasmContainer {
    pub(crate) fn new(
        code: CodeBuilder,
        interpreter: Interpreter,
        entry: Entry,
        grant: Grant,
        account: Rc<Account>,
        requests: Rc<Request>,
    ) -> Self {
        // clearing the memory that a module begins with is part of loading it
        account.take_moved();
        let state = if entry.start.is_some() {
            State::Start
        } else {
            State::Run
        };
        Self {
            code,
            interpreter,
            entry,
            grant,
            account,
            requests,
            pending: None,
            state,
            usage: Usage::default(),
        }
    }

    fn end(&mut self, progress: Progress) -> Progress {
        self.pending = None;
        self.state = State::Ended(progress);
        progress
    }

    fn invoke(&mut self, function: WasmRef, entry: bool) -> Result<(), Progress> {
        let result = self.interpreter.invoke(function, &[]);
        self.state = State::Running { entry };
        match result {
            Ok(()) => Ok(()),
            Err(InvokeError::StackOverflow) => {
                Err(self.end(Progress::Trapped(Trap::StackOverflow)))
            }
            Err(_) => Err(self.end(Progress::Trapped(Trap::Engine))),
        }
    }

    /// Runs instructions until fuel is used up or something happens.
    fn instructions(&mut self, fuel: u32, used: &mut u32) -> Result<(), Progress> {
        let State::Running { entry } = self.state else {
            return Ok(());
        };
        while *used < fuel {
            // one at a time: the interpreter does not say how many it ran when it stops for a host call
            let result = Instructions.run(self.code.pages(), &mut self.interpreter, 1);
            *used += 1;
            let moved = self.account.take_moved();
            if moved > 0 {
                *used = used.saturating_add(u32::try_from(moved / 16).unwrap_or(u32::MAX));
            }
            match result {
                InterpreterResult::OutOfFuel => {
                    if moved == 0 && !self.account.exceeded() {
                        continue;
                    }
                    if self.account.exceeded() {
                        return Err(self.end(Progress::OutOfMemory));
                    }
                }
                InterpreterResult::Pause => return Ok(()),
                InterpreterResult::Finished if !entry => {
                    self.state = State::Run;
                    return Ok(());
                }
                InterpreterResult::Finished => {
                    let code = self.interpreter.result.filter(|_| self.entry.exit_code);
                    return Err(self.end(Progress::Exited(code.map_or(0, |code| code.read_i32()))));
                }
                InterpreterResult::Trap(reason) => {
                    return Err(self.end(Progress::Trapped(trap(reason))));
                }
            }
        }
        Err(Progress::Yielded)
    }

    /// Performs the pending call, or asks again.
    fn call(
        &mut self,
        mut pending: Pending,
        context: &mut Context<'_>,
        used: &mut u32,
    ) -> Result<(), Progress> {
        let line = &CALLS[pending.line];
        if pending.deadline.is_none() {
            *used = used.saturating_add(line.fuel);
            self.usage.host_calls += 1;
        }
        let arguments = &pending.arguments[..line.signature.parameters.len()];
        let memory = &mut Linear(&self.interpreter.memory);
        match dispatch(line.call, arguments, pending.deadline, context, memory) {
            Outcome::Return(value) => {
                self.pending = None;
                let value = match line.signature.result {
                    Some(ValueType::I32) => {
                        Some(Value::I32(i32::try_from(value).unwrap_or(i32::MAX)))
                    }
                    Some(ValueType::I64) => Some(Value::I64(value)),
                    None => None,
                };
                self.interpreter
                    .resume(value)
                    .map_err(|_| self.end(Progress::Trapped(Trap::Engine)))
            }
            Outcome::Wait { deadline_ms, wake } => {
                pending.deadline = Some(deadline_ms);
                self.pending = Some(pending);
                Err(Progress::Waiting {
                    until_ms: deadline_ms,
                    wake,
                })
            }
            Outcome::Exit(code) => Err(self.end(Progress::Exited(code))),
            Outcome::Trap => Err(self.end(Progress::Trapped(Trap::HostCall))),
        }
    }

    fn advance(
        &mut self,
        fuel: u32,
        used: &mut u32,
        context: &mut Context<'_>,
    ) -> Result<(), Progress> {
        if let State::Ended(progress) = self.state {
            return Err(progress);
        }
        if let Some(pending) = self.pending {
            return self.call(pending, context, used);
        }
        match (&self.state, self.entry.start) {
            (State::Start, Some(start)) => self.invoke(start, false)?,
            (State::Start | State::Run, _) => self.invoke(self.entry.run, true)?,
            _ => {}
        }
        self.instructions(fuel, used)?;
        self.pending = self.requests.0.take().map(|(line, arguments)| Pending {
            line,
            arguments,
            deadline: None,
        });
        Ok(())
    }
}

impl Container for WasmContainer {
    fn run(&mut self, fuel: u32, host: &mut dyn Host) -> Slice {
        let mut used = 0;
        let grant = self.grant;
        let mut context = Context::new(host, &grant);
        let progress = loop {
            if let Err(progress) = self.advance(fuel, &mut used, &mut context) {
                break progress;
            }
        };
        self.usage.fuel += u64::from(used);
        self.usage.denied_calls += context.denied();
        Slice {
            progress,
            fuel: used,
        }
    }

    fn usage(&self) -> Usage {
        let bytes = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Usage {
            memory_bytes: bytes(self.account.used()),
            memory_peak_bytes: bytes(self.account.peak()),
            ..self.usage
        }
    }
}

struct Linear<'a>(&'a Memory);

impl GuestMemory for Linear<'_> {
    fn bytes(&self, ptr: u32, len: u32) -> Option<&[u8]> {
        self.0.load(ptr as usize, len as usize).ok()
    }

    fn write(&mut self, ptr: u32, bytes: &[u8]) -> bool {
        self.0.store(ptr as usize, bytes).is_ok()
    }
}

const fn trap(reason: TrapReason) -> Trap {
    match reason {
        TrapReason::Unreachable => Trap::Unreachable,
        TrapReason::DivideByZero
        | TrapReason::UnrepresentableResult
        | TrapReason::IntegerOverflow
        | TrapReason::BadConversionToInteger => Trap::Arithmetic,
        TrapReason::InvalidTableIndex
        | TrapReason::InvalidTableFunctionType
        | TrapReason::UninitializedTableElement => Trap::IndirectCall,
        TrapReason::OutOfMemory | TrapReason::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        TrapReason::StackOverflow => Trap::StackOverflow,
        TrapReason::Host => Trap::HostCall,
        _ => Trap::Engine,
    }
}
