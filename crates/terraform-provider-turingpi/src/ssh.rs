// SPDX-License-Identifier: Apache-2.0
//! Attributes that say how a module is reached over SSH, and what they mean for `turingpi-ssh`.

use std::path::PathBuf;
use std::time::Duration;

use tfplugin::{Attribute, Block, Diagnostics, Path, Type, Value, validator};
use turingpi_ssh::{
    Address, Error, HostKey, HostKeyProblem, Login, Method, Options, Secret, Trust,
};

/// Adds them to a block.
pub(crate) fn attributes(block: Block) -> Block {
    let text = || Attribute::optional(Type::String).check(validator::not_empty());
    block
        .attribute(
            "host",
            Attribute::required(Type::String)
                .check(validator::not_empty())
                .describe("Name or IP address of the module, IPv4 or IPv6."),
        )
        .attribute(
            "ssh_port",
            Attribute::optional(Type::Number)
                .default(22)
                .check(validator::between(1, 65_535))
                .describe("Port of its SSH server."),
        )
        .attribute(
            "ssh_user",
            text()
                .default("root")
                .describe("Who logs in. One who is not root needs `sudo`."),
        )
        .attribute(
            "ssh_key",
            text().sensitive().describe(
                "Private key, the text of the file: OpenSSH, PKCS #8 or PuTTY; Ed25519 or ECDSA.",
            ),
        )
        .attribute(
            "ssh_key_passphrase",
            text().sensitive().describe("What the private key is encrypted with."),
        )
        .attribute(
            "ssh_password",
            text()
                .sensitive()
                .describe("Password, tried after the key; also for a `sudo` that asks for one."),
        )
        .attribute(
            "ssh_agent",
            Attribute::optional(Type::Bool).describe(
                "Use the keys of the agent that `SSH_AUTH_SOCK` names. So it is when neither `ssh_key` nor `ssh_password` is set.",
            ),
        )
        .attribute(
            "ssh_host_keys",
            Attribute::optional(Type::list(Type::String)).describe(
                "Keys of which the module must show one: fingerprints `SHA256:…`, or public keys `ssh-ed25519 AAAA…` as `ssh-keyscan` \
                 prints them.",
            ),
        )
        .attribute(
            "ssh_known_hosts_file",
            text().describe(
                "File with host keys, as OpenSSH keeps them. `~/.ssh/known_hosts` counts when nothing is said about host keys.",
            ),
        )
        .attribute(
            "ssh_trust_on_first_use",
            Attribute::optional(Type::Bool).describe(
                "Write the key of a module that is not in `ssh_known_hosts_file` yet into it; one that changes is refused all the same.",
            ),
        )
        .attribute(
            "ssh_insecure",
            Attribute::optional(Type::Bool).describe(
                "Take any host key. Whoever is between here and the module can read the password and all that is read.",
            ),
        )
        .rule(validator::Rule::Conflicts(&["ssh_host_keys", "ssh_known_hosts_file"]))
        .rule(validator::Rule::RequiredWith(&["ssh_trust_on_first_use", "ssh_known_hosts_file"]))
        .rule(validator::Rule::RequiredWith(&["ssh_key_passphrase", "ssh_key"]))
}

/// What a configuration says, checked.
pub(crate) fn options(config: &Value, diagnostics: &mut Diagnostics) -> Option<Options> {
    let address = address(config, diagnostics)?;
    let trust = trust(config, diagnostics)?;
    let secret = |name: &str| config.attribute(name).as_str().map(Secret::new);
    let mut methods = Vec::new();
    if let Some(text) = secret("ssh_key") {
        let passphrase = secret("ssh_key_passphrase");
        methods.push(Method::Key { text, passphrase });
    }
    let password = secret("ssh_password").map(Method::Password);
    let agent = config.attribute("ssh_agent").as_bool();
    if agent.unwrap_or(methods.is_empty() && password.is_none()) {
        match Method::agent_of_user() {
            Ok(method) => methods.push(method),
            Err(e) => {
                let what = if agent.is_some() {
                    "The SSH agent cannot be used"
                } else {
                    "Nothing to log in with: set ssh_key or ssh_password, or have an agent"
                };
                error(diagnostics, what, &e);
                return None;
            }
        }
    }
    methods.extend(password);
    if methods.is_empty() {
        diagnostics.error(
            "Nothing to log in with",
            "Set ssh_key or ssh_password, or ssh_agent = true.",
        );
        return None;
    }
    let user = config
        .attribute("ssh_user")
        .as_str()
        .unwrap_or("root")
        .to_owned();
    Some(Options::new(address, trust, Login { user, methods }))
}

/// Where the module is.
pub(crate) fn address(config: &Value, diagnostics: &mut Diagnostics) -> Option<Address> {
    let host = config.attribute("host").as_str().unwrap_or_default();
    let port = config.attribute("ssh_port").as_i64().unwrap_or(22);
    Address::new(host, u16::try_from(port).unwrap_or(0))
        .map_err(|e| error_at(diagnostics, "host", "There can be no such host", &e))
        .ok()
}

fn trust(config: &Value, diagnostics: &mut Diagnostics) -> Option<Trust> {
    let file = config
        .attribute("ssh_known_hosts_file")
        .as_str()
        .map(PathBuf::from);
    let insecure = config.attribute("ssh_insecure").as_bool() == Some(true);
    let trust = if let Some(keys) = config.attribute("ssh_host_keys").as_list() {
        Trust::Pinned(pins(keys, diagnostics)?)
    } else if let Some(file) = file {
        match config.attribute("ssh_trust_on_first_use").as_bool() {
            Some(true) => Trust::FirstUse(file),
            _ => Trust::KnownHosts(file),
        }
    } else if insecure {
        diagnostics.warning_at(
            &Path::of("ssh_insecure"),
            "Any host key is taken",
            "Whoever is between this machine and the module can read the password and all that is read. Pin the module's key with \
             ssh_host_keys instead.",
        );
        return Some(Trust::Insecure);
    } else {
        Trust::of_user().or_else(|| {
            diagnostics.error(
                "No host keys",
                "There is no home directory with a known_hosts file: set ssh_host_keys or ssh_known_hosts_file.",
            );
            None
        })?
    };
    if insecure {
        diagnostics.warning_at(
            &Path::of("ssh_insecure"),
            "ssh_insecure is not used",
            "The host key is checked by what else is set.",
        );
    }
    Some(trust)
}

/// The keys that are pinned; null and unknown ones are none.
pub(crate) fn pins(keys: &[Value], diagnostics: &mut Diagnostics) -> Option<Vec<HostKey>> {
    let mut pins = Vec::new();
    for (i, text) in keys.iter().enumerate() {
        match text.as_str().unwrap_or_default().parse() {
            Ok(key) => pins.push(key),
            Err(e) => {
                let at = Path::of("ssh_host_keys").index(i);
                diagnostics.error_at(&at, "The host key cannot be used", detail(&e));
                return None;
            }
        }
    }
    if pins.is_empty() {
        let at = Path::of("ssh_host_keys");
        diagnostics.error_at(
            &at,
            "No host keys",
            "The list is empty: no host could be trusted.",
        );
        return None;
    }
    Some(pins)
}

/// Tells an error, at the attribute that it is about.
pub(crate) fn error(diagnostics: &mut Diagnostics, what: &str, e: &Error) {
    let at = match e {
        Error::Unreachable { .. } | Error::Protocol { .. } => "host",
        Error::HostKey {
            problem: HostKeyProblem::NotPinned(_),
            ..
        } => "ssh_host_keys",
        Error::Key(_) => "ssh_key",
        Error::NoFile { .. } => "path",
        _ => return diagnostics.error(what, detail(e)),
    };
    error_at(diagnostics, at, what, e);
}

fn error_at(diagnostics: &mut Diagnostics, at: &str, what: &str, e: &Error) {
    diagnostics.error_at(&Path::of(at), what, detail(e));
}

/// An error and what to do.
pub(crate) fn detail(e: &Error) -> String {
    crate::report::chain(e, e.hint())
}

/// The time that each step has, within the time for all.
pub(crate) fn within(mut options: Options, all: Duration) -> Options {
    options.connect_timeout = options.connect_timeout.min(all);
    options.login_timeout = options.login_timeout.min(all);
    options
}
