// SPDX-License-Identifier: Apache-2.0
//! `k1s pico pins`: what is seen at the boards of a simulation, and what is done to them.

use std::time::Duration;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use serde_json::Value;

use super::control;

/// `pico pins`.
pub(super) static COMMAND: Command = Command {
    name: "pins",
    aliases: &["pin"],
    usage: "[BOARD [PIN=high|low|open] [adcN=0..65535] [temp=DEGREES] [link=up|cut|half-open|latency:MS|loss:PERCENT|rate:BYTES] [power=cycle|brown-out|cut-every:N|steady] [firmware=hang] [flash=fast|slow:MS] [clock=PPM]] [--watch] [-o json]",
    about: "Show the boards of a running simulation, or set what is around one: pins, sensors, link, power, flash, clock, firmware.",
    examples: &[
        ("All boards, again and again", "pico pins --watch"),
        (
            "Press the button at GP15 of pico-0",
            "pico pins pico-0 15=low",
        ),
        ("Cut the radio link of pico-0", "pico pins pico-0 link=cut"),
        (
            "A bad link: 500 ms each way, one piece in ten is sent again",
            "pico pins pico-0 link=latency:500,loss:10",
        ),
        (
            "Power that goes at every 40th operation of the flash, and a clock that runs 200 ppm too fast",
            "pico pins pico-0 power=cut-every:40 clock=200",
        ),
    ],
    flags: &[&[
        Flag::switch("watch", "Show the boards again and again, until Ctrl-C.").short('w'),
        Flag::text("output", "json, or nothing for people.").short('o'),
        super::SOCKET,
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let fail = |e: anyhow::Error| Error::message(format!("{e:#}"));
    let as_json = match flags.text("output") {
        "" => false,
        "json" => true,
        other => return Err(Error::message(format!("--output {other:?} is not json"))),
    };
    let socket = super::socket(flags).map_err(fail)?;
    let (board, deeds) = match flags.args.split_first() {
        None => ("", &[][..]),
        Some((board, deeds)) => (board.as_str(), deeds),
    };
    if !deeds.is_empty() {
        control::ask(&socket, &format!("set {board} {}", deeds.join(" ")))
            .await
            .map_err(fail)?;
        return Ok(());
    }
    loop {
        let answer = control::ask(&socket, format!("look {board}").trim_end())
            .await
            .map_err(fail)?;
        if as_json {
            cx.print(&answer)?;
        } else {
            show(cx, &answer, !board.is_empty())?;
        }
        if !flags.on("watch") {
            return Ok(());
        }
        cx.flush()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn show(cx: &Context, answer: &str, every_pin: bool) -> Result {
    for line in answer.lines() {
        let seen: Value = serde_json::from_str(line)
            .map_err(|e| Error::message(format!("the simulation's answer is not JSON: {e}")))?;
        cx.line(seen["line"].as_str().unwrap_or_default())?;
        if !every_pin {
            continue;
        }
        let mut pins: Vec<(u8, &str)> = seen["pins"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, at)| Some((name.strip_prefix("GP")?.parse().ok()?, at.as_str()?)))
            .collect();
        pins.sort_unstable();
        for (pin, at) in pins {
            cx.line(format_args!("  GP{pin:<3} {at}"))?;
        }
        let millicelsius = seen["temperatureMillicelsius"].as_i64().unwrap_or_default();
        cx.line(format_args!(
            "  temp  {} °C\n  port  {}",
            celsius(millicelsius),
            seen["port"]
        ))?;
    }
    Ok(())
}

/// With one digit behind the point.
fn celsius(thousandths: i64) -> String {
    let sign = if thousandths <= -50 { "-" } else { "" };
    let tenths = (thousandths.unsigned_abs() + 50) / 100;
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn degrees() {
        for (thousandths, expected) in [
            (27_000, "27.0"),
            (27_449, "27.4"),
            (27_450, "27.5"),
            (-500, "-0.5"),
            (-49, "0.0"),
            (-1_250, "-1.3"),
        ] {
            assert_eq!(super::celsius(thousandths), expected);
        }
    }
}
