// SPDX-License-Identifier: Apache-2.0
//! The kubeconfig of a K3s server on a module, read over SSH each time that it is wanted.

use std::time::Duration;

use tfplugin::{
    Attribute, Block, Diagnostics, Ephemeral, EphemeralResource, Path, Schema, Type, Value,
    async_trait, validator,
};
use tokio::time::{Instant, sleep, timeout_at};
use turingpi_ssh::{Client, Error, Options};

use crate::kubeconfig::{Kubeconfig, from_elsewhere};
use crate::ssh;

/// The longest kubeconfig in bytes.
const FILE_BYTES: usize = 1 << 20;
/// Seconds that it may take.
const USUAL: u64 = 60;
/// Seconds that a K3s that is being installed has.
const USUAL_WAIT: u64 = 600;
/// Between two looks.
const POLL: Duration = Duration::from_secs(1);
/// After a login that was refused: a host on its way up lets nobody in but root, and one that is up counts refusals.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);
/// Refused logins that are borne while it is waited.
const REFUSALS: usize = 3;
const K3S: &str = "/etc/rancher/k3s/k3s.yaml";
const NONE: &str = "There is no kubeconfig";

/// Reads it; knows no board.
pub(super) struct FromModule;

#[async_trait]
impl EphemeralResource for FromModule {
    fn schema(&self) -> Schema {
        let pem = |text: &str| Attribute::computed(Type::String).describe(text);
        let server =
            validator::Validator::new("an address such as https://10.0.0.5:6443", |value| {
                match value.as_str().filter(|text| !is_server(text)) {
                    Some(text) => Err(format!(
                        "must be an address such as https://10.0.0.5:6443, is {text:?}"
                    )),
                    None => Ok(()),
                }
            });
        let block = ssh::attributes(Block::new(
            "The kubeconfig of a K3s server on a module, read over SSH when it is wanted. No state and no plan holds any of it.",
        ));
        Schema::new(
            block
                .attribute(
                    "path",
                    Attribute::optional(Type::String)
                        .default(K3S)
                        .check(validator::matches("/.*", "an absolute path"))
                        .describe("The file. Where the user may not read it, `sudo` does."),
                )
                .attribute(
                    "server",
                    Attribute::optional(Type::String).check(server).describe(
                        "Address of the API server for clients. If not set, `host` stands in for the 127.0.0.1 that K3s writes.",
                    ),
                )
                .attribute(
                    "context",
                    Attribute::optional_computed(Type::String)
                        .check(validator::not_empty())
                        .describe("Name of context, cluster and user, which K3s calls `default`; `host` if not set."),
                )
                .attribute(
                    "wait",
                    Attribute::optional(Type::Bool)
                        .default(false)
                        .describe("Wait until the module answers and K3s has written the file."),
                )
                .attribute(
                    "timeout",
                    Attribute::optional(Type::Number)
                        .check(validator::between(1, crate::attribute::LONGEST))
                        .describe("Seconds that all of it may take; 60 if not set, 600 with `wait`."),
                )
                .attribute(
                    "kubeconfig",
                    pem("The kubeconfig, YAML, for `server` and with `context`.").sensitive(),
                )
                .attribute("api_endpoint", pem("Address of the API server."))
                .attribute("cluster_ca_certificate", pem("Certificate of the cluster's authority, PEM."))
                .attribute("client_certificate", pem("Certificate of the administrator, PEM."))
                .attribute("client_key", pem("Its private key, PEM.").sensitive())
                .attribute("token", pem("The user's token; null where it has a certificate.").sensitive()),
        )
    }

    async fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        if config.attribute("host").as_str().is_some() {
            ssh::address(config, diagnostics);
        }
        let keys = config.attribute("ssh_host_keys");
        if let Some(keys) = keys.as_list().filter(|_| keys.is_wholly_known()) {
            ssh::pins(keys, diagnostics);
        }
    }

    async fn open(&self, ephemeral: &mut Ephemeral) {
        let config = ephemeral.result.clone();
        let Some(options) = ssh::options(&config, &mut ephemeral.diagnostics) else {
            return;
        };
        let reading = Reading::new(&config, options);
        match ephemeral.cancel.run(reading.result()).await {
            None => ephemeral
                .diagnostics
                .error(NONE, "Stopped before it was read."),
            Some(Ok(kubeconfig)) => give(
                &kubeconfig,
                &reading,
                &mut ephemeral.result,
                &mut ephemeral.diagnostics,
            ),
            Some(Err(trouble)) => reading.tell(&trouble, &mut ephemeral.diagnostics),
        }
    }
}

fn is_server(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri.host().is_some_and(|host| !host.is_empty())
            && !uri.authority().is_some_and(|a| a.as_str().contains('@'))
    })
}

/// Why there is none.
enum Trouble {
    Ssh(Error),
    /// What is wrong with the file's text.
    Text(String),
}

impl Trouble {
    /// Whether it may be gone in a moment: the module boots, K3s starts, the file is half written.
    fn may_pass(&self) -> bool {
        match self {
            Self::Ssh(e) => e.is_unreachable() || matches!(e, Error::NoFile { .. }),
            Self::Text(_) => true,
        }
    }
}

struct Reading {
    options: Options,
    path: String,
    server: Option<String>,
    context: String,
    wait: bool,
    within: Duration,
}

impl Reading {
    fn new(config: &Value, options: Options) -> Self {
        let text = |name: &str| config.attribute(name).as_str().map(str::to_owned);
        let wait = config.attribute("wait").as_bool() == Some(true);
        let seconds = config
            .attribute("timeout")
            .as_i64()
            .and_then(|s| u64::try_from(s).ok());
        let within = Duration::from_secs(seconds.unwrap_or(if wait { USUAL_WAIT } else { USUAL }));
        Self {
            context: text("context").unwrap_or_else(|| options.address.host().to_owned()),
            options: ssh::within(options, within),
            path: text("path").unwrap_or_else(|| K3S.into()),
            server: text("server"),
            wait,
            within,
        }
    }

    /// Reads until there is one, if it is to be waited for.
    async fn result(&self) -> Result<Kubeconfig, Trouble> {
        let deadline = Instant::now() + self.within;
        let (mut last, mut refusals) = (None, 0);
        loop {
            let trouble = match timeout_at(deadline, self.once()).await {
                Ok(Ok(kubeconfig)) => return Ok(kubeconfig),
                Ok(Err(trouble)) => trouble,
                Err(_) => last.unwrap_or_else(|| self.too_slow()),
            };
            let pause = match &trouble {
                Trouble::Ssh(Error::Refused { .. }) if refusals < REFUSALS => {
                    refusals += 1;
                    AFTER_REFUSAL
                }
                trouble if trouble.may_pass() => POLL,
                _ => return Err(trouble),
            };
            if !self.wait || Instant::now() + pause >= deadline {
                return Err(trouble);
            }
            last = Some(trouble);
            sleep(pause).await;
        }
    }

    fn too_slow(&self) -> Trouble {
        Trouble::Ssh(Error::Timeout {
            address: self.options.address.to_string(),
            what: "give the file",
            within: self.within,
        })
    }

    async fn once(&self) -> Result<Kubeconfig, Trouble> {
        let client = Client::connect(&self.options).await.map_err(Trouble::Ssh)?;
        let read = client.read_file(&self.path, FILE_BYTES, self.within).await;
        client.close().await;
        let bytes = read.map_err(Trouble::Ssh)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Trouble::Text("not a kubeconfig: no text".into()))?;
        let kubeconfig = Kubeconfig::read(text).map_err(Trouble::Text)?;
        let found = kubeconfig
            .server()
            .map(|found| from_elsewhere(found, self.options.address.host()));
        let server = self.server.clone().or(found);
        let server = server.ok_or_else(|| Trouble::Text("the kubeconfig has no server".into()))?;
        Ok(kubeconfig.moved(&server, &self.context))
    }

    fn tell(&self, trouble: &Trouble, diagnostics: &mut Diagnostics) {
        let waited = match self.wait && trouble.may_pass() {
            true => format!(" within {} s", self.within.as_secs()),
            false => String::new(),
        };
        let what = format!("{NONE}{waited}");
        match trouble {
            Trouble::Ssh(e @ Error::NoFile { .. }) => diagnostics.error_at(
                &Path::of("path"),
                what,
                format!(
                    "{} K3s is not installed there, or an agent only, or it has not started yet; wait = true waits for it.",
                    ssh::detail(e)
                ),
            ),
            Trouble::Ssh(e) => ssh::error(diagnostics, &what, e),
            Trouble::Text(why) => diagnostics.error_at(
                &Path::of("path"),
                what,
                format!("{} on {}: {why}.", self.path, self.options.address),
            ),
        }
    }
}

/// Puts the parts into the result.
fn give(
    kubeconfig: &Kubeconfig,
    reading: &Reading,
    result: &mut Value,
    diagnostics: &mut Diagnostics,
) {
    let pems = match kubeconfig.pems() {
        Ok(pems) => pems,
        Err(why) => return reading.tell(&Trouble::Text(why), diagnostics),
    };
    for (name, pem) in pems {
        result.set(name, pem);
    }
    result.set("token", kubeconfig.token());
    result.set("context", kubeconfig.context());
    result.set("api_endpoint", Value::from(kubeconfig.server()));
    result.set("kubeconfig", kubeconfig.text());
}
