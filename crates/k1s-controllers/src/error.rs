// SPDX-License-Identifier: Apache-2.0
//! Why a reconciliation did not come to its end. Every such error is tried again.

use kube::core::response::Status;

/// A failed reconciliation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API refused a request or could not be asked.
    #[error("the API did not do what was asked")]
    Api(#[source] Box<kube::Error>),
    /// A claim of a pod could not be made.
    #[error("failed to create PVC {name}")]
    Claim {
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// An object that no rule can be applied to, such as one with a selector that cannot be read.
    #[error("{0}")]
    Object(String),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

/// Result of a reconciliation or a part of it.
pub(crate) type Result<T = (), E = Error> = std::result::Result<T, E>;

/// What can be asked of an error of the API.
pub(crate) trait Refusal {
    /// The answer, if there was one.
    fn status(&self) -> Option<&Status>;

    /// The object is not there.
    fn is_not_found(&self) -> bool {
        self.status().is_some_and(|s| s.code == 404)
    }

    /// Somebody else has written the object in the meantime.
    fn is_conflict(&self) -> bool {
        self.status()
            .is_some_and(|s| s.code == 409 && s.reason == "Conflict")
    }

    /// An object of this name is there already.
    fn is_already_exists(&self) -> bool {
        self.status().is_some_and(|s| s.reason == "AlreadyExists")
    }

    /// The namespace is being emptied, so that nothing can be made in it any more.
    fn is_namespace_terminating(&self) -> bool {
        self.status().is_some_and(|s| {
            s.details
                .as_ref()
                .is_some_and(|d| d.causes.iter().any(|c| c.reason == "NamespaceTerminating"))
        })
    }
}

impl Refusal for kube::Error {
    fn status(&self) -> Option<&Status> {
        match self {
            Self::Api(status) => Some(status),
            _ => None,
        }
    }
}

impl Refusal for Error {
    fn status(&self) -> Option<&Status> {
        match self {
            Self::Api(error) | Self::Claim { source: error, .. } => error.status(),
            Self::Object(_) => None,
        }
    }
}

/// What the API said, in the words that Kubernetes' controllers put into events and conditions.
pub(crate) fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
