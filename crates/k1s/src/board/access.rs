// SPDX-License-Identifier: Apache-2.0
//! How the board is reached: flags, `tpi`'s environment variables, what was trusted before.

use std::path::PathBuf;

use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use k1s_cli::terminal::ask_secret;
use turingpi_bmc::{Bmc, Credentials, Endpoint, Options, Slot, Trust, WhenBusy};

/// Flags of every command that speaks to a board.
pub(super) const FLAGS: &[Flag] = &[
    Flag::text(
        "host",
        "Address of the board; TPI_HOSTNAME, or turingpi.local.",
    ),
    Flag::text("port", "Port of the board; TPI_PORT, or 443."),
    Flag::text(
        "api-version",
        "v1 for boards with firmware 1.x, which speak plain HTTP; v1-1 for all others.",
    )
    .short('a')
    .default("v1-1"),
    Flag::text("user", "User name; TPI_USERNAME, or root."),
    Flag::text(
        "password",
        "Password. Others on this machine can read it in the list of processes: better TPI_PASSWORD, --password-file, or to be asked for it.",
    ),
    Flag::text(
        "password-file",
        "File with the password, or - for standard input.",
    ),
    Flag::text(
        "fingerprint",
        "SHA-256 of the certificate that the board may show.",
    ),
    Flag::text(
        "ca-file",
        "File with the certificate that the board may show, or its authority, PEM.",
    ),
    Flag::switch(
        "insecure",
        "Take any certificate. Whoever is between here and the board can read the password.",
    ),
    Flag::switch("json", "Print JSON; TPI_OUTPUT_JSON. The same as -o json."),
    Flag::text("output", "json or yaml.").short('o'),
];

/// The flag of what would spoil a transfer that is under way.
pub(super) const FORCE: Flag = Flag::switch(
    "force",
    "Even in the middle of a transfer, which fails then.",
);

/// The flag that names slots; it may be given again.
pub(super) const SLOTS: Flag = Flag::each("node", "Slot, 1 to 4; may be repeated.").short('n');

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// An error of a board, with what to do.
pub(super) fn failed(error: &turingpi_bmc::Error) -> Error {
    let mut text = chain(error);
    if let turingpi_bmc::Error::NoCredentials { .. } = error {
        text.push_str("\nhint: set TPI_PASSWORD or give --password-file; on a terminal the password is asked for");
    } else if let Some(hint) = error.hint() {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    Error::message(text)
}

fn told(flags: &Parsed, flag: &str, variable: &str) -> Option<String> {
    Some(flags.text(flag).to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| std::env::var(variable).ok())
        .filter(|text| !text.is_empty())
}

/// A directory of the user's: `$XDG_…/k1s`, or below the home directory.
pub(super) fn own(variable: &str, below_home: &str) -> Option<PathBuf> {
    let xdg = std::env::var_os(variable).filter(|v| !v.is_empty());
    let dir = match xdg {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(below_home),
    };
    Some(dir.join("k1s"))
}

fn password(cx: &Context, flags: &Parsed) -> Result<Option<String>> {
    if flags.given("password") {
        cx.talk("warning: --password can be read by others in the list of processes: TPI_PASSWORD or --password-file is better");
        return Ok(Some(flags.text("password").to_owned()));
    }
    let text = match flags.text("password-file") {
        "" => return Ok(std::env::var("TPI_PASSWORD").ok().filter(|p| !p.is_empty())),
        "-" => cx.read_line()?,
        file => {
            let path = std::path::Path::new(file);
            let bytes = private_file::read(path)
                .map_err(|e| Error::message(format!("cannot read the password: {e}")))?
                .ok_or_else(|| Error::message(format!("there is no file {file}")))?;
            String::from_utf8(bytes)
                .map_err(|_| Error::message(format!("the password in {file} is not UTF-8")))?
        }
    };
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The board that flags and environment name.
pub(super) fn board(cx: &Context, flags: &Parsed) -> Result<Bmc> {
    let host = told(flags, "host", "TPI_HOSTNAME").unwrap_or_else(|| "turingpi.local".into());
    let mut endpoint: Endpoint = host.parse().map_err(|e| failed(&e))?;
    match flags.text("api-version") {
        "v1-1" => {}
        "v1" if host.contains("://") => {}
        "v1" => {
            endpoint = format!("http://{host}").parse().map_err(|e| failed(&e))?;
        }
        other => {
            return Err(Error::usage(
                format!("--api-version must be v1 or v1-1, not {other:?}"),
                flags,
            ));
        }
    }
    if let Some(port) = told(flags, "port", "TPI_PORT") {
        endpoint.port = port
            .parse()
            .map_err(|_| Error::message(format!("{port:?} is no port")))?;
    }
    let mut options = Options::new(endpoint);
    // a person would wait a quarter of an hour for a transfer
    options.when_busy = WhenBusy::Refuse;
    let username = told(flags, "user", "TPI_USERNAME").unwrap_or_else(|| "root".into());
    options.token_file = own("XDG_CACHE_HOME", ".cache").map(|dir| {
        let name: String = format!("{username}-{}", options.endpoint.authority())
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        dir.join(format!("board-{name}.token"))
    });
    // who has a session need not say the password again, and firmware that speaks plain HTTP asks for none
    let has_session = options.token_file.as_ref().is_some_and(|f| f.exists());
    let password = match password(cx, flags)? {
        None if !has_session && options.endpoint.secure => {
            ask_secret(&format!("Password of {username} at {host}: "))
        }
        password => password,
    };
    options.credentials = password.map(|password| Credentials { username, password });
    options.trust = if flags.on("insecure") {
        cx.talk("warning: any certificate is taken: the connection is not secure");
        Trust::Insecure
    } else if flags.given("fingerprint") {
        Trust::Fingerprint(flags.text("fingerprint").parse().map_err(|e| failed(&e))?)
    } else if flags.given("ca-file") {
        let file = flags.text("ca-file");
        let pem = std::fs::read_to_string(file)
            .map_err(|e| Error::message(format!("cannot read {file}: {e}")))?;
        Trust::Authority(pem)
    } else {
        // boards sign for themselves: the first certificate is remembered, as ssh does
        match own("XDG_CONFIG_HOME", ".config") {
            Some(dir) => Trust::FirstUse(dir.join("known_boards")),
            None => Trust::System,
        }
    };
    let bmc = Bmc::new(options).map_err(|e| failed(&e))?;
    // flashing has a force of its own: it ends another transfer instead of spoiling it
    if flags.has("force") && flags.on("force") && !flags.has("image-path") {
        return Ok(bmc.by_force());
    }
    Ok(bmc)
}

/// The slots that were named; all when none was.
pub(super) fn slots(flags: &Parsed) -> Result<Vec<Slot>> {
    let named = flags.list("node");
    if named.is_empty() {
        return Ok(Slot::ALL.to_vec());
    }
    named
        .iter()
        .map(|text| text.parse().map_err(|e| Error::message(format!("{e}"))))
        .collect()
}

/// The one slot that was named.
pub(super) fn slot(flags: &Parsed) -> Result<Slot> {
    match &flags.list("node")[..] {
        [one] => one.parse().map_err(|e| Error::message(format!("{e}"))),
        _ => Err(Error::usage("name one slot with --node", flags)),
    }
}

/// The slot that is the first argument, or that `--node` names.
pub(super) fn slot_argument(flags: &Parsed) -> Result<Slot> {
    match flags.args.first() {
        Some(text) => text.parse().map_err(|e| Error::message(format!("{e}"))),
        None => slot(flags),
    }
}

/// Prints what is known: as JSON or YAML where that was asked for, else by `human`.
pub(super) fn print(
    cx: &Context,
    flags: &Parsed,
    value: &serde_json::Value,
    human: impl FnOnce() -> Result,
) -> Result {
    let json = flags.on("json") || std::env::var("TPI_OUTPUT_JSON").is_ok_and(|v| says_yes(&v));
    match flags.text("output") {
        "" if !json => human(),
        "" | "json" => cx.print(k1s_cli::print::json_two_spaces(value)),
        "yaml" => k1s_cli::print::value(cx, "yaml", value),
        other => Err(Error::usage(
            format!("--output must be json or yaml, not {other:?}"),
            flags,
        )),
    }
}

/// Whether a variable that is a switch is on; what is not a no is a yes.
fn says_yes(text: &str) -> bool {
    !matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "0" | "f" | "false" | "n" | "no" | "off"
    )
}

/// Tells that something was done.
pub(super) fn done(cx: &Context, flags: &Parsed, text: &str) -> Result {
    print(cx, flags, &serde_json::json!({"result": "ok"}), || {
        cx.line(text)
    })
}

/// No arguments are taken.
pub(super) fn no_arguments(flags: &Parsed) -> Result {
    match flags.args.is_empty() {
        true => Ok(()),
        false => Err(Error::usage(
            format!("extra arguments: {}", flags.args.join(" ")),
            flags,
        )),
    }
}
