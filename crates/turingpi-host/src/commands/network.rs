// SPDX-License-Identifier: Apache-2.0
//! The network as a module sees it: its address, and the few servers of the internet that provisioning asks.

use super::Call;
use crate::k3s;
use crate::machine::Machine;

impl Machine {
    /// Its address in the board's network.
    #[must_use]
    pub fn address(&self) -> String {
        format!("10.10.88.{}", 72 + u32::from(self.hardware.slot))
    }
}

pub(super) fn ip(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let words: Vec<&str> = call
        .words
        .iter()
        .map(String::as_str)
        .filter(|w| !w.starts_with('-'))
        .collect();
    let brief = call.words.iter().any(|w| w == "-br" || w == "-brief");
    let (address, slot) = (machine.address(), machine.hardware.slot);
    let mac = format!("02:00:00:00:01:{slot:02x}");
    match words.first() {
        Some(a) if "address".starts_with(a) => {
            if brief {
                call.say(&format!("lo               UNKNOWN        127.0.0.1/8 ::1/128\neth0             UP             {address}/24"));
                return 0;
            }
            call.say(&format!(
                "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    \
                 inet 127.0.0.1/8 scope host lo\n2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000\n    \
                 link/ether {mac} brd ff:ff:ff:ff:ff:ff\n    inet {address}/24 brd 10.10.88.255 scope global dynamic eth0"
            ));
            0
        }
        Some(l) if "link".starts_with(l) => {
            call.say(&format!("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN\n2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n    link/ether {mac} brd ff:ff:ff:ff:ff:ff"));
            0
        }
        Some(r) if "route".starts_with(r) => {
            call.say(&if words.get(1) == Some(&"get") {
                format!("{} via 10.10.88.1 dev eth0 src {address} uid 0", words.get(2).unwrap_or(&"1.1.1.1"))
            } else {
                format!("default via 10.10.88.1 dev eth0 proto dhcp src {address} metric 100\n10.10.88.0/24 dev eth0 proto kernel scope link src {address} metric 100")
            });
            0
        }
        other => {
            call.complain(&format!(
                "Object \"{}\" is unknown, try \"ip help\".",
                other.unwrap_or(&"")
            ));
            1
        }
    }
}

pub(super) fn ping(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let host = call
        .words
        .iter()
        .rev()
        .find(|w| !w.starts_with('-'))
        .cloned()
        .unwrap_or_default();
    if host.starts_with("10.10.88.") || host.starts_with("127.") {
        call.say(&format!("PING {host} ({host}) 56(84) bytes of data.\n64 bytes from {host}: icmp_seq=1 ttl=64 time=0.412 ms\n\n--- {host} ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time 0ms"));
        return 0;
    }
    call.fail(format!("{host}: Name or service not known"), 2)
}

/// The host of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':', '?']).next().unwrap_or(rest)
}

fn known(host: &str) -> bool {
    matches!(host, "get.k3s.io" | "update.k3s.io" | "github.com")
}

pub(super) fn curl(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("output", 'o'),
        ("silent", 's'),
        ("fail", 'f'),
        ("location", 'L'),
        ("show-error", 'S'),
        ("insecure", 'k'),
        ("header", 'H'),
        ("retry", 'r'),
        ("max-time", 'm'),
        ("connect-timeout", 'm'),
        ("remote-name", 'O'),
        ("head", 'I'),
        ("write-out", 'w'),
        ("proto", 'P'),
        ("retry-delay", 'r'),
        ("tlsv1.2", 'z'),
        ("create-dirs", 'z'),
        ("version", 'V'),
    ];
    let options = match call.options("sfLSkOIgzVv", "oHrmwPXdu", &long) {
        Ok(options) => options,
        Err(_) => return 2,
    };
    if options.has('V') {
        call.say("curl 8.5.0 (aarch64-unknown-linux-gnu)");
        return 0;
    }
    let Some(url) = options.operands.first().cloned() else {
        call.complain("curl: no URL specified!\ncurl: try 'curl --help' for more information");
        return 2;
    };
    let quiet = options.has('s') && !options.has('S');
    let mut refuse = |text: String, code: i32| {
        if !quiet {
            call.complain(&format!("curl: ({code}) {text}"));
        }
        code
    };
    let host = host(&url).to_owned();
    if host == "127.0.0.1" || host == "localhost" || host.starts_with("10.10.88.") {
        return refuse(
            format!("Failed to connect to {host}: Connection refused"),
            7,
        );
    }
    if !known(&host) {
        return refuse(format!("Could not resolve host: {host}"), 6);
    }
    let Some(bytes) = k3s::download(&url) else {
        if options.has('f') {
            return refuse("The requested URL returned error: 404".into(), 22);
        }
        call.stdout.extend_from_slice(b"Not Found");
        return 0;
    };
    call.wait += std::time::Duration::from_millis(400);
    let file = match options.value('o') {
        Some(file) => Some(file.to_owned()),
        None if options.has('O') => url.rsplit('/').next().map(|n| n.replace("%2B", "+")),
        None => None,
    };
    save(
        machine,
        call,
        file.as_deref().filter(|f| *f != "-"),
        &bytes,
        23,
    )
}

fn save(
    machine: &mut Machine,
    call: &mut Call<'_>,
    file: Option<&str>,
    bytes: &[u8],
    code: i32,
) -> i32 {
    let Some(file) = file else {
        call.stdout.extend_from_slice(bytes);
        return 0;
    };
    match machine.write(&call.user.name, call.cwd, file, bytes, 0o666 & !call.umask) {
        Ok(()) => 0,
        Err(e) => call.fail(format!("{file}: {e}"), code),
    }
}

pub(super) fn wget(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "qnvc",
        "OPTt",
        &[
            ("quiet", 'q'),
            ("output-document", 'O'),
            ("no-verbose", 'n'),
        ],
    ) {
        Ok(options) => options,
        Err(_) => return 2,
    };
    let Some(url) = options.operands.first().cloned() else {
        call.complain("wget: missing URL");
        return 1;
    };
    let host = host(&url).to_owned();
    if !known(&host) {
        return call.fail(format!("unable to resolve host address ‘{host}’"), 4);
    }
    let Some(bytes) = k3s::download(&url) else {
        call.complain("ERROR 404: Not Found.");
        return 8;
    };
    call.wait += std::time::Duration::from_millis(400);
    let file = options.value('O').map_or_else(
        || {
            url.trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or("index.html")
                .replace("%2B", "+")
        },
        str::to_owned,
    );
    save(
        machine,
        call,
        Some(file.as_str()).filter(|f| *f != "-"),
        &bytes,
        3,
    )
}
