// SPDX-License-Identifier: Apache-2.0
//! What a provider implements: itself, resources, data sources, ephemeral resources, functions, lists, actions.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::cancel::Cancel;
use crate::cty::{Type, Value};
use crate::diagnostic::Diagnostics;
use crate::path::Path;
use crate::private::Private;
use crate::proto::DeferredReason;
use crate::schema::{Identity, Schema};
use crate::server::Progress;

/// A provider.
///
/// Everything but [`Provider::configure`] must work without a configuration: hosts ask for schemas and validate before they configure.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What its `provider` block may say.
    fn schema(&self) -> Schema;

    /// Checks its configuration beyond the schema.
    async fn validate(&self, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Takes its configuration. Values may be unknown while planning. Nothing should be contacted here: a plan must be possible while
    /// what is managed cannot be reached.
    async fn configure(&self, config: &Value, diagnostics: &mut Diagnostics);

    /// Resources by type name.
    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        Vec::new()
    }

    /// Data sources by type name.
    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        Vec::new()
    }

    /// Ephemeral resources by type name.
    fn ephemeral_resources(&self) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
        Vec::new()
    }

    /// Functions by name.
    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        Vec::new()
    }

    /// Lists by the type name of the resource that they find.
    fn lists(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        Vec::new()
    }

    /// Actions by type name.
    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        Vec::new()
    }
}

/// A change that is planned. The engine has filled in defaults and unknowns.
#[derive(Debug)]
pub struct Plan {
    /// What is; null for a creation.
    pub prior: Value,
    /// What the configuration says.
    pub config: Value,
    /// What will be; null for a deletion.
    pub planned: Value,
    /// Attributes whose change replaces the resource.
    pub requires_replace: Vec<Path>,
    /// Kept beside the state.
    pub private: Private,
    /// Set to put the change off to a later run; only where `deferral_allowed`.
    pub deferred: Option<DeferredReason>,
    /// Whether the host can put changes off.
    pub deferral_allowed: bool,
    /// What is told to the user.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
}

impl Plan {
    /// Whether the resource is to be made.
    #[must_use]
    pub fn is_create(&self) -> bool {
        self.prior.is_null()
    }

    /// Whether the resource is to go.
    #[must_use]
    pub fn is_delete(&self) -> bool {
        self.planned.is_null()
    }
}

/// A change that is made.
#[derive(Debug)]
pub struct Apply {
    /// What is; null for a creation.
    pub prior: Value,
    /// What was planned; null for a deletion.
    pub planned: Value,
    /// What the configuration says; write-only attributes are here alone.
    pub config: Value,
    /// What is now, and is stored whatever becomes of the change: `prior` at first. What was made before a failure belongs here, or
    /// it is lost. Null says that there is nothing.
    pub state: Value,
    /// Kept beside the state.
    pub private: Private,
    /// What names it, if the resource has an identity.
    pub identity: Value,
    /// What is told to the user. An error marks a created resource as tainted.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
}

/// A resource that is read again.
#[derive(Debug)]
pub struct Read {
    /// What was known, and what is: null only when the resource is certainly gone. What cannot be reached is not gone.
    pub state: Value,
    /// Kept beside the state.
    pub private: Private,
    /// What names it, if the resource has an identity.
    pub identity: Value,
    /// What is told to the user.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
}

/// A resource that is taken over.
#[derive(Debug)]
pub struct Import {
    /// The ID that the user gave; empty when an identity was given.
    pub id: String,
    /// The identity that the user gave, or null.
    pub identity: Value,
    /// What is; it is read right afterwards.
    pub state: Value,
    /// Kept beside the state.
    pub private: Private,
    /// What is told to the user.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
}

/// A state that another resource type, maybe of another provider, has written.
#[derive(Debug)]
pub struct Move {
    /// Address of the provider: `registry.example/ns/name`.
    pub source_provider: String,
    /// Type of the resource there.
    pub source_type: String,
    /// Version of its schema there.
    pub source_version: i64,
    /// Its state there.
    pub source_state: serde_json::Value,
    /// Its state here; null says that it cannot be moved.
    pub state: Value,
    /// What is told to the user.
    pub diagnostics: Diagnostics,
}

/// A managed resource.
#[async_trait]
pub trait Resource: Send + Sync {
    /// What its configuration may say and its state holds.
    fn schema(&self) -> Schema;

    /// What names it apart from its state.
    fn identity(&self) -> Option<Identity> {
        None
    }

    /// The identity that belongs to a state.
    fn identity_of(&self, _state: &Value) -> Value {
        Value::Null
    }

    /// Checks a configuration beyond the schema. Values may be unknown.
    async fn validate(&self, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Changes the plan that the engine made.
    async fn plan(&self, _plan: &mut Plan) {}

    /// Makes it.
    async fn create(&self, apply: &mut Apply);

    /// Reads it again.
    async fn read(&self, read: &mut Read);

    /// Changes it.
    async fn update(&self, apply: &mut Apply);

    /// Removes it; without an error in the diagnostics it counts as gone.
    async fn delete(&self, apply: &mut Apply);

    /// Takes over one that exists.
    async fn import(&self, import: &mut Import) {
        import.diagnostics.error(
            "Import is not supported",
            "A resource of this type cannot be imported.",
        );
    }

    /// Brings a state of an older version of the schema forward, in JSON. What the present schema does not have is dropped afterwards.
    ///
    /// # Errors
    /// A text for the user, when the state cannot be brought forward.
    fn upgrade(
        &self,
        _version: i64,
        state: serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        Ok(state)
    }

    /// Takes over the state of another resource type.
    async fn move_state(&self, _from: &mut Move) {}
}

/// A data source that is read.
#[derive(Debug)]
pub struct DataRead {
    /// What the configuration says; wholly known.
    pub config: Value,
    /// What was found: the configuration at first.
    pub state: Value,
    /// Set to put the reading off to a later run; only where `deferral_allowed`.
    pub deferred: Option<DeferredReason>,
    /// Whether the host can put it off.
    pub deferral_allowed: bool,
    /// What is told to the user.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
}

/// A data source.
#[async_trait]
pub trait DataSource: Send + Sync {
    /// What its configuration may say and what is found.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the schema. Values may be unknown.
    async fn validate(&self, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Reads it.
    async fn read(&self, read: &mut DataRead);
}

/// An ephemeral resource that is opened, renewed or closed.
#[derive(Debug)]
pub struct Ephemeral {
    /// What the configuration says; null when renewed or closed.
    pub config: Value,
    /// What was opened: the configuration at first. Never stored.
    pub result: Value,
    /// Kept between opening, renewing and closing.
    pub private: Private,
    /// When it must be renewed.
    pub renew_at: Option<SystemTime>,
    /// What is told to the user.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
}

/// Something that lasts for one run and is in no state: a token, a kubeconfig.
#[async_trait]
pub trait EphemeralResource: Send + Sync {
    /// What its configuration may say and what it gives.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the schema.
    async fn validate(&self, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Opens it.
    async fn open(&self, ephemeral: &mut Ephemeral);

    /// Makes it last longer.
    async fn renew(&self, _ephemeral: &mut Ephemeral) {}

    /// Gives it back.
    async fn close(&self, _ephemeral: &mut Ephemeral) {}
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name in documentation.
    pub name: &'static str,
    /// Its type.
    pub of: Type,
    /// Whether null may be given.
    pub nullable: bool,
    /// What it is.
    pub description: &'static str,
}

/// What a function takes and gives.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Parameters in order.
    pub parameters: Vec<Parameter>,
    /// What any further arguments are.
    pub variadic: Option<Parameter>,
    /// What it gives.
    pub returns: Type,
    /// In a sentence.
    pub summary: &'static str,
    /// In Markdown.
    pub description: &'static str,
}

/// Why a function has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// What is wrong.
    pub text: String,
    /// Which argument, from 0.
    pub argument: Option<i64>,
}

impl FunctionError {
    /// What is wrong with an argument, from 0.
    pub fn argument(index: i64, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(index),
        }
    }
}

/// A pure function: the same arguments give the same result, nothing is contacted.
pub trait Function: Send + Sync {
    /// What it takes and gives.
    fn signature(&self) -> Signature;

    /// Calls it with as many known arguments as the signature says.
    ///
    /// # Errors
    /// When the arguments have no result.
    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError>;
}

/// A resource that a list found.
#[derive(Debug)]
pub struct Listed {
    /// What names it.
    pub identity: Value,
    /// What people call it.
    pub display_name: String,
    /// Its state; null where none was asked for.
    pub state: Value,
}

/// Finds existing resources of a type.
#[async_trait]
pub trait ListResource: Send + Sync {
    /// What its configuration may say.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the schema.
    async fn validate(&self, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Finds at most `limit` resources, with their states if asked for.
    async fn list(
        &self,
        config: &Value,
        with_state: bool,
        limit: i64,
        diagnostics: &mut Diagnostics,
        cancel: &Cancel,
    ) -> Vec<Listed>;
}

/// An action that runs.
#[derive(Debug)]
pub struct Invocation {
    /// What the configuration says.
    pub config: Value,
    /// What is told to the user at the end.
    pub diagnostics: Diagnostics,
    /// Asks to end early.
    pub cancel: Cancel,
    pub(crate) progress: Progress,
}

impl Invocation {
    /// Tells the user how far it is.
    pub fn progress(&self, message: impl Into<String>) {
        self.progress.say(message.into());
    }
}

/// Something that is done, and leaves no state.
#[async_trait]
pub trait Action: Send + Sync {
    /// What its configuration may say.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the schema.
    async fn validate(&self, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Does it.
    async fn invoke(&self, invocation: &mut Invocation);
}
