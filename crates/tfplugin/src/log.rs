// SPDX-License-Identifier: Apache-2.0
//! Logs: lines of JSON on stderr, in the form that the host reads and shows under `TF_LOG`.

use std::io::Write as _;

use ::log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::json;

struct Lines {
    name: &'static str,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= ::log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = json!({
            "@level": level(record.level()),
            "@message": record.args().to_string(),
            "@module": format!("{}.{}", self.name, record.target()),
            "@timestamp": jiff::Timestamp::now().to_string(),
        });
        // a host that does not read its plugin's stderr is none of the log's business
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn flush(&self) {}
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// The level that the user asked for, the most specific variable first.
fn wanted(name: &str, variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let specific = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
    [&specific[..], "TF_LOG_PROVIDER", "TF_LOG"]
        .iter()
        .find_map(|v| variable(v).filter(|text| !text.is_empty()))
        .map_or(LevelFilter::Off, |text| {
            match text.to_uppercase().as_str() {
                "OFF" => LevelFilter::Off,
                "ERROR" => LevelFilter::Error,
                "WARN" => LevelFilter::Warn,
                "INFO" => LevelFilter::Info,
                "DEBUG" => LevelFilter::Debug,
                // JSON is trace in another form, and the host takes unknown words for trace
                _ => LevelFilter::Trace,
            }
        })
}

/// Begins to log for the provider of this name.
pub(crate) fn start(name: &'static str) {
    let level = wanted(name, |v| std::env::var(v).ok());
    if level != LevelFilter::Off && ::log::set_boxed_logger(Box::new(Lines { name })).is_ok() {
        ::log::set_max_level(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_decides() {
        let check = |variables: &[(&str, &str)], expected| {
            let level = wanted("turing-pi", |name| {
                variables
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| (*v).to_owned())
            });
            assert_eq!(level, expected, "{variables:?}");
        };
        check(&[], LevelFilter::Off);
        check(&[("TF_LOG", "")], LevelFilter::Off);
        check(&[("TF_LOG", "debug")], LevelFilter::Debug);
        check(&[("TF_LOG", "JSON")], LevelFilter::Trace);
        check(
            &[("TF_LOG", "debug"), ("TF_LOG_PROVIDER", "warn")],
            LevelFilter::Warn,
        );
        check(
            &[
                ("TF_LOG_PROVIDER", "warn"),
                ("TF_LOG_PROVIDER_TURING_PI", "error"),
            ],
            LevelFilter::Error,
        );
    }
}
