// SPDX-License-Identifier: Apache-2.0
//! `port-forward`: local ports that lead to those of a pod.

use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use k1s_core::object::{int, list, text};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::pods::pods;
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::forwarding::{Forwarded, Local};
use crate::selection::{Selection, Target};

/// How long to wait before a pod that does not run is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// `port-forward`.
pub(super) static COMMAND: Command = Command {
    name: "port-forward",
    aliases: &[],
    usage: "(POD | TYPE/NAME) [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
    about: "Listen on local ports and pass connections on to those of a pod, until Ctrl-C",
    examples: &[
        (
            "Port 8080 here is port 8080 of a container on a board",
            "port-forward pod/web 8080 --context lab",
        ),
        (
            "Port 8888 here is the port of the pod that is named http",
            "port-forward pod/web 8888:http --context lab",
        ),
        (
            "Any free port here, to port 80 of a pod behind a service",
            "port-forward service/web :80 --context lab",
        ),
        (
            "For other machines, too",
            "port-forward deployment/web 8080 --address 0.0.0.0 --context lab",
        ),
    ],
    flags: &[&[
        Flag::list(
            "address",
            "Addresses to listen on: localhost or IP addresses.",
        )
        .default("localhost"),
        Flag::duration(
            "pod-running-timeout",
            "1m0s",
            "How long to wait until a pod of a TYPE/NAME runs.",
        ),
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let [word, ports @ ..] = flags.args.as_slice() else {
        let why = "TYPE/NAME and list of ports are required for port-forward";
        return Err(Error::usage(why, flags));
    };
    if ports.is_empty() {
        let why = "TYPE/NAME and list of ports are required for port-forward";
        return Err(Error::usage(why, flags));
    }
    let addresses = addresses(&flags.list("address"))?;
    if !cx.wants_server() {
        return Err(Error::message(
            "port-forward goes through a server, for it is the one that boards trust: start `k1s serve` or `k1s up`, and say \
             --kubeconfig FILE or --context NAME",
        ));
    }
    let service = service(cx, flags, word).await?;
    let pod = running(cx, flags, word).await?;
    let ports = ports
        .iter()
        .map(|port| forwarded(port, service.as_ref(), &pod.value))
        .collect::<Result<Vec<_>>>()?;
    let path = pod.resource.path(&pod.namespace, &pod.name, "portforward");
    let call = Call::new(Method::POST, path).accept("application/json, */*");
    cx.forward_ports(&call, &ports, &addresses).await
}

/// The service that a word means, if it means one.
async fn service(cx: &Context, flags: &Parsed, word: &str) -> Result<Option<Value>> {
    if !word.contains('/') {
        return Ok(None);
    }
    let mut selection = Selection::new(cx, flags)?;
    selection.args = vec![word.to_owned()];
    let found = selection.targets(cx, flags, true).await?;
    let found = found.into_iter().next().transpose()?;
    Ok(found
        .filter(|target| target.resource.kind == "Service")
        .map(|target| target.value))
}

/// The first pod that a word means. One of another object is waited for until it runs.
async fn running(cx: &Context, flags: &Parsed, word: &str) -> Result<Target> {
    let until = Instant::now() + flags.duration("pod-running-timeout");
    loop {
        let found = pods(cx, flags, Some(word), "forward ports to", true).await?;
        let Some(pod) = found.into_iter().next() else {
            return Err(Error::message(format!("no pod is {word:?}")));
        };
        let phase = text(&pod.value, &["status", "phase"]);
        if phase == "Running" {
            return Ok(pod);
        }
        let is_named = pod.name == word.rsplit('/').next().unwrap_or(word);
        if is_named || Instant::now() >= until {
            return Err(Error::message(format!(
                "unable to forward port because pod is not running. Current status={phase}"
            )));
        }
        sleep(AGAIN).await;
    }
}

/// Where to listen. `localhost` is both of its addresses, of which one is enough.
fn addresses(words: &[String]) -> Result<Vec<Local>> {
    let mut out = Vec::new();
    for word in words {
        if word == "localhost" {
            out.push(Local::Host);
            continue;
        }
        let address: IpAddr = word
            .parse()
            .map_err(|_| Error::message(format!("{word} is not a valid IP")))?;
        out.push(Local::Address(address));
    }
    Ok(out)
}

/// What one argument asks for: a port of a service leads to that of the container behind it, and names stand for numbers.
fn forwarded(word: &str, service: Option<&Value>, pod: &Value) -> Result<Forwarded> {
    let parts: Vec<&str> = word.split(':').collect();
    let (local, remote) = match parts.as_slice() {
        [port] => (*port, *port),
        [local, remote] => (*local, *remote),
        _ => return Err(Error::message(format!("invalid port format '{word}'"))),
    };
    let number = remote.parse().ok();
    // The number that the word is here, and the one in the pod.
    let (own, target) = match service {
        Some(service) => {
            let port = service_port(service, remote, number)?;
            (
                int(port, &["port"]).unwrap_or(0),
                behind(service, port, pod)?,
            )
        }
        None => {
            let number = number.map_or_else(|| named(pod, remote), Ok)?;
            (number, number)
        }
    };
    let target = number_of(&target.to_string(), "remote")?;
    if target == 0 {
        return Err(Error::message("remote port must be > 0"));
    }
    let local = match local {
        "" => 0,
        same if same == remote => number_of(&own.to_string(), "local")?,
        local => number_of(local, "local")?,
    };
    Ok(Forwarded {
        local,
        remote: target,
    })
}

fn number_of(word: &str, which: &str) -> Result<u16> {
    let parsed: std::result::Result<u16, _> = word.parse();
    parsed.map_err(|_| {
        Error::message(format!(
            "error parsing {which} port '{word}': it is no number from 0 to 65535"
        ))
    })
}

fn service_port<'a>(service: &'a Value, word: &str, number: Option<i64>) -> Result<&'a Value> {
    let name = text(service, &["metadata", "name"]);
    let mut ports = list(service, &["spec", "ports"]).iter();
    let found = ports.find(|port| match number {
        Some(number) => int(port, &["port"]) == Some(number),
        None => text(port, &["name"]) == word,
    });
    found.ok_or_else(|| {
        Error::message(match number {
            Some(number) => format!("Service {name} does not have a service port {number}"),
            None => format!("Service '{name}' does not have a named port '{word}'"),
        })
    })
}

/// The port of the container behind a service's port.
fn behind(service: &Value, port: &Value, pod: &Value) -> Result<i64> {
    let own = int(port, &["port"]).unwrap_or(0);
    if text(service, &["spec", "clusterIP"]) == "None" {
        return Ok(own);
    }
    match &port["targetPort"] {
        Value::String(name) => named(pod, name),
        Value::Number(number) => Ok(number.as_i64().filter(|n| *n != 0).unwrap_or(own)),
        _ => Ok(own),
    }
}

fn named(pod: &Value, name: &str) -> Result<i64> {
    let containers = list(pod, &["spec", "containers"]);
    let mut ports = containers.iter().flat_map(|c| list(c, &["ports"]));
    let found = ports.find(|port| text(port, &["name"]) == name);
    found
        .and_then(|port| int(port, &["containerPort"]))
        .ok_or_else(|| {
            let pod = text(pod, &["metadata", "name"]);
            Error::message(format!("Pod '{pod}' does not have a named port '{name}'"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_of_arguments() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [
            {"ports": [{"name": "http", "containerPort": 8080}]}, {"ports": [{"name": "admin", "containerPort": 9090}]}]}});
        let service = json!({"metadata": {"name": "s"}, "spec": {"clusterIP": "10.0.0.1", "ports": [
            {"name": "web", "port": 80, "targetPort": "http"}, {"name": "adm", "port": 81, "targetPort": 9090}, {"port": 82}]}});
        let headless = json!({"metadata": {"name": "s"}, "spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": 8080}]}});
        let check = |word: &str,
                     service: Option<&Value>,
                     expected: std::result::Result<(u16, u16), &str>| {
            let got = forwarded(word, service, &pod).map(|f| (f.local, f.remote));
            let got = got.map_err(|error| error.to_string());
            assert_eq!(got, expected.map_err(str::to_owned), "{word}");
        };
        check("8080", None, Ok((8080, 8080)));
        check("1:8080", None, Ok((1, 8080)));
        check(":8080", None, Ok((0, 8080)));
        check("0:8080", None, Ok((0, 8080)));
        check("http", None, Ok((8080, 8080)));
        check("1:admin", None, Ok((1, 9090)));
        check("80", Some(&service), Ok((80, 8080)));
        check("web", Some(&service), Ok((80, 8080)));
        check(":81", Some(&service), Ok((0, 9090)));
        check("5:82", Some(&service), Ok((5, 82)));
        check("80", Some(&headless), Ok((80, 80)));
        check(
            "83",
            Some(&service),
            Err("Service s does not have a service port 83"),
        );
        check(
            "no",
            Some(&service),
            Err("Service 's' does not have a named port 'no'"),
        );
        check("no", None, Err("Pod 'p' does not have a named port 'no'"));
        check("1:2:3", None, Err("invalid port format '1:2:3'"));
        check("5:0", None, Err("remote port must be > 0"));
        check(
            "x:80",
            None,
            Err("error parsing local port 'x': it is no number from 0 to 65535"),
        );
        check(
            "70000",
            None,
            Err("error parsing remote port '70000': it is no number from 0 to 65535"),
        );
        check("", None, Err("Pod 'p' does not have a named port ''"));
    }

    #[test]
    fn addresses_to_listen_on() {
        let check = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            addresses(&words).map_err(|error| error.to_string())
        };
        let own = "10.0.0.1".parse().unwrap();
        assert_eq!(
            check(&["localhost", "10.0.0.1"]).unwrap(),
            [Local::Host, Local::Address(own)]
        );
        assert_eq!(check(&["here"]).unwrap_err(), "here is not a valid IP");
    }
}
