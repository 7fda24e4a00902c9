// SPDX-License-Identifier: Apache-2.0
//! From a verified image to a container that is ready to run.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::ops::ControlFlow;

use pico_eci::{
    Blob, CALLS, Config, Container, Engine, Grant, HostCall, Image, Limits, StartError, ValueType,
};
use spacewasm::{
    CodeBuilder, CompilerOptions, Engine as Interpreter, ExportDesc, HostFunction,
    HostFunctionBreak, HostModule, HostName, HostValList, Module, ParseError, Ref, ValType,
    ValidationError, Value, WasmRef,
};

use crate::container::{Entry, Request, WasmContainer};
use crate::imports::imports;
use crate::memory::{Account, LinearMemory, Stream, loading};

/// Nested blocks that a function may have.
const CONTROL_FRAMES: usize = 64;
/// Values on the operand stack that a function may have.
const OPERANDS: usize = 128;
/// IR of the interpreter is kept in pages of this size.
const CODE_PAGE_BYTES: u32 = 512;

/// The WebAssembly engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wasm;

impl Engine for Wasm {
    fn start(
        &self,
        image: &mut Image<&mut dyn Blob>,
        grant: Grant,
        limits: Limits,
    ) -> Result<Box<dyn Container>, StartError> {
        let config = image.config().clone();
        grant
            .check(&config.capabilities)
            .map_err(StartError::Shortage)?;
        let grant = grant.limited_to(&config.capabilities);
        let expected = image.layer_digest();
        let account = Account::new(limits.memory_bytes as usize);
        let requests = Request::channel();
        let mut module = image.module().map_err(StartError::Read)?;
        let used = imports(&mut module)?;
        let (code, interpreter, entry) = loading(&account, || {
            let mut stream = Stream::new(&mut module);
            let loaded = load(&mut stream, &config, used.iter(), &account, &requests);
            // the flash may have changed between the two readings
            let digest = stream.finish().map_err(StartError::Read)?;
            if loaded.is_ok() && digest != expected {
                return Err(StartError::Changed);
            }
            loaded
        })?;
        Ok(Box::new(WasmContainer::new(
            code,
            interpreter,
            entry,
            grant,
            account,
            requests,
        )))
    }
}

type Loaded = (CodeBuilder, Interpreter, Entry);

fn load(
    stream: &mut Stream<'_>,
    config: &Config,
    used: impl Iterator<Item = usize>,
    account: &Rc<Account>,
    requests: &Rc<Request>,
) -> Result<Loaded, StartError> {
    let stack_words = (config.stack / 4) as usize;
    let pages = stream.len().saturating_mul(2) / CODE_PAGE_BYTES + 4;
    let options = CompilerOptions {
        allow_memory_grow: true,
        max_backpatch_iterations: Some(10_000),
        max_code_pages: pages as usize,
    };
    let mut code = CodeBuilder::new(options).map_err(|_| StartError::OutOfMemory)?;
    let mut interpreter = Interpreter::new(stack_words, 1, host_modules(used, requests)?)
        .map_err(|_| StartError::OutOfMemory)?;
    let memory = spacewasm::Rc::new(LinearMemory(Rc::clone(account)))
        .map_err(|_| StartError::OutOfMemory)?
        .into_wasm_memory_allocator();
    let module = Module::new::<CONTROL_FRAMES, OPERANDS>(
        "",
        stream,
        &mut interpreter.store,
        &mut code,
        memory,
    )
    .map_err(|error| refused(&error))?;
    let entry = entry(&module, &config.entry)?;
    let module = interpreter
        .push_module(module)
        .map_err(|_| StartError::OutOfMemory)?;
    let start = interpreter.module_start(module);
    Ok((
        code,
        interpreter,
        Entry {
            start,
            run: WasmRef {
                module,
                index: entry.0,
            },
            exit_code: entry.1,
        },
    ))
}

fn refused(error: &ParseError) -> StartError {
    match &error.err.err {
        ValidationError::AllocError(_)
        | ValidationError::MemoryError(_)
        | ValidationError::GuestMemoryAllocationFailure => StartError::OutOfMemory,
        ValidationError::FunctionImportNotFound
        | ValidationError::FunctionImportTypeMismatch
        | ValidationError::GlobalImportNotFound
        | ValidationError::MemoryImportNotFound
        | ValidationError::TableImportNotFound => StartError::UnknownImport(error.offset),
        _ => StartError::InvalidModule(error.offset),
    }
}

/// The index of the entry function, and whether it returns an exit code.
fn entry(module: &Module, name: &str) -> Result<(u16, bool), StartError> {
    let export = module
        .exports
        .iter()
        .find(|export| *export.name == *name)
        .ok_or(StartError::NoEntry)?;
    let ExportDesc::Func(function) = &export.desc else {
        return Err(StartError::NoEntry);
    };
    let Some(Ref::Module(index)) = module.get_func_ref(*function) else {
        return Err(StartError::NoEntry);
    };
    let function = module
        .functions
        .get(index as usize)
        .ok_or(StartError::NoEntry)?;
    let signature = module
        .types
        .get(function.ty.0 as usize)
        .ok_or(StartError::NoEntry)?;
    match (signature.params.is_empty(), signature.returns.first()) {
        (true, None) => Ok((index, false)),
        (true, Some(ValType::I32)) => Ok((index, true)),
        _ => Err(StartError::NoEntry),
    }
}

/// The imported calls as the interpreter wants them, grouped by module. Each only notes what was asked and pauses: the
/// container then performs it with the host that it was given for this slice of time.
fn host_modules(
    used: impl Iterator<Item = usize>,
    requests: &Rc<Request>,
) -> Result<spacewasm::Vec<HostModule>, StartError> {
    let used: alloc::vec::Vec<usize> = used.collect();
    let count = used
        .chunk_by(|a, b| CALLS[*a].module == CALLS[*b].module)
        .count();
    let mut modules = empty(count)?;
    for lines in used.chunk_by(|a, b| CALLS[*a].module == CALLS[*b].module) {
        let mut functions = empty(lines.len())?;
        for line in lines {
            push(&mut functions, function(*line, &CALLS[*line], requests)?)?;
        }
        let module = HostModule {
            name: HostName::try_from_str(CALLS[lines[0]].module)
                .map_err(|_| StartError::NoEngine)?,
            globals: empty(0)?,
            functions,
            memory: empty(0)?,
            table: empty(0)?,
        };
        push(&mut modules, module)?;
    }
    Ok(modules)
}

fn empty<T>(capacity: usize) -> Result<spacewasm::Vec<T>, StartError> {
    spacewasm::Vec::new(capacity).map_err(|_| StartError::OutOfMemory)
}

fn push<T>(items: &mut spacewasm::Vec<T>, item: T) -> Result<(), StartError> {
    items.try_push(item).map_err(|_| StartError::OutOfMemory)
}

fn function(
    line: usize,
    call: &HostCall,
    requests: &Rc<Request>,
) -> Result<HostFunction, StartError> {
    let parameters = HostValList::try_new(&"iiii"[..call.signature.parameters.len().min(4)]);
    let result = HostValList::try_new(match call.signature.result {
        Some(ValueType::I32) => "i",
        Some(ValueType::I64) => "I",
        None => "",
    });
    let name = HostName::try_from_str(call.name).map_err(|_| StartError::NoEngine)?;
    let (Ok(parameters), Ok(result)) = (parameters, result) else {
        return Err(StartError::NoEngine);
    };
    let requests = Rc::clone(requests);
    HostFunction::try_new(name, parameters, result, move |_, arguments| {
        let mut values = [0; 4];
        for (value, argument) in values.iter_mut().zip(arguments) {
            if let Value::I32(argument) = argument {
                *value = *argument;
            }
        }
        requests.note(line, values);
        ControlFlow::Break(HostFunctionBreak::Pause)
    })
    .map_err(|_| StartError::OutOfMemory)
}
