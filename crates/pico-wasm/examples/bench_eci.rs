// SPDX-License-Identifier: Apache-2.0
//! Figures of the sandbox: how long an image takes to be verified and started, what fuel metering costs, how many host
//! calls a second, how much memory.
//!
//!     cargo run --release -p pico-wasm --example bench_eci

#![expect(
    unsafe_code,
    reason = "the interpreter alone reads a module through a raw buffer"
)]

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::Instant;

use pico_board::PinSet;
use pico_eci::build::{SigningKey, assemble, build, sign};
use pico_eci::examples::{EXAMPLES, key};
use pico_eci::scripted::ScriptedHost;
use pico_eci::{Blob, Container, Digest, Engine, Grant, Limits, PublicKey, Verifier};
use pico_wasm::Wasm;
use spacewasm::{
    AllocError, CodeBuilder, CompilerOptions, Engine as Interpreted, InnerVec,
    Interpreter as Instructions, InterpreterRunner, Module, WasmMemoryAllocator, WasmRef,
    WasmStream,
};

const GRANT: Grant = Grant {
    pins: PinSet::range(0, 3),
    pwm: PinSet::EMPTY,
    adc: PinSet::EMPTY,
    led: true,
    temperature: true,
    http: true,
    storage_bytes: 256,
};
const LIMITS: Limits = Limits {
    memory_bytes: 64 * 1024,
};

/// 21 instructions an iteration, as a loop that computes.
const LOOP: &str = r#"(module (func (export "run") (local $n i32) (local $x i32) (loop
    (local.set $x (i32.xor (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)) (local.get $n)))
    (local.set $x (i32.rotl (i32.sub (local.get $x) (local.get $n)) (i32.const 5)))
    (br_if 0 (i32.ne (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 0))))))"#;
const CALLS: &str = r#"(module (import "pico:system" "stopping" (func $stopping (result i32)))
    (func (export "run") (loop (br_if 0 (i32.eqz (call $stopping))))))"#;
const PIN_CALLS: &str = r#"(module (import "pico:gpio" "write" (func $write (param i32 i32) (result i32)))
    (func (export "run") (loop (drop (call $write (i32.const 0) (i32.const 1))) (br 0))))"#;

fn start(
    bundle: &[u8],
    trusted: &[PublicKey],
) -> Result<Box<dyn Container>, Box<dyn std::error::Error>> {
    let mut bytes = bundle;
    let mut image = Verifier::new(trusted).verify(&mut bytes as &mut dyn Blob)?;
    Ok(Wasm.start(&mut image, GRANT, LIMITS)?)
}

/// Microseconds of one call, the best of some rounds.
fn microseconds(mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..200).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e6 / 200.0
    };
    (0..5)
        .map(|_| round(&mut call))
        .fold(f64::INFINITY, f64::min)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let trusted = [key().ok_or("no key")?];
    println!("image            bundle  verify µs  and start µs  memory");
    for example in EXAMPLES {
        let mut container = start(example.bundle, &trusted)?;
        container.run(0, &mut ScriptedHost::default());
        let verify =
            microseconds(|| drop(black_box(Verifier::new(&trusted).verify(example.bundle))));
        let both = microseconds(|| drop(black_box(start(example.bundle, &trusted))));
        let (name, bytes) = (
            example.reference.trim_start_matches("pico/"),
            example.bundle.len(),
        );
        println!(
            "{name:<16} {bytes:>6} {verify:>10.0} {:>13.0} {:>7}",
            both,
            container.usage().memory_bytes
        );
    }
    let hashing = microseconds(|| {
        black_box(Digest::of(black_box(&[7; 4096])));
    });
    println!("of which SHA-256 of 4 KiB: {hashing:.0} µs");

    let signer = SigningKey::from_seed([1; 32])?;
    let own = [signer.public()];
    let config = br#"{"name":"bench","version":"v1","capabilities":{"pins":1}}"#;
    for (name, text) in [
        ("instructions", LOOP),
        ("host calls, nothing done", CALLS),
        ("host calls, a pin written", PIN_CALLS),
    ] {
        let bundle = sign(&build(config, &assemble(text)?)?, &signer)?;
        let mut container = start(&bundle, &own)?;
        let mut host = ScriptedHost::default();
        host.pins.insert(
            0,
            (
                pico_board::PinMode::Output(pico_board::Level::Low),
                pico_board::Level::Low,
            ),
        );
        let began = Instant::now();
        while began.elapsed().as_millis() < 1_000 {
            black_box(container.run(1_000_000, &mut host));
        }
        let seconds = began.elapsed().as_secs_f64();
        let usage = container.usage();
        let count = if text == LOOP {
            usage.fuel
        } else {
            usage.host_calls
        };
        println!(
            "{name}: {:.1} million a second",
            count as f64 / seconds / 1e6
        );
    }
    println!(
        "instructions without metering: {:.1} million a second",
        unmetered(assemble(LOOP)?)?
    );
    Ok(())
}

/// A module in memory, for the interpreter alone.
struct Bytes(Option<Vec<u8>>, Vec<u8>);

impl WasmStream for Bytes {
    fn read(&mut self) -> Result<Option<InnerVec<u8>>, u8> {
        Ok(self.0.take().map(|bytes| {
            self.1 = bytes;
            // SAFETY: the bytes are kept until the stream goes, after the reader.
            unsafe { InnerVec::from_raw_parts(self.1.as_mut_ptr(), self.1.len(), self.1.len()) }
        }))
    }

    fn return_(&mut self, _: InnerVec<u8>) {}
}

struct NoMemory;

impl WasmMemoryAllocator for NoMemory {
    fn allocate(&self, _: Layout) -> Result<NonNull<u8>, AllocError> {
        Err(AllocError::OutOfMemory)
    }

    fn reallocate(&self, _: NonNull<u8>, _: Layout, _: Layout) -> Result<NonNull<u8>, AllocError> {
        Err(AllocError::OutOfMemory)
    }

    fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
}

/// Millions of instructions a second of the interpreter alone, told to run a million at once and not to count.
fn unmetered(module: Vec<u8>) -> Result<f64, Box<dyn std::error::Error>> {
    let refused =
        |what: &'static str| move |error: &dyn std::fmt::Debug| format!("{what}: {error:?}");
    let options = CompilerOptions {
        allow_memory_grow: true,
        max_backpatch_iterations: None,
        max_code_pages: 16,
    };
    let mut code = CodeBuilder::new(options).map_err(|error| refused("code")(&error))?;
    let none = spacewasm::Vec::new(0).map_err(|error| refused("host")(&error))?;
    let mut engine = Interpreted::new(256, 1, none).map_err(|error| refused("engine")(&error))?;
    let memory = spacewasm::Rc::new(NoMemory)
        .map_err(|error| refused("memory")(&error))?
        .into_wasm_memory_allocator();
    let mut stream = Bytes(Some(module), Vec::new());
    let module = Module::new::<64, 128>("", &mut stream, &mut engine.store, &mut code, memory)
        .map_err(|error| refused("module")(&error))?;
    let module = engine
        .push_module(module)
        .map_err(|error| refused("module")(&error))?;
    engine
        .invoke(WasmRef { module, index: 0 }, &[])
        .map_err(|error| refused("run")(&error))?;
    let began = Instant::now();
    let mut millions = 0.0;
    while began.elapsed().as_millis() < 1_000 {
        black_box(Instructions.run(code.pages(), &mut engine, 1_000_000));
        millions += 1.0;
    }
    Ok(millions / began.elapsed().as_secs_f64())
}
