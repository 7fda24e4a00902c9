// SPDX-License-Identifier: Apache-2.0
//! What goes wrong and when: written down in a file, or drawn from a number, the same each time.

use std::str::FromStr;
use std::time::Duration;

use crate::board::Shared;
use crate::fault::Fault;

/// The most lines of a script.
const MAX_LINES: usize = 10_000;
/// The latest moment of a script: a year.
const LATEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// One thing that happens to a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A fault begins.
    Begin(Fault),
    /// A fault ends.
    End(Fault),
    /// The daemon restarts: sessions, bans and the state of transfers are gone.
    Restart,
    /// The BMC restarts, as when its plug is pulled for a moment: modules lose their power.
    PowerCycle,
    /// All connections drop.
    Drop,
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begin(fault) => fault.fmt(f),
            Self::End(fault) => write!(f, "end {fault}"),
            Self::Restart => f.write_str("restart"),
            Self::PowerCycle => f.write_str("power-cycle"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

/// What happens to a board, and when, in its own time since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    events: Vec<(Duration, Event)>,
}

/// A script that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ScriptError {
    line: usize,
    why: String,
}

impl FromStr for Script {
    type Err = ScriptError;

    /// A line for each event, `TIME EVENT`: `90s silent`, `2m end silent`, `5m restart`. What follows a `#` is a remark.
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut events = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let wrong = |why: String| ScriptError {
                line: number + 1,
                why,
            };
            if number >= MAX_LINES {
                return Err(wrong(format!("a script has at most {MAX_LINES} lines")));
            }
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (time, event) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| wrong(format!("{line:?} is no TIME EVENT, as in 90s restart")))?;
            let at = moment(time)
                .ok_or_else(|| wrong(format!("{time:?} is no time, as in 500ms, 90s or 2m")))?;
            let event = match event.trim() {
                "restart" => Event::Restart,
                "power-cycle" => Event::PowerCycle,
                "drop" => Event::Drop,
                other => match other.split_once(char::is_whitespace) {
                    Some(("end", fault)) => {
                        Event::End(fault.trim().parse().map_err(|e| wrong(format!("{e}")))?)
                    }
                    _ => Event::Begin(other.parse().map_err(|e| {
                        wrong(format!(
                            "{e}; restart, power-cycle, drop and end FAULT happen, too"
                        ))
                    })?),
                },
            };
            events.push((at, event));
        }
        // those of one moment stay in their order
        events.sort_by_key(|(at, _)| *at);
        Ok(Self { events })
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, event) in &self.events {
            writeln!(f, "{}s {event}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Reads `500ms`, `90s`, `1.5s`, `2m`.
fn moment(text: &str) -> Option<Duration> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(unit, length)| Some((text.strip_suffix(unit)?, length)))?;
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|at| *at <= LATEST)
}

impl Script {
    /// Faults drawn from a number: the same number, the same faults. Each of them is one that a client that goes on gets over: within ten
    /// minutes of the board's time all of it is past.
    #[must_use]
    pub fn by_seed(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let mut events = Vec::new();
        for _ in 0..=draw.below(4) {
            let at = Duration::from_secs(draw.below(480));
            // within the first 64 MiB of a transfer, the early bytes more often: images of tests are small
            let scale = 10 + draw.below(17);
            let byte = draw.below(1 << scale);
            let event = match draw.below(9) {
                0 => Event::Begin(Fault::LoseTokensAt(byte)),
                1 => Event::Begin(Fault::RestartAt(byte)),
                2 => Event::Begin(Fault::DropUploadAt(byte)),
                3 => Event::Begin(Fault::CrcMismatch),
                4 => Event::Restart,
                5 => Event::PowerCycle,
                6 => Event::Drop,
                other => {
                    let fault = if other == 7 {
                        Fault::Silent
                    } else {
                        Fault::Garbage
                    };
                    let lasts = Duration::from_secs(1 + draw.below(60));
                    events.push((at + lasts, Event::End(fault.clone())));
                    Event::Begin(fault)
                }
            };
            events.push((at, event));
        }
        events.sort_by_key(|(at, _)| *at);
        Self { events }
    }

    /// Whether nothing happens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Makes it happen.
    pub(crate) async fn run(self, shared: Shared) {
        for (at, event) in self.events {
            let left = at.saturating_sub(shared.clock.now());
            shared.clock.sleep(left).await;
            log::info!("{event}");
            match event {
                Event::Begin(fault) => shared.board().faults.push(fault),
                Event::End(fault) => {
                    shared.board().faults.retain(|f| *f != fault);
                    // whoever was left without an answer asks anew
                    if matches!(fault, Fault::Silent | Fault::WebSocketHangs) {
                        shared.drop_connections();
                    }
                }
                Event::Restart => shared.restart(Duration::from_secs(2)),
                Event::PowerCycle => shared.restart_bmc(),
                Event::Drop => shared.drop_connections(),
            }
        }
    }
}

/// Numbers that look like chance, by SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another one; nearly all of them as often as each other.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_script() {
        let script: Script = "# a bad night\n\n2m end silent\n90s silent # nobody answers\n1.5s restart-at=7\n2m restart\n250ms drop\n1h power-cycle\n"
            .parse()
            .unwrap();
        let seconds = Duration::from_secs_f64;
        assert_eq!(
            script.events,
            [
                (seconds(0.25), Event::Drop),
                (seconds(1.5), Event::Begin(Fault::RestartAt(7))),
                (seconds(90.0), Event::Begin(Fault::Silent)),
                (seconds(120.0), Event::End(Fault::Silent)),
                (seconds(120.0), Event::Restart),
                (seconds(3600.0), Event::PowerCycle),
            ]
        );
        assert_eq!(script.to_string().parse(), Ok(script));
    }

    #[test]
    fn what_is_no_script() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<Script>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        };
        check("restart", "line 1: \"restart\" is no TIME EVENT");
        check("\n5 restart", "line 2: \"5\" is no time");
        check("-5s restart", "is no time");
        check("1e9s restart", "is no time");
        check("infs restart", "is no time");
        check("99999h restart", "is no time");
        check("5s explode", "\"explode\" is no fault");
        check("5s end", "\"end\" is no fault");
        check("5s end restart", "\"restart\" is no fault");
        check("5s never-boots=9", "is no fault");
    }

    #[test]
    fn a_seed_is_always_the_same_and_ends() {
        let mut different = std::collections::BTreeSet::new();
        for seed in 0..500 {
            let script = Script::by_seed(seed);
            assert_eq!(script, Script::by_seed(seed));
            assert!(!script.is_empty());
            let text = script.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&script), "{text}");
            for (at, event) in &script.events {
                assert!(*at <= Duration::from_secs(600), "{text}");
                let ends = |fault: &Fault| {
                    let end = Event::End(fault.clone());
                    script.events.iter().any(|(when, e)| when > at && *e == end)
                };
                if let Event::Begin(fault @ (Fault::Silent | Fault::Garbage)) = event {
                    assert!(ends(fault), "{text}");
                }
            }
            different.insert(text);
        }
        assert!(different.len() > 490, "{}", different.len());
    }
}
