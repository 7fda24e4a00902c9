// SPDX-License-Identifier: Apache-2.0
//! The socket at which a simulation is asked: one line in, lines out, and the end.
//!
//! `look` and a board's name (or nothing for all) answers one JSON object a line; `set NAME KEY=VALUE…` does all of it or
//! nothing. The last line is `ok`, or `error: ` and why not.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pico_sim::{Deed, Faults, Handle, Seen, level};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::view;

/// Bytes of a question.
const QUESTION: u64 = 4096;
/// How long an answer may take: ten thousand boards are looked at one after the other.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nobody is let in after that failed, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that answers until this is dropped.
pub(super) struct Control {
    path: PathBuf,
    stop: tokio::sync::watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Control {
    /// Opens the socket; one that a dead simulation left behind is replaced.
    pub(super) fn open(path: &Path, handle: Handle) -> Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            bail!(
                "another simulation answers at {}; a socket of its own (--socket of k1s pico sim) keeps two apart",
                path.display()
            );
        }
        match std::fs::symlink_metadata(path) {
            Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path)
                .with_context(|| format!("cannot replace the socket {}", path.display()))?,
            Ok(_) => bail!("{} is there, and is no socket", path.display()),
            // what is not there need not be removed
            Err(_) => {}
        }
        let listener = std::os::unix::net::UnixListener::bind(path)
            .with_context(|| format!("cannot open the socket {}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .with_context(|| format!("cannot close {} to others", path.display()))?;
        listener
            .set_nonblocking(true)
            .context("cannot wait at the socket")?;
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("pico-control".to_owned())
            .spawn(move || {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                else {
                    return;
                };
                runtime.block_on(async move {
                    tokio::select! {
                        () = serve(listener, handle) => {}
                        _ = stopped.changed() => {}
                    }
                });
            })
            .context("cannot start a thread for the socket")?;
        Ok(Self {
            path: path.to_owned(),
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say any more.
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: std::os::unix::net::UnixListener, handle: Handle) {
    let Ok(listener) = UnixListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            // One who says nothing is not waited for.
            let _ = tokio::time::timeout(PATIENCE, answer(stream, &handle)).await;
        });
    }
}

async fn answer(stream: UnixStream, handle: &Handle) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut question = String::new();
    BufReader::new(read.take(QUESTION))
        .read_line(&mut question)
        .await?;
    let mut words = question.split_whitespace();
    let done = match (words.next(), words.next()) {
        (Some("look"), Some(name)) => match handle.look(name).await {
            Some(seen) => {
                write
                    .write_all(format!("{}\n", json_of(&seen)).as_bytes())
                    .await?;
                Ok(())
            }
            None => Err(format!("there is no board {name:?}")),
        },
        (Some("look"), None) => {
            for name in handle.names() {
                if let Some(seen) = handle.look(name).await {
                    write
                        .write_all(format!("{}\n", json_of(&seen)).as_bytes())
                        .await?;
                }
            }
            Ok(())
        }
        (Some("set"), Some(name)) => match words.map(deed).collect::<Result<Vec<Deed>, String>>() {
            Ok(deeds) => set(handle, name, deeds).await,
            Err(why) => Err(why),
        },
        _ => Err("look [NAME], or set NAME KEY=VALUE...".to_owned()),
    };
    let last = match done {
        Ok(()) => "ok\n".to_owned(),
        Err(why) => format!("error: {why}\n"),
    };
    write.write_all(last.as_bytes()).await
}

async fn set(handle: &Handle, name: &str, deeds: Vec<Deed>) -> Result<(), String> {
    for deed in deeds {
        handle.act(name, deed).await?;
    }
    Ok(())
}

const LINK: &str =
    "up, cut, half-open, latency:MS, loss:PERCENT (at most 95) or rate:BYTES-PER-SECOND";
const POWER: &str = "cycle, brown-out, steady or cut-every:OPERATIONS of the flash";
const FLASH: &str = "fast or slow:MS (at most 10000)";

/// What is asked by `KEY=VALUE`.
fn deed(word: &str) -> Result<Deed, String> {
    let (key, value) = word
        .split_once('=')
        .ok_or_else(|| format!("{word:?} is not KEY=VALUE"))?;
    let wrong = |what: &str| format!("{word:?}: {value:?} is not {what}");
    if let Some(channel) = key.strip_prefix("adc") {
        let channel = channel
            .parse()
            .map_err(|_| format!("{key:?} is no analogue channel: adc0, adc1, adc2"))?;
        let reading = value
            .parse()
            .map_err(|_| wrong("a reading between 0 and 65535"))?;
        return Ok(Deed::Analogue(channel, reading));
    }
    match key {
        "temp" => {
            let degrees: f64 = value
                .parse()
                .map_err(|_| wrong("a temperature in degrees Celsius"))?;
            if !(-60.0..=200.0).contains(&degrees) {
                return Err(wrong("a temperature between -60 and 200"));
            }
            #[expect(clippy::cast_possible_truncation, reason = "between -60000 and 200000")]
            Ok(Deed::Temperature((degrees * 1000.0) as i32))
        }
        "link" => {
            let mut faults = Faults::default();
            for part in value.split(',') {
                match part.split_once(':') {
                    None if part == "up" => {}
                    None if part == "cut" => faults.cut = true,
                    None if part == "half-open" => faults.half_open = true,
                    Some(("latency", ms)) => {
                        faults.latency_ms = ms.parse().map_err(|_| wrong(LINK))?;
                    }
                    Some(("loss", percent)) => {
                        faults.loss_percent = percent
                            .parse()
                            .ok()
                            .filter(|percent| *percent <= 95)
                            .ok_or_else(|| wrong(LINK))?;
                    }
                    Some(("rate", bytes)) => {
                        faults.bytes_per_second = bytes.parse().map_err(|_| wrong(LINK))?;
                    }
                    _ => return Err(wrong(LINK)),
                }
            }
            Ok(Deed::Link(faults))
        }
        "power" => match value.split_once(':') {
            None if value == "cycle" => Ok(Deed::PowerCycle),
            None if value == "brown-out" => Ok(Deed::BrownOut),
            None if value == "steady" => Ok(Deed::CutEvery(None)),
            Some(("cut-every", n)) => match n.parse() {
                Ok(n) => Ok(Deed::CutEvery(Some(n))),
                Err(_) => Err(wrong(POWER)),
            },
            _ => Err(wrong(POWER)),
        },
        "flash" => match value.split_once(':') {
            None if value == "fast" => Ok(Deed::SlowFlash(0)),
            Some(("slow", ms)) => match ms.parse() {
                Ok(ms) if ms <= 10_000 => Ok(Deed::SlowFlash(ms)),
                _ => Err(wrong(FLASH)),
            },
            _ => Err(wrong(FLASH)),
        },
        "clock" => match value.parse() {
            Ok(ppm) if (-100_000..=100_000).contains(&ppm) => Ok(Deed::Drift(ppm)),
            _ => Err(wrong("so many millionths too fast, -100000 to 100000")),
        },
        "firmware" if value == "hang" => Ok(Deed::Hang),
        "firmware" => Err(wrong("hang")),
        pin => {
            let number = pin.trim_start_matches("GP").trim_start_matches("gp");
            let number = number.parse().map_err(|_| {
                format!(
                    "{key:?} is neither a pin (15 or GP15) nor adcN, temp, link, power, flash, clock or firmware"
                )
            })?;
            match value.to_ascii_lowercase().as_str() {
                "open" => Ok(Deed::Drive(number, None)),
                other => match level(other) {
                    Some(level) => Ok(Deed::Drive(number, Some(level))),
                    None => Err(wrong("high, low or open")),
                },
            }
        }
    }
}

fn json_of(seen: &Seen) -> Value {
    let pins: serde_json::Map<String, Value> = seen
        .panel
        .pins()
        .map(|(pin, at)| (format!("GP{pin}"), view::short(at).into()))
        .collect();
    let counters = seen.counters;
    json!({
        "name": seen.name,
        "ready": seen.is_ready,
        "led": seen.panel.led(),
        "ledCount": seen.panel.led_count,
        "temperatureMillicelsius": seen.panel.temperature,
        "adc": seen.panel.adc,
        "pins": pins,
        "matrix": seen.matrix.rows(),
        "matrixIntensity": seen.matrix.intensity(),
        "pods": seen.pods,
        "port": seen.port,
        "line": view::line(seen),
        "link": {
            "cut": seen.faults.cut,
            "halfOpen": seen.faults.half_open,
            "latencyMs": seen.faults.latency_ms,
            "lossPercent": seen.faults.loss_percent,
            "bytesPerSecond": seen.faults.bytes_per_second,
        },
        "api": {
            "requests": counters.requests,
            "errors": counters.errors,
            "sentBytes": counters.sent,
            "receivedBytes": counters.received,
            "reconnects": counters.reconnects,
        },
    })
}

/// Asks a simulation.
pub(super) async fn ask(path: &Path, question: &str) -> Result<String> {
    let mut stream = UnixStream::connect(path).await.with_context(|| {
        format!(
            "no simulation answers at {}: start one with `k1s pico sim` or `k1s up --pico 1`",
            path.display()
        )
    })?;
    stream.write_all(format!("{question}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream
        .take(64 * 1024 * 1024)
        .read_to_string(&mut answer)
        .await?;
    said(&answer)
}

/// What stands before the `ok` of an answer.
fn said(answer: &str) -> Result<String> {
    let body = answer.strip_suffix('\n').unwrap_or(answer);
    let (lines, last) = body
        .rsplit_once('\n')
        .map_or(("", body), |(lines, last)| (lines, last));
    match last.strip_prefix("error: ") {
        Some(why) => bail!("{why}"),
        None if last != "ok" => bail!("the simulation ended in the middle of its answer"),
        None if lines.is_empty() => Ok(String::new()),
        None => Ok(format!("{lines}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pico_board::Level;

    #[test]
    fn answers_end_with_ok() {
        let check = |answer: &str, expected: Result<&str, &str>| {
            let got = said(answer).map_err(|e| e.to_string());
            assert_eq!(
                got.as_deref().map_err(String::as_str),
                expected,
                "{answer:?}"
            );
        };
        let early = Err("the simulation ended in the middle of its answer");
        check("ok\n", Ok(""));
        check("{}\n{}\nok\n", Ok("{}\n{}\n"));
        check(
            "error: there is no board \"x\"\n",
            Err("there is no board \"x\""),
        );
        check("", early);
        check("{}\n", early);
        check("{}\n{\"name\"", early);
    }

    #[test]
    fn deeds() {
        let link = |faults| Ok(Deed::Link(faults));
        for (word, expected) in [
            ("15=high", Ok(Deed::Drive(15, Some(Level::High)))),
            ("GP15=LOW", Ok(Deed::Drive(15, Some(Level::Low)))),
            ("15=open", Ok(Deed::Drive(15, None))),
            ("adc0=1200", Ok(Deed::Analogue(0, 1200))),
            ("temp=31.5", Ok(Deed::Temperature(31_500))),
            ("power=cycle", Ok(Deed::PowerCycle)),
            ("power=brown-out", Ok(Deed::BrownOut)),
            ("power=cut-every:40", Ok(Deed::CutEvery(Some(40)))),
            ("power=steady", Ok(Deed::CutEvery(None))),
            ("flash=slow:30", Ok(Deed::SlowFlash(30))),
            ("flash=fast", Ok(Deed::SlowFlash(0))),
            ("clock=-200", Ok(Deed::Drift(-200))),
            ("firmware=hang", Ok(Deed::Hang)),
            ("link=up", link(Faults::default())),
            (
                "link=cut",
                link(Faults {
                    cut: true,
                    ..Faults::default()
                }),
            ),
            (
                "link=latency:200,loss:5",
                link(Faults {
                    latency_ms: 200,
                    loss_percent: 5,
                    ..Faults::default()
                }),
            ),
            (
                "link=rate:2000",
                link(Faults {
                    bytes_per_second: 2000,
                    ..Faults::default()
                }),
            ),
            (
                "link=loss:96",
                Err(format!("\"link=loss:96\": \"loss:96\" is not {LINK}")),
            ),
            (
                "power=off",
                Err(format!("\"power=off\": \"off\" is not {POWER}")),
            ),
            (
                "flash=slow:x",
                Err(format!("\"flash=slow:x\": \"slow:x\" is not {FLASH}")),
            ),
            (
                "clock=fast",
                Err("\"clock=fast\": \"fast\" is not so many millionths too fast, -100000 to 100000".to_owned()),
            ),
            ("15", Err("\"15\" is not KEY=VALUE".to_owned())),
            (
                "15=up",
                Err("\"15=up\": \"up\" is not high, low or open".to_owned()),
            ),
            (
                "temp=hot",
                Err("\"temp=hot\": \"hot\" is not a temperature in degrees Celsius".to_owned()),
            ),
            (
                "x=1",
                Err("\"x\" is neither a pin (15 or GP15) nor adcN, temp, link, power, flash, clock or firmware".to_owned()),
            ),
        ] {
            assert_eq!(deed(word), expected, "{word}");
        }
    }
}
