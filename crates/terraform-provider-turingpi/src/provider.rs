// SPDX-License-Identifier: Apache-2.0
//! The provider: its configuration and its parts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tfplugin::{
    Action, Attribute, Block, DataSource, Diagnostics, EphemeralResource, Function, ListResource,
    Provider, Resource, Schema, Type, Value, async_trait, validator,
};
use turingpi_bmc::{Bmc, Credentials, Options, Trust};

use crate::session::{Board, Session};
use crate::{action, data, ephemeral, function, list, resource};

const INSECURE: &str = "TURINGPI_INSECURE";

/// The provider of Turing Pi boards.
#[derive(Default)]
pub(crate) struct TuringPi {
    session: Session,
}

/// An attribute that the environment may set.
fn or_environment(attribute: Attribute, variable: &str, text: &str) -> Attribute {
    attribute.describe(&format!("{text} Environment: `{variable}`."))
}

#[async_trait]
impl Provider for TuringPi {
    fn schema(&self) -> Schema {
        let text = || Attribute::optional(Type::String);
        Schema::new(
            Block::new("A Turing Pi 2 or 2.5 board, through its management controller (BMC).")
                .attribute(
                    "endpoint",
                    or_environment(
                        text(),
                        "TURINGPI_ENDPOINT",
                        "Address of the BMC; `https://turingpi.local` if not set.",
                    ),
                )
                .attribute(
                    "username",
                    or_environment(text(), "TURINGPI_USERNAME", "User name."),
                )
                .attribute(
                    "password",
                    or_environment(text().sensitive(), "TURINGPI_PASSWORD", "Password."),
                )
                .attribute(
                    "ca_cert_pem",
                    text().describe("Certificate that the BMC may show, or its authority, PEM."),
                )
                .attribute(
                    "tls_fingerprint_sha256",
                    or_environment(
                        text().check(validator::matches(
                            "(sha256:|SHA256:)?([0-9a-fA-F]{2}:?){32}",
                            "64 hexadecimal digits",
                        )),
                        "TURINGPI_TLS_FINGERPRINT",
                        "SHA-256 of the certificate that the BMC shows.",
                    ),
                )
                .attribute(
                    "known_boards_file",
                    text().describe(
                        "File that remembers the certificate that the BMC showed first (trust on first use).",
                    ),
                )
                .attribute(
                    "insecure",
                    or_environment(
                        Attribute::optional(Type::Bool),
                        INSECURE,
                        "Take any certificate. Whoever is between here and the board can read the password.",
                    ),
                )
                .attribute(
                    "request_timeout",
                    Attribute::optional(Type::Number)
                        .check(validator::between(1, 600))
                        .describe("Seconds that the BMC has for an answer; 15 if not set. Transfers have limits of their own."),
                )
                .rule(validator::Rule::Conflicts(&[
                    "ca_cert_pem",
                    "tls_fingerprint_sha256",
                    "known_boards_file",
                ])),
        )
    }

    async fn configure(&self, config: &Value, diagnostics: &mut Diagnostics) {
        if !config.is_wholly_known() {
            // a plan goes on without the board
            self.session.set(None);
            return;
        }
        let board = options(config, diagnostics).and_then(|options| match Bmc::new(options) {
            Ok(bmc) => Some(Board::new(bmc)),
            Err(e) => {
                crate::report::error(diagnostics, "The board cannot be used", &e);
                None
            }
        });
        self.session.set(board);
    }

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        resource::all(&self.session)
    }

    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        data::all(&self.session)
    }

    fn ephemeral_resources(&self) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
        ephemeral::all(&self.session)
    }

    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        function::all()
    }

    fn lists(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        list::all(&self.session)
    }

    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        action::all(&self.session)
    }
}

/// What the configuration says, and the environment where it says nothing.
fn options(config: &Value, diagnostics: &mut Diagnostics) -> Option<Options> {
    // what is empty is not set: a variable that defaults to "" says nothing
    let told = |name: &str| {
        let text = config.attribute(name).as_str().map(str::to_owned);
        text.filter(|text| !text.is_empty())
    };
    let environment = |variable: &str| {
        let text = std::env::var(variable).ok();
        text.filter(|text| !text.is_empty())
    };
    let from = |name: &str, variable: &str| told(name).or_else(|| environment(variable));
    let endpoint = from("endpoint", "TURINGPI_ENDPOINT");
    let endpoint = endpoint.as_deref().unwrap_or("https://turingpi.local");
    let mut options = match endpoint.parse() {
        Ok(endpoint) => Options::new(endpoint),
        Err(e) => {
            crate::report::error_at(diagnostics, "endpoint", "The address cannot be used", &e);
            return None;
        }
    };
    let username = from("username", "TURINGPI_USERNAME");
    let password = from("password", "TURINGPI_PASSWORD");
    match (username, password) {
        (Some(username), Some(password)) => {
            options.credentials = Some(Credentials { username, password });
        }
        (None, None) => {}
        _ => {
            diagnostics.error(
                "The login is incomplete",
                "username and password go together: set both, in the provider block or as TURINGPI_USERNAME and TURINGPI_PASSWORD.",
            );
            return None;
        }
    }
    if let Some(seconds) = config.attribute("request_timeout").as_i64() {
        options.timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or(15));
    }
    let insecure = match (
        config.attribute("insecure").as_bool(),
        environment(INSECURE),
    ) {
        (Some(told), _) => told,
        (None, None) => false,
        (None, Some(text)) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => {
                diagnostics.error(
                    format!("{INSECURE} cannot be used"),
                    format!("{INSECURE} is {text:?}; it must be true or false."),
                );
                return None;
            }
        },
    };
    let pin = |text: &str, diagnostics: &mut Diagnostics| match text.parse() {
        Ok(fingerprint) => Some(Trust::Fingerprint(fingerprint)),
        Err(e) => {
            let at = "tls_fingerprint_sha256";
            crate::report::error_at(diagnostics, at, "The fingerprint cannot be used", &e);
            None
        }
    };
    // what the configuration says goes before the environment
    options.trust = if let Some(pem) = told("ca_cert_pem") {
        Trust::Authority(pem)
    } else if let Some(text) = told("tls_fingerprint_sha256") {
        pin(&text, diagnostics)?
    } else if let Some(file) = told("known_boards_file") {
        Trust::FirstUse(PathBuf::from(file))
    } else if let Some(text) = environment("TURINGPI_TLS_FINGERPRINT") {
        pin(&text, diagnostics)?
    } else if insecure {
        diagnostics.warning(
            "Any certificate is taken",
            format!(
                "insecure is set: whoever is between this machine and {endpoint} can read the password and change what is sent. \
                 Pin the board's certificate with tls_fingerprint_sha256 instead."
            ),
        );
        Trust::Insecure
    } else {
        Trust::System
    };
    let told_insecure = config.attribute("insecure").as_bool() == Some(true);
    if told_insecure && !matches!(options.trust, Trust::Insecure) {
        diagnostics.warning_at(
            &tfplugin::Path::of("insecure"),
            "insecure is not used",
            "The certificate is pinned, and checked.",
        );
    }
    Some(options)
}
