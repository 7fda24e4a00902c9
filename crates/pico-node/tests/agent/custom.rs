// SPDX-License-Identifier: Apache-2.0
//! `GPIOController` and `LEDMatrix`, on clusters that have them and on those that do not.

use crate::rig::Rig;
use pico_board::{Level, PinMode, Pull};
use serde_json::{Value, json};

const GPIO: &str = "/apis/pico.io/v1/namespaces/default/gpiocontrollers/lamp";
const MATRIX: &str = "/apis/pico.io/v1/namespaces/default/ledmatrices/hello";

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.api.absent.clear();
    rig.run(2000);
    rig
}

fn object(name: &str, spec: Value) -> Value {
    let mut object =
        json!({"metadata": {"name": name, "namespace": "default", "generation": 1}, "spec": spec});
    object["metadata"]["uid"] = name.into();
    object["spec"]["nodeName"] = "pico".into();
    object
}

fn ready(rig: &Rig, path: &str) -> (String, String, String) {
    let condition = &rig.api.objects[path]["status"]["conditions"][0];
    assert_eq!(condition["type"], "Ready");
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

#[test]
fn a_pin_follows_its_object_and_is_touched_only_on_change() {
    let mut rig = rig();
    rig.api.put(
        GPIO,
        object(
            "lamp",
            json!({"pinNumber": 15, "mode": "output", "value": "HIGH"}),
        ),
    );
    rig.run(2000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Output(Level::High));
    let (status, reason, message) = ready(&rig, GPIO);
    assert_eq!(
        (&*status, &*reason, &*message),
        ("True", "Applied", "GP15 is an output, HIGH")
    );
    assert_eq!(rig.api.objects[GPIO]["status"]["level"], "High");
    assert_eq!(rig.api.objects[GPIO]["status"]["observedGeneration"], 1);
    let (touched, writes) = (rig.runtime.touched, rig.api.count(&format!("PATCH {GPIO}")));
    // A label changes, and a while goes by.
    rig.api
        .change(GPIO, |o| o["metadata"]["labels"] = json!({"a": "b"}));
    rig.run(600_000);
    assert_eq!(rig.runtime.touched, touched);
    assert_eq!(rig.api.count(&format!("PATCH {GPIO}")), writes);
    rig.api.change(GPIO, |o| {
        o["spec"]["mode"] = "pwm".into();
        o["spec"]["duty"] = 128.into();
        o["metadata"]["generation"] = 2.into();
    });
    rig.run(2000);
    assert_eq!(rig.runtime.pwm[&15], 128 * 257);
    assert_eq!(rig.api.objects[GPIO]["status"]["observedGeneration"], 2);
    assert!(rig.api.objects[GPIO]["status"]["level"].is_null());
    rig.api.delete(GPIO);
    rig.run(2000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Disabled);
    assert!(!rig.runtime.pwm.contains_key(&15));
}

#[test]
fn an_input_reports_its_level() {
    let mut rig = rig();
    rig.api.put(
        GPIO,
        object(
            "lamp",
            json!({"pinNumber": 15, "mode": "input", "pull": "up"}),
        ),
    );
    rig.run(2000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Input(Pull::Up));
    assert_eq!(rig.api.objects[GPIO]["status"]["level"], "High");
    rig.runtime.drive(15, Level::Low);
    rig.run(2000);
    assert_eq!(rig.api.objects[GPIO]["status"]["level"], "Low");
    // A pin that never rests does not fill the API.
    let before = rig.api.count("PATCH ");
    for n in 0..1000 {
        rig.runtime
            .drive(15, if n % 2 == 0 { Level::High } else { Level::Low });
        rig.run(10);
    }
    let writes = rig.api.count("PATCH ") - before;
    assert!(writes <= 13, "{writes} writes in ten seconds");
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut rig = rig();
    let check = |rig: &mut Rig, spec: Value, expected: (&str, &str)| {
        rig.api.put(GPIO, object("lamp", spec));
        rig.run(3000);
        let (status, reason, message) = ready(rig, GPIO);
        assert_eq!((&*status, &*reason), ("False", expected.0));
        assert!(message.contains(expected.1), "{message}");
    };
    check(
        &mut rig,
        json!({"pinNumber": 24, "mode": "input"}),
        ("NoSuchPin", "GP24 is not on the header"),
    );
    check(
        &mut rig,
        json!({"pinNumber": 15, "mode": "servo"}),
        ("InvalidSpec", "\"servo\""),
    );
    let first = "/apis/pico.io/v1/namespaces/default/gpiocontrollers/first";
    rig.api.put(
        first,
        object("first", json!({"pinNumber": 15, "mode": "output"})),
    );
    rig.run(2000);
    check(
        &mut rig,
        json!({"pinNumber": 15, "mode": "input"}),
        ("PinInUse", "GP15 belongs to another GPIOController"),
    );
    assert_eq!(ready(&rig, first).0, "True");
    // The first one goes: the other one has it.
    rig.api.delete(first);
    rig.run(2000);
    assert_eq!(ready(&rig, GPIO).0, "True");
    assert_eq!(rig.runtime.pins[&15], PinMode::Input(Pull::None));
    // A pod does not get it.
    let pod = "/api/v1/namespaces/default/pods/p";
    rig.api.put(
        pod,
        json!({"metadata": {"name": "p", "namespace": "default", "annotations": {"pico.io/gpio-pins": "15"}},
            "spec": {"nodeName": "pico", "containers": [{"name": "c", "image": "test/ok:v1",
                "resources": {"limits": {"pico.io/gpio-pin": "1"}}}]}}),
    );
    rig.run(3000);
    assert_eq!(
        rig.api.objects[pod]["status"]["message"],
        "GP15 belongs to a GPIOController"
    );
}

#[test]
fn objects_of_other_nodes_are_theirs() {
    let mut rig = rig();
    let mut other = object(
        "lamp",
        json!({"pinNumber": 15, "mode": "output", "value": "HIGH"}),
    );
    other["spec"]["nodeName"] = "other".into();
    rig.api.put(GPIO, other);
    rig.run(5000);
    assert!(rig.runtime.pins.is_empty());
    assert!(rig.api.objects[GPIO]["status"].is_null());
    rig.api
        .change(GPIO, |o| o["spec"]["nodeName"] = "pico".into());
    rig.run(2000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Output(Level::High));
    rig.api
        .change(GPIO, |o| o["spec"]["nodeName"] = "other".into());
    rig.run(2000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Disabled);
}

/// What is on the module, row by row, after all that was sent.
fn module(rig: &Rig) -> [u8; 8] {
    let mut rows = [0; 8];
    for transfer in &rig.runtime.spi {
        let [register, value] = transfer[..] else {
            panic!("{transfer:?} is not for one module");
        };
        if (1..=8).contains(&register) {
            rows[usize::from(register) - 1] = value;
        }
    }
    rows
}

#[test]
fn a_message_is_shown_and_runs() {
    let mut rig = rig();
    rig.api.put(
        MATRIX,
        object("hello", json!({"message": "HI", "brightness": 255})),
    );
    rig.run(2000);
    assert_eq!(ready(&rig, MATRIX).0, "True");
    // H, a gap, I
    assert_eq!(
        module(&rig)[1..6],
        [
            0b1010_1110,
            0b1010_0100,
            0b1110_0100,
            0b1010_0100,
            0b1010_1110
        ]
    );
    assert!(rig.runtime.spi.contains(&vec![0xa, 0xf]), "the brightness");
    let (sent, polls) = (rig.runtime.spi.len(), rig.polls);
    rig.run(60_000);
    assert_eq!(rig.runtime.spi.len(), sent, "what fits stands still");
    assert!(rig.polls - polls < 100);
    rig.api.change(MATRIX, |o| {
        o["spec"]["message"] = "LONG".into();
        o["spec"]["scrollSpeedMs"] = 100.into();
    });
    rig.run(5);
    let still = module(&rig);
    assert_eq!(still[5], 0b1110_0100, "L and O");
    rig.run(100);
    assert_eq!(module(&rig)[5], still[5] << 1 | 1, "one column on, and N");
    // Two messages want one matrix: the first by its name has it.
    let second = "/apis/pico.io/v1/namespaces/default/ledmatrices/z";
    rig.api.put(second, object("z", json!({"message": "NO"})));
    rig.run(2000);
    assert_eq!(ready(&rig, second).1, "MatrixInUse");
    let long = "x".repeat(257);
    rig.api
        .change(MATRIX, |o| o["spec"]["message"] = long.into());
    rig.run(2000);
    assert_eq!(ready(&rig, MATRIX).1, "InvalidSpec");
    assert_eq!(ready(&rig, second).1, "Applied");
    rig.api.delete(second);
    rig.run(2000);
    assert_eq!(
        rig.runtime.spi.last(),
        Some(&vec![0xc, 0]),
        "it is switched off"
    );
}

#[test]
fn a_cluster_without_the_kinds_is_asked_seldom_and_served_later() {
    let mut rig = Rig::new();
    rig.run(3_600_000);
    let asked = rig.api.count("GET /apis/pico.io/");
    assert!((2..=14).contains(&asked), "{asked} questions in an hour");
    assert!(rig.agent.is_ready());
    let events = rig
        .api
        .objects
        .keys()
        .filter(|path| path.contains("/events/"));
    assert_eq!(events.count(), 0);
    rig.api.absent.clear();
    rig.api.put(
        GPIO,
        object(
            "lamp",
            json!({"pinNumber": 15, "mode": "output", "value": "HIGH"}),
        ),
    );
    rig.run(700_000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Output(Level::High));
    // The kind goes: its pins are released.
    rig.api.absent.push("/apis/pico.io/");
    rig.run(1_300_000);
    assert_eq!(rig.runtime.pins[&15], PinMode::Disabled);
}

#[test]
fn a_status_of_an_earlier_life_is_not_written_again() {
    let mut rig = rig();
    rig.api.put(
        GPIO,
        object(
            "lamp",
            json!({"pinNumber": 15, "mode": "output", "value": "HIGH"}),
        ),
    );
    rig.run(2000);
    let held = rig.api.objects[GPIO].clone();
    let mut again = Rig::new();
    again.api.absent.clear();
    again.api.put(GPIO, held);
    again.run(5000);
    assert_eq!(again.runtime.pins[&15], PinMode::Output(Level::High));
    assert_eq!(again.api.count(&format!("PATCH {GPIO}")), 0);
}
