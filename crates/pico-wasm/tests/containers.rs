// SPDX-License-Identifier: Apache-2.0
//! Containers from text: what they can do, what they cannot, and how they end.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::time::Duration;

use pico_board::{EdgeSet, Level, PinSet};
use pico_eci::build::{SigningKey, assemble, build, sign};
use pico_eci::scripted::ScriptedHost;
use pico_eci::{
    Blob, Container, Engine, Grant, Limits, LogLevel, Progress, StartError, Trap, Verifier, Wake,
    examples,
};
use pico_wasm::Wasm;

const ALL: Grant = Grant {
    pins: PinSet::range(14, 15),
    pwm: PinSet::range(14, 14),
    adc: PinSet::range(0, 0),
    led: true,
    temperature: true,
    http: true,
    storage_bytes: 64,
};
const EVERYTHING: &str =
    r#"{"pins":1,"pwm":1,"adc":1,"led":true,"temperature":true,"http":true,"storage":64}"#;
const LIMITS: Limits = Limits {
    memory_bytes: 16 * 1024,
};

fn bundle(capabilities: &str, text: &str) -> Vec<u8> {
    let config = format!(r#"{{"name":"test","version":"v1","capabilities":{capabilities}}}"#);
    let bundle = build(config.as_bytes(), &assemble(text).unwrap()).unwrap();
    sign(&bundle, &SigningKey::from_seed([1; 32]).unwrap()).unwrap()
}

fn start(bundle: &[u8], grant: Grant, limits: Limits) -> Result<Box<dyn Container>, StartError> {
    let trusted = [
        SigningKey::from_seed([1; 32]).unwrap().public(),
        examples::key().unwrap(),
    ];
    let mut bytes = bundle;
    let mut image = Verifier::new(&trusted)
        .verify(&mut bytes as &mut dyn Blob)
        .unwrap();
    Wasm.start(&mut image, grant, limits)
}

/// Runs the body of `run` with the whole interface imported.
fn program(body: &str) -> String {
    let imports: String = pico_eci::CALLS
        .iter()
        .map(|call| {
            let parameters = "i32 ".repeat(call.signature.parameters.len());
            let result = match call.signature.result {
                Some(pico_eci::ValueType::I32) => "(result i32)",
                Some(pico_eci::ValueType::I64) => "(result i64)",
                None => "",
            };
            let name = format!("{}.{}", call.module.trim_start_matches("pico:"), call.name);
            format!(
                "(import \"{}\" \"{}\" (func ${name} (param {parameters}) {result}))\n",
                call.module, call.name
            )
        })
        .collect();
    format!(
        "(module {imports} (memory 256 (pagesize 1)) (data (i32.const 0) \"key\") (func (export \"run\") (result i32) {body}))"
    )
}

fn run(container: &mut dyn Container, host: &mut ScriptedHost) -> Progress {
    container.run(100_000, host).progress
}

/// What a body ends with.
#[track_caller]
fn check(body: &str, expected: Progress) {
    let mut container = start(&bundle(EVERYTHING, &program(body)), ALL, LIMITS).unwrap();
    let progress = run(
        &mut *container,
        &mut ScriptedHost {
            millicelsius: 21_500,
            ..ScriptedHost::default()
        },
    );
    assert_eq!(progress, expected, "{body}");
    assert!(
        !progress.is_final() || run(&mut *container, &mut ScriptedHost::default()) == expected,
        "an end stays the end"
    );
}

#[test]
fn ends() {
    check("(i32.const 7)", Progress::Exited(7));
    check(
        "(call $system.exit (i32.const -3)) (i32.const 7)",
        Progress::Exited(-3),
    );
    check("(unreachable)", Progress::Trapped(Trap::Unreachable));
    check(
        "(i32.load (i32.const 253))",
        Progress::Trapped(Trap::MemoryOutOfBounds),
    );
    check(
        "(i32.load offset=4294967295 (i32.const -1))",
        Progress::Trapped(Trap::MemoryOutOfBounds),
    );
    check(
        "(i32.div_s (i32.const 1) (i32.const 0))",
        Progress::Trapped(Trap::Arithmetic),
    );
    check(
        "(i32.div_s (i32.const -2147483648) (i32.const -1))",
        Progress::Trapped(Trap::Arithmetic),
    );
    check(
        "(i32.trunc_f32_s (f32.const nan))",
        Progress::Trapped(Trap::Arithmetic),
    );
    check("(loop (br 0)) (unreachable)", Progress::Yielded);
    check(
        "(drop (memory.grow (i32.const 1000000))) (i32.const 0)",
        Progress::OutOfMemory,
    );
    check("(memory.grow (i32.const 100))", Progress::Exited(256));
    check(
        "(call $log.write (i32.const 1) (i32.const 250) (i32.const 7))",
        Progress::Trapped(Trap::HostCall),
    );
    check(
        "(call $config.get (i32.const 0) (i32.const 3) (i32.const -1) (i32.const 2))",
        Progress::Trapped(Trap::HostCall),
    );
}

#[test]
fn recursion_ends_in_a_trap() {
    let text = r#"(module (func $f (export "run") (call $f)))"#;
    let mut container = start(&bundle("{}", text), ALL, LIMITS).unwrap();
    assert_eq!(
        run(&mut *container, &mut ScriptedHost::default()),
        Progress::Trapped(Trap::StackOverflow)
    );
    let text = r#"(module (table 1 funcref) (type $t (func)) (func (export "run") (call_indirect (type $t) (i32.const 0))))"#;
    let mut container = start(&bundle("{}", text), ALL, LIMITS).unwrap();
    assert_eq!(
        run(&mut *container, &mut ScriptedHost::default()),
        Progress::Trapped(Trap::IndirectCall)
    );
}

#[test]
fn refusals_are_numbers() {
    const DENIED: i32 = -1;
    const NOT_FOUND: i32 = -2;
    const INVALID: i32 = -3;
    const NO_SPACE: i32 = -4;
    for (body, expected) in [
        ("(call $gpio.read (i32.const 3))", DENIED),
        ("(call $gpio.read (i32.const 300))", NOT_FOUND),
        ("(call $gpio.read (i32.const 14))", INVALID),
        (
            "(call $gpio.configure (i32.const 14) (i32.const 9))",
            INVALID,
        ),
        ("(call $gpio.pin (i32.const 0))", 14),
        ("(call $gpio.pin (i32.const 2))", NOT_FOUND),
        (
            "(call $pwm.set (i32.const 15) (i32.const 1000) (i32.const 1))",
            DENIED,
        ),
        (
            "(call $pwm.set (i32.const 14) (i32.const 1000) (i32.const 65536))",
            INVALID,
        ),
        (
            "(call $pwm.set (i32.const 14) (i32.const 1000) (i32.const 65535))",
            0,
        ),
        ("(call $adc.read (i32.const 1))", DENIED),
        ("(call $adc.read (i32.const 0))", NOT_FOUND),
        (
            "(call $log.write (i32.const 4) (i32.const 0) (i32.const 3))",
            INVALID,
        ),
        (
            "(call $config.get (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 2))",
            NOT_FOUND,
        ),
        (
            "(call $config.get (i32.const 0) (i32.const 65) (i32.const 8) (i32.const 2))",
            INVALID,
        ),
        (
            "(call $kv.get (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 2))",
            NOT_FOUND,
        ),
        (
            "(call $kv.set (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 60))",
            0,
        ),
        (
            "(call $kv.set (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 62))",
            NO_SPACE,
        ),
        (
            "(call $kv.set (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 1))",
            INVALID,
        ),
        (
            "(call $http.respond (i32.const 200) (i32.const 0) (i32.const 3))",
            NOT_FOUND,
        ),
        (
            "(call $http.respond (i32.const 99) (i32.const 0) (i32.const 3))",
            INVALID,
        ),
        (
            "(call $http.next (i32.const 0) (i32.const 8) (i32.const 0))",
            -7,
        ),
        ("(call $gpio.wait (i32.const 14) (i32.const 0))", -7),
        (
            "(drop (call $temperature.read (i32.const 8))) (i32.load (i32.const 8))",
            21_500,
        ),
        ("(i32.wrap_i64 (call $system.unix-ms))", -1),
        ("(call $system.random (i32.const 8) (i32.const 200))", 0),
        (
            "(call $system.random (i32.const 8) (i32.const 1025))",
            INVALID,
        ),
    ] {
        check(body, Progress::Exited(expected));
    }
}

#[test]
fn a_container_gets_only_what_it_asked_for() {
    let body = "(drop (call $gpio.read (i32.const 14))) (call $led.set (i32.const 1))";
    let mut container = start(&bundle("{}", &program(body)), ALL, LIMITS).unwrap();
    let mut host = ScriptedHost::default();
    assert_eq!(run(&mut *container, &mut host), Progress::Exited(-1));
    assert_eq!(
        (
            container.usage().denied_calls,
            container.usage().host_calls,
            host.led
        ),
        (2, 2, false)
    );
    let asks = bundle(r#"{"pins":3}"#, &program("(i32.const 0)"));
    let error = start(&asks, ALL, LIMITS).err().unwrap().to_string();
    assert_eq!(
        error,
        "the image asks for 3 pico.io/gpio-pin, the pod was given 2: raise it in the container's resources"
    );
}

#[test]
fn images_that_do_not_start() {
    let big = program("(i32.const 0)").replace("(memory 256", "(memory 20000");
    for (text, expected) in [
        ("(module)".into(), "does not export the entry"),
        (
            r#"(module (memory (export "run") 1))"#.into(),
            "more memory",
        ),
        (
            r#"(module (memory (export "run") 1 (pagesize 1)))"#.into(),
            "does not export the entry",
        ),
        (
            r#"(module (func (export "run") (param i32)))"#.into(),
            "does not export the entry",
        ),
        (
            r#"(module (import "env" "abort" (func)) (func (export "run")))"#.into(),
            "imports a function",
        ),
        (
            r#"(module (import "pico:led" "set" (func)) (func (export "run")))"#.into(),
            "imports a function",
        ),
        (
            r#"(module (func (export "run") (drop (i32.extend8_s (i32.const 1)))))"#.into(),
            "invalid at offset",
        ),
        (big, "more memory"),
    ] {
        let text: String = text;
        let error = start(&bundle("{}", &text), Grant::NONE, LIMITS)
            .err()
            .expect(&text)
            .to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let ok = bundle("{}", r#"(module (func (export "run")))"#);
    assert_eq!(
        start(&ok, Grant::NONE, Limits { memory_bytes: 100 }).err(),
        Some(StartError::OutOfMemory)
    );
}

#[test]
fn fuel_is_exact_however_it_is_cut() {
    let text = program(
        "(local $n i32) (loop (drop (call $system.stopping)) (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100)))) (i32.const 5)",
    );
    let bundle = bundle("{}", &text);
    let total = |slice: u32| {
        let mut container = start(&bundle, Grant::NONE, LIMITS).unwrap();
        let mut host = ScriptedHost::default();
        let mut slices = 0;
        let progress = loop {
            let ran = container.run(slice, &mut host);
            assert!(
                ran.fuel < slice + 20,
                "at most a host call more than was given"
            );
            slices += 1;
            if ran.progress != Progress::Yielded {
                break ran.progress;
            }
        };
        assert_eq!(progress, Progress::Exited(5));
        assert!(slice > 5 || slices > 200);
        container.usage().fuel
    };
    assert_eq!([1, 7, 64, 1_000_000].map(total), [total(3); 4]);
}

#[test]
fn memory_is_counted_and_given_back() {
    let mut container = start(
        &bundle(
            "{}",
            &program("(drop (memory.grow (i32.const 1000))) (loop (br 0)) (unreachable)"),
        ),
        ALL,
        LIMITS,
    )
    .unwrap();
    let before = container.usage().memory_bytes;
    assert!((2000..8000).contains(&before), "{before}");
    assert_eq!(
        run(&mut *container, &mut ScriptedHost::default()),
        Progress::Yielded
    );
    let usage = container.usage();
    assert_eq!(
        (usage.memory_bytes, usage.memory_peak_bytes),
        (before + 1000, before + 1000)
    );
}

#[test]
fn the_start_function_runs_first() {
    let text = r#"(module (global $g (mut i32) (i32.const 1)) (func $start (global.set $g (i32.const 42))) (start $start)
        (func (export "run") (result i32) (global.get $g)))"#;
    let mut container = start(&bundle("{}", text), ALL, LIMITS).unwrap();
    assert_eq!(
        run(&mut *container, &mut ScriptedHost::default()),
        Progress::Exited(42)
    );
}

#[test]
fn two_containers_do_not_disturb_each_other() {
    let mut spins = start(
        &bundle("{}", &program("(loop (br 0)) (unreachable)")),
        ALL,
        LIMITS,
    )
    .unwrap();
    let mut traps = start(&bundle("{}", &program("(unreachable)")), ALL, LIMITS).unwrap();
    let mut sleeps = start(
        &bundle(
            "{}",
            &program("(drop (call $system.sleep-ms (i32.const 100))) (i32.const 9)"),
        ),
        ALL,
        LIMITS,
    )
    .unwrap();
    let mut host = ScriptedHost::default();
    for now in (0..=100).step_by(10) {
        host.now_ms = now;
        assert_eq!(run(&mut *spins, &mut host), Progress::Yielded);
        assert_eq!(
            run(&mut *traps, &mut host),
            Progress::Trapped(Trap::Unreachable)
        );
        let expected = if now < 100 {
            Progress::Waiting {
                until_ms: Some(100),
                wake: Wake::default(),
            }
        } else {
            Progress::Exited(9)
        };
        assert_eq!(run(&mut *sleeps, &mut host), expected);
    }
    assert_eq!(sleeps.usage().host_calls, 1);
}

fn example(name: &str, limits: Limits) -> Box<dyn Container> {
    let example = examples::EXAMPLES
        .iter()
        .find(|example| example.reference == format!("pico/{name}:v1"))
        .unwrap();
    start(
        example.bundle,
        Grant {
            pins: PinSet::one(15),
            storage_bytes: 256,
            ..ALL
        },
        limits,
    )
    .unwrap()
}

fn at(container: &mut dyn Container, host: &mut ScriptedHost, now: Duration) -> Progress {
    host.now_ms = u64::try_from(now.as_millis()).unwrap();
    run(container, host)
}

#[test]
fn blink() {
    let mut blink = example("blink", Limits { memory_bytes: 6144 });
    let mut host = ScriptedHost::default();
    host.config.insert("INTERVAL_MS".into(), "250".into());
    let mut led = Vec::new();
    for ms in (0..1000).step_by(250) {
        let progress = at(&mut *blink, &mut host, Duration::from_millis(ms));
        assert_eq!(
            progress,
            Progress::Waiting {
                until_ms: Some(ms + 250),
                wake: Wake::default()
            }
        );
        led.push(host.led);
    }
    assert_eq!(led, [true, false, true, false]);
    assert_eq!(host.lines(), ["led on", "led off", "led on", "led off"]);
    host.stopping = true;
    assert_eq!(run(&mut *blink, &mut host), Progress::Exited(0));
    let usage = blink.usage();
    assert!(usage.memory_peak_bytes <= 6144, "{usage:?}");
}

#[test]
fn thermometer() {
    let mut thermometer = example("thermometer", Limits { memory_bytes: 8192 });
    let mut host = ScriptedHost {
        millicelsius: 27_044,
        ..ScriptedHost::default()
    };
    assert!(matches!(
        run(&mut *thermometer, &mut host),
        Progress::Waiting {
            until_ms: Some(10_000),
            wake: Wake { request: true, .. }
        }
    ));
    for (millicelsius, text) in [
        (27_044, "27.044"),
        (-5, "-0.005"),
        (123_456, "123.456"),
        (0, "0.000"),
        (-40_000, "-40.000"),
    ] {
        host.millicelsius = millicelsius;
        host.requests.push_back("GET /metrics\n".into());
        run(&mut *thermometer, &mut host);
        assert_eq!(
            host.responses.pop(),
            Some((200, format!("pico_temperature_celsius {text}\n")))
        );
    }
    at(&mut *thermometer, &mut host, Duration::from_secs(20));
    assert_eq!(host.lines(), ["pico_temperature_celsius -40.000"]);
}

#[test]
fn button() {
    let mut host = ScriptedHost::default();
    for presses in 1..=12 {
        // a new container each third time: the count is in storage
        let mut button = example("button", Limits { memory_bytes: 8192 });
        for press in 0..3 {
            assert!(matches!(
                run(&mut *button, &mut host),
                Progress::Waiting {
                    until_ms: None,
                    wake: Wake { edge: true, .. }
                }
            ));
            host.drive(15, Level::Low);
            host.drive(15, Level::High);
            run(&mut *button, &mut host);
            assert_eq!(
                host.lines().pop(),
                Some(format!("pressed, count {}", (presses - 1) * 3 + press + 1).as_str())
            );
        }
    }
    assert_eq!(
        host.watched[&15],
        EdgeSet {
            rising: false,
            falling: true
        }
    );
}

#[test]
fn http_led() {
    let mut led = example("http-led", Limits { memory_bytes: 8192 });
    let mut host = ScriptedHost::default();
    for (request, status, body, on) in [
        ("GET /\n", 200, "off\n", false),
        ("POST /on\n", 200, "on\n", true),
        ("GET /\n", 200, "on\n", true),
        ("POST /off\nignored", 200, "off\n", false),
        (
            "POST /once\n",
            404,
            "no such path: POST /on, POST /off, GET /\n",
            false,
        ),
        ("", 404, "no such path: POST /on, POST /off, GET /\n", false),
    ] {
        host.requests.push_back(request.into());
        run(&mut *led, &mut host);
        assert_eq!(
            host.responses.pop(),
            Some((status, body.into())),
            "{request:?}"
        );
        assert_eq!(host.led, on, "{request:?}");
    }
}

#[test]
fn hog_is_killed_by_its_limit() {
    let mut hog = example(
        "hog",
        Limits {
            memory_bytes: 32 * 1024,
        },
    );
    let mut host = ScriptedHost::default();
    let mut slices = 0;
    while let Progress::Waiting {
        until_ms: Some(until),
        ..
    } = run(&mut *hog, &mut host)
    {
        host.now_ms = until;
        slices += 1;
    }
    assert_eq!(run(&mut *hog, &mut host), Progress::OutOfMemory);
    assert_eq!(slices, 6, "six times 4 KiB and its own code fit");
    assert!(
        host.log
            .iter()
            .all(|(level, line)| (*level, line.as_str()) == (LogLevel::Info, "4 KiB more"))
    );
    assert!(hog.usage().memory_peak_bytes <= 32 * 1024);
}
