// SPDX-License-Identifier: Apache-2.0
//! Lists: what is there now, or was at a version, page by page.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use k1s_core::base64_text;
use k1s_core::field::quote;
use k1s_core::kinds::Kind;
use k1s_core::status::Status;
use k1s_store::{Error, ListRequest, Revision};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::{Answer, Include, List};
use crate::api::{Api, Exchange};
use crate::negotiate::Forms;
use crate::options::{ListOptions, Version};
use crate::route::Target;
use crate::selection::Selection;
use crate::storage;

/// Answers with a list, or with a watch if the options say so.
pub(crate) fn list_or_watch(
    api: &Api,
    target: &Target,
    exchange: &Exchange,
) -> Result<Answer, Status> {
    // what is asked for is only looked at when it can be answered
    let output = exchange.output(Forms::List)?;
    let options = ListOptions::parse(&exchange.query, target.legacy_watch)?;
    let mut selection = Selection::parse(
        target.kind,
        &options.label_selector,
        &options.field_selector,
    )?;
    if !target.name.is_empty() {
        selection = selection.named(&target.name);
    }
    let output = if options.watch {
        exchange.output(Forms::Watch)?
    } else {
        output
    };
    let include = Include::parse(&exchange.query, output)?;
    if options.watch {
        return super::watch::watch(api, target, &options, selection, output, include);
    }
    let list = list(api, target.kind, &target.namespace, &options, &selection)?;
    Ok(Answer::List {
        list,
        output,
        include,
    })
}

/// The selected objects, as the options ask for them.
pub(crate) fn list(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    options: &ListOptions,
    selection: &Selection,
) -> Result<List, Status> {
    let mut request = ListRequest::new(api.storage().prefix(kind, namespace)?);
    let mut told = None;
    if options.continue_token.is_empty() {
        match options.version {
            Version::Newest | Version::Any => {}
            Version::Exact(version) => request.at = Some(Revision(version)),
            Version::NotOlderThan(version) => {
                let current = api.storage().store.revision().map_err(storage::failure)?.0;
                if version > current {
                    return Err(storage::too_large(version, current));
                }
            }
        }
    } else {
        let token = Token::decode(&options.continue_token)?;
        if token.rv > 0 {
            request.at = Some(Revision(token.rv.unsigned_abs()));
        }
        request.from = Some(token.from(namespace));
        told = Some(token);
    }
    if let (Some(name), false) = (
        selection.only_name(),
        namespace.is_empty() && kind.namespaced,
    ) {
        // one name at the present is one read
        if request.at.is_none() && request.from.is_none() {
            return single(api, kind, namespace, name, selection);
        }
    }
    let mut items: Vec<Bytes> = Vec::new();
    let mut last = None;
    let mut more = false;
    let mut broken = None;
    let scanned = api.storage().store.scan(&request, &mut |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                broken = Some(error);
                return ControlFlow::Break(());
            }
        };
        // whether there are more is not asked of the selection: the next page may be empty
        if options.limit.is_some_and(|limit| items.len() >= limit) {
            more = true;
            return ControlFlow::Break(());
        }
        if !selection.matches(entry.value()) {
            return ControlFlow::Continue(());
        }
        items.push(entry.to_bytes());
        if options.limit.is_some() {
            let (own, name) = entry.namespace_and_name();
            last = Some((own.to_owned(), name.to_owned()));
        }
        ControlFlow::Continue(())
    });
    let revision = match scanned {
        Ok(revision) => revision,
        Err(Error::Compacted { .. }) => return Err(expired(told.as_ref())),
        Err(other) => return Err(storage::failure(other)),
    };
    if let Some(error) = broken {
        return Err(storage::failure(error));
    }
    let mut metadata = json!({"resourceVersion": revision.0.to_string()});
    if let (true, Some(last)) = (more, last) {
        let start = if namespace.is_empty() && kind.namespaced {
            format!("{}/{}\0", last.0, last.1)
        } else {
            format!("{}\0", last.1)
        };
        let token = Token {
            v: VERSION.into(),
            rv: i64::try_from(revision.0).unwrap_or(i64::MAX),
            start,
        };
        metadata["continue"] = token.encode().into();
        if selection.is_everything() {
            request.at = Some(revision);
            request.from = Some(token.from(namespace));
            metadata["remainingItemCount"] = api
                .storage()
                .store
                .count(&request)
                .map_err(storage::failure)?
                .into();
        }
    }
    Ok(List {
        kind,
        items,
        metadata,
    })
}

fn single(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    selection: &Selection,
) -> Result<List, Status> {
    let revision = api.storage().store.revision().map_err(storage::failure)?;
    let found = api
        .storage()
        .get(kind, namespace, name)?
        .filter(|s| selection.matches(&s.bytes));
    // the object may be newer than the revision that was read before it
    let revision = found
        .as_ref()
        .map_or(revision, |s| s.revision.max(revision));
    let items = found.into_iter().map(|s| s.bytes).collect();
    Ok(List {
        kind,
        items,
        metadata: json!({"resourceVersion": revision.0.to_string()}),
    })
}

/// 410 for a page whose version is gone, with a token that goes on at the present.
fn expired(token: Option<&Token>) -> Status {
    let mut status = storage::too_old();
    if let Some(token) = token {
        status.message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without \
                          the continue parameter, or use the continue token in this response to retrieve the remainder of the results. \
                          Continuing with the provided token results in an inconsistent list - objects that were created, modified, or \
                          deleted between the time the first chunk was returned and now may show up in the list."
            .into();
        let fresh = Token {
            v: VERSION.into(),
            rv: -1,
            start: token.start.clone(),
        };
        status.continue_token = Some(fresh.encode());
    }
    status
}

const VERSION: &str = "meta.k8s.io/v1";

/// Where the next page begins: the form of Kubernetes' continue token.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

impl Token {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a token.
    pub(crate) fn decode(text: &str) -> Result<Self, Status> {
        let bad = |why: String| {
            Status::bad_request(format!(
                "invalid continue token: continue key is not valid: {why}"
            ))
        };
        let bytes = base64_text::decode_bare(text).map_err(|e| bad(e.to_string()))?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if token.v != VERSION {
            return Err(bad(format!(
                "server does not recognize this encoded version {}",
                token.v
            )));
        }
        if token.rv == 0 {
            return Err(bad(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)".into(),
            ));
        }
        if token.start.is_empty() || !token.start.ends_with('\0') {
            return Err(bad(
                "encoded start key empty (version meta.k8s.io/v1)".into()
            ));
        }
        if token.start.split(['/', '\0']).any(|part| part == "..") {
            return Err(bad(quote(&token.start)));
        }
        Ok(token)
    }

    /// Where the page begins, as the store has its keys below what is listed: those of cluster-scoped objects begin with a slash.
    fn from(&self, namespace: &str) -> String {
        if namespace.is_empty() && !self.start.contains('/') {
            format!("/{}", self.start)
        } else {
            self.start.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_again() {
        let token = Token {
            v: VERSION.into(),
            rv: 7,
            start: "n/a\0".into(),
        };
        let again = Token::decode(&token.encode()).unwrap();
        assert_eq!((again.rv, again.start.as_str()), (7, "n/a\0"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "nonsense",
            "bm9uc2Vuc2U",
            "e30",
            "",
            "e",
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi94XHUwMDAwIn0",
        ] {
            assert_eq!(Token::decode(text).unwrap_err().code, 400, "{text}");
        }
    }
}
