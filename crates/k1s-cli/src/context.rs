// SPDX-License-Identifier: Apache-2.0
//! What a command works with: the way to the API, the namespace, the three streams. All of it is made when it is first asked for.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use crate::command::Command;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::kubeconfig::{self, Kubeconfig};
use crate::mapping::Mapping;
use crate::transport::{Transport, remote};

/// Makes the transport of the embedded store from the flags that say which.
pub type Embedded = Box<dyn Fn(&Parsed) -> Result<Rc<dyn Transport>>>;

/// What the program around the library gives to it.
pub struct Host {
    /// Where data goes.
    pub out: Box<dyn Write>,
    /// Where talk goes.
    pub err: Box<dyn Write>,
    /// What `-f -` reads.
    pub input: Box<dyn Read>,
    /// The way to the API when no server is asked for.
    pub embedded: Embedded,
}

/// Flags of every command.
pub const FLAGS: &[Flag] = &[
    Flag::text("as", "User to act as."),
    Flag::each("as-group", "Group to act as; may be repeated."),
    Flag::text("as-uid", "UID to act as."),
    Flag::each(
        "as-user-extra",
        "Extra to act with, key=value; may be repeated.",
    ),
    Flag::text(
        "cache-dir",
        "Accepted for kubectl's sake; nothing is cached on disk.",
    ),
    Flag::text(
        "certificate-authority",
        "File with the authority that signed the server's certificate.",
    ),
    Flag::text("client-certificate", "File with a client certificate."),
    Flag::text("client-key", "File with the client certificate's key."),
    Flag::text("cluster", "Cluster of the kubeconfig."),
    Flag::text("context", "Context of the kubeconfig."),
    Flag::text("data-dir", "Directory of the embedded store."),
    Flag::switch(
        "disable-compression",
        "Accepted for kubectl's sake; answers are never compressed.",
    ),
    Flag::switch(
        "insecure-skip-tls-verify",
        "Do not check the server's certificate. This makes the connection insecure.",
    ),
    Flag::text("kubeconfig", "File that says how to reach a cluster."),
    Flag::switch("match-server-version", "Accepted for kubectl's sake."),
    Flag::text("namespace", "Namespace of the request.").short('n'),
    Flag::text("password", "Password for basic authentication."),
    Flag::text(
        "request-timeout",
        "How long one request may take; 0 is for ever.",
    )
    .default("0"),
    Flag::text("server", "Address of the API server.").short('s'),
    Flag::text("tenant", "Tenant of the embedded store."),
    Flag::text(
        "tls-server-name",
        "Name that the server's certificate is checked for.",
    ),
    Flag::text("token", "Bearer token."),
    Flag::text("user", "User of the kubeconfig."),
    Flag::text("username", "User name for basic authentication."),
    Flag::text("log-flush-frequency", "Accepted for kubectl's sake."),
    Flag::text("profile", "Accepted for kubectl's sake."),
    Flag::text("profile-output", "Accepted for kubectl's sake."),
    Flag::number("v", "0", "Accepted for kubectl's sake.").short('v'),
    Flag::text("vmodule", "Accepted for kubectl's sake."),
    Flag::switch(
        "warnings-as-errors",
        "Treat warnings of the server as errors.",
    ),
];

/// Flags that ask for a server in place of the embedded store.
const SERVER_FLAGS: [&str; 5] = ["kubeconfig", "context", "cluster", "user", "server"];

/// What a command works with.
pub struct Context {
    host: Host,
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    input: RefCell<Box<dyn Read>>,
    globals: Parsed,
    tree: &'static Command,
    transport: OnceCell<Rc<dyn Transport>>,
    kubeconfig: OnceCell<Kubeconfig>,
    pub(crate) mapping: Mapping,
    warned: RefCell<BTreeSet<String>>,
    warnings: Cell<usize>,
}

impl Context {
    /// A context for the command that was parsed.
    #[must_use]
    pub fn new(mut host: Host, globals: Parsed, tree: &'static Command) -> Self {
        let out = std::mem::replace(&mut host.out, Box::new(std::io::sink()));
        let err = std::mem::replace(&mut host.err, Box::new(std::io::sink()));
        let input = std::mem::replace(&mut host.input, Box::new(std::io::empty()));
        Self {
            host,
            out: RefCell::new(out),
            err: RefCell::new(err),
            input: RefCell::new(input),
            globals,
            tree,
            transport: OnceCell::new(),
            kubeconfig: OnceCell::new(),
            mapping: Mapping::default(),
            warned: RefCell::default(),
            warnings: Cell::new(0),
        }
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// When it cannot be written; a closed pipe ends the program without a word.
    pub fn print(&self, text: impl fmt::Display) -> Result {
        write!(self.out.borrow_mut(), "{text}").map_err(Error::Output)
    }

    /// Writes a line to standard output.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn line(&self, text: impl fmt::Display) -> Result {
        writeln!(self.out.borrow_mut(), "{text}").map_err(Error::Output)
    }

    /// Writes bytes to standard output.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn bytes(&self, bytes: &[u8]) -> Result {
        self.out
            .borrow_mut()
            .write_all(bytes)
            .map_err(Error::Output)
    }

    /// Makes what was written visible, before something that takes time.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn flush(&self) -> Result {
        self.out.borrow_mut().flush().map_err(Error::Output)
    }

    /// Writes bytes to standard error. That they cannot be written changes nothing.
    pub fn talk_bytes(&self, bytes: &[u8]) {
        let mut err = self.err.borrow_mut();
        let _ = err.write_all(bytes);
        let _ = err.flush();
    }

    /// Writes a line to standard error. That it cannot be written changes nothing.
    pub fn talk(&self, text: impl fmt::Display) {
        let mut err = self.err.borrow_mut();
        let _ = writeln!(err, "{text}");
        let _ = err.flush();
    }

    /// Shows a warning once.
    pub fn warn(&self, text: &str) {
        self.warnings.set(self.warnings.get() + 1);
        if self.warned.borrow_mut().insert(text.to_owned()) {
            self.talk(format_args!("Warning: {text}"));
        }
    }

    /// How many warnings were given.
    pub(crate) fn warnings(&self) -> usize {
        self.warnings.get()
    }

    /// Reads all of standard input.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_input(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.input
            .borrow_mut()
            .read_to_end(&mut bytes)
            .map_err(|e| Error::message(format!("cannot read standard input: {e}")))?;
        Ok(bytes)
    }

    /// Reads one line of standard input without its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_line(&self) -> Result<String> {
        let mut input = self.input.borrow_mut();
        let mut line = Vec::new();
        let mut byte = [0];
        while input
            .read(&mut byte)
            .map_err(|e| Error::message(format!("cannot read standard input: {e}")))?
            == 1
            && byte[0] != b'\n'
        {
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line)
            .trim_end_matches('\r')
            .to_owned())
    }

    /// All commands of the program.
    #[must_use]
    pub fn tree(&self) -> &'static Command {
        self.tree
    }

    /// The flags of every command.
    #[must_use]
    pub fn globals(&self) -> &Parsed {
        &self.globals
    }

    /// Whether a server is asked for, and not the embedded store.
    #[must_use]
    pub fn wants_server(&self) -> bool {
        SERVER_FLAGS
            .iter()
            .any(|name| !self.globals.text(name).is_empty())
    }

    /// The kubeconfig that the flags and the environment name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kubeconfig(&self) -> Result<&Kubeconfig> {
        if let Some(loaded) = self.kubeconfig.get() {
            return Ok(loaded);
        }
        let loaded = kubeconfig::load(self.globals.text("kubeconfig"))?;
        Ok(self.kubeconfig.get_or_init(|| loaded))
    }

    /// The way to the API.
    ///
    /// # Errors
    /// When the kubeconfig or the store cannot be opened.
    pub fn transport(&self) -> Result<&Rc<dyn Transport>> {
        if let Some(transport) = self.transport.get() {
            return Ok(transport);
        }
        self.timeout()?;
        let transport: Rc<dyn Transport> = if self.wants_server() {
            let access = self.kubeconfig()?.access(&self.globals)?;
            if access.insecure && access.server.starts_with("https:") {
                self.talk(
                    "Warning: the server's certificate is not checked (insecure-skip-tls-verify)",
                );
            }
            Rc::new(remote::Remote::new(access)?)
        } else {
            (self.host.embedded)(&self.globals)?
        };
        Ok(self.transport.get_or_init(|| transport))
    }

    /// The namespace of the request, and whether a flag names it.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub fn namespace(&self) -> Result<(String, bool)> {
        let given = self.globals.text("namespace");
        if !given.is_empty() {
            return Ok((given.to_owned(), true));
        }
        if !self.wants_server() {
            return Ok(("default".to_owned(), false));
        }
        Ok((self.kubeconfig()?.namespace(&self.globals)?, false))
    }

    /// How long one request may take, if there is a limit.
    ///
    /// # Errors
    /// When the flag is neither a number of seconds nor a duration.
    pub fn timeout(&self) -> Result<Option<Duration>> {
        let text = self.globals.text("request-timeout");
        let limit = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => k1s_core::time::parse_duration(text)
                .ok()
                .and_then(|d| Duration::try_from(d).ok())
                .ok_or_else(|| {
                    Error::message(
                        "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a \
                         corresponding time unit (e.g. 1s | 2m | 3h)",
                    )
                })?,
        };
        Ok((!limit.is_zero()).then_some(limit))
    }
}
