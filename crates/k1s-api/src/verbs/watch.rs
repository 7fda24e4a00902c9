// SPDX-License-Identifier: Apache-2.0
//! Watches: what is there, if it was asked for, then every change, as a stream of JSON lines.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use k1s_core::decode;
use k1s_core::kinds::Kind;
use k1s_core::object;
use k1s_core::status::Status;
use k1s_store::{Event, EventKind, Revision, Watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep};

use crate::answer::{self, Answer, Include};
use crate::api::Api;
use crate::body::{Body, BodyError};
use crate::clock;
use crate::convert;
use crate::encode;
use crate::negotiate::{Form, Output};
use crate::options::{ListOptions, Version};
use crate::random;
use crate::route::Target;
use crate::selection::Selection;
use crate::storage;

/// A watch without a timeout of its own ends after this time, and up to twice that.
const LONGEST: Duration = Duration::from_secs(1800);
/// Bookmarks come so often.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// A bookmark comes so long before the end of a watch.
const BEFORE_END: Duration = Duration::from_secs(2);
/// Events that are ready together are sent together, up to this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Answers with a watch.
pub(crate) fn watch(
    api: &Api,
    target: &Target,
    options: &ListOptions,
    selection: Selection,
    output: Output,
    include: Include,
) -> Result<Answer, Status> {
    let kind = target.kind;
    let initial = wants_initial(options);
    let (items, from) = if initial {
        let now = ListOptions {
            limit: None,
            continue_token: String::new(),
            version: Version::Newest,
            watch: false,
            timeout: None,
            bookmarks: false,
            send_initial_events: None,
            label_selector: String::new(),
            field_selector: String::new(),
        };
        let list = super::list::list(api, kind, &target.namespace, &now, &selection)?;
        let from = object::text(&list.metadata, &["resourceVersion"])
            .parse()
            .unwrap_or(0);
        if let Version::NotOlderThan(version) = options.version
            && version > from
        {
            let mut status = storage::too_large(version, from);
            status.message = format!("Timeout: {}", status.message);
            return Ok(answer(OneLine(Some(error_line(&status)))));
        }
        (list.items.into(), from)
    } else {
        let current = api.storage().store.revision().map_err(storage::failure)?.0;
        let from = match options.version {
            Version::NotOlderThan(version) | Version::Exact(version) => version,
            Version::Newest | Version::Any => current,
        };
        (VecDeque::new(), from)
    };
    let current = api.storage().store.revision().map_err(storage::failure)?;
    let prefix = match selection.only_name() {
        Some(name) if !target.namespace.is_empty() || !kind.namespaced => api
            .storage()
            .key(kind, &target.namespace, name)
            .map(|key| k1s_store::Prefix::object(&key)),
        _ => api.storage().prefix(kind, &target.namespace),
    };
    // a name that cannot be one has no events
    let watcher = match prefix {
        Ok(prefix) => Some(
            api.storage()
                .store
                .watch(&prefix, Revision(from).min(current)),
        ),
        Err(_) => None,
    };
    let mut ready = VecDeque::new();
    let watcher = match watcher {
        Some(Ok(watcher)) => Some(watcher),
        Some(Err(k1s_store::Error::Compacted { .. })) => {
            ready.push_back(error_line(&expired(from)));
            return Ok(answer(OneLine(ready.pop_front())));
        }
        Some(Err(other)) => return Err(storage::failure(other)),
        None => None,
    };
    let timeout = options
        .timeout
        .unwrap_or_else(|| LONGEST + Duration::from_secs(random::below(1800).into()));
    let end = Instant::now() + timeout;
    let first_bookmark = if timeout > BEFORE_END + Duration::from_secs(1) {
        (Instant::now() + BOOKMARK_EVERY).min(end - BEFORE_END)
    } else {
        end
    };
    let silent = matches!(output.form, Form::MetadataList(_));
    let stream = Watch {
        kind,
        items,
        end_of_initial: options.send_initial_events == Some(true) && options.bookmarks,
        bookmarks: options.bookmarks,
        opening: format!("\"object\":{}", encode::opening(kind, kind.kind)),
        plain: output.form == Form::Whole && convert::is_stored_as_is(kind),
        silent,
        headers_sent: false,
        output,
        include,
        selection,
        watcher,
        // events up to a version of the future are not sent
        after: Revision(from),
        end,
        next_bookmark: first_bookmark,
        timer: Box::pin(tokio::time::sleep_until(first_bookmark.min(end))),
        ended: false,
    };
    Ok(answer(stream))
}

fn answer(events: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Answer {
    Answer::Stream {
        content_type: "application/json",
        body: Body::stream(events),
    }
}

/// Whether the present state comes as events first.
fn wants_initial(options: &ListOptions) -> bool {
    match options.send_initial_events {
        Some(wanted) => wanted,
        None => matches!(options.version, Version::Newest | Version::Any),
    }
}

fn expired(version: u64) -> Status {
    Status::new(
        410,
        "Expired",
        format!("too old resource version: {version}"),
    )
}

fn error_line(status: &Status) -> Bytes {
    let mut line = serde_json::to_vec(&json!({"type": "ERROR", "object": status.to_json()}))
        .unwrap_or_default();
    line.push(b'\n');
    line.into()
}

struct OneLine(Option<Bytes>);

impl Stream for OneLine {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

struct Watch {
    kind: &'static Kind,
    /// What is there, yet to be sent.
    items: VecDeque<Bytes>,
    /// Whether a bookmark says where the present state ends.
    end_of_initial: bool,
    bookmarks: bool,
    opening: String,
    /// Whether stored bytes are sent as they are.
    plain: bool,
    /// Whether nothing is sent, because the form is one that a watch does not have.
    silent: bool,
    /// Whether the columns of a table have been told.
    headers_sent: bool,
    output: Output,
    include: Include,
    selection: Selection,
    watcher: Option<Watcher>,
    after: Revision,
    end: Instant,
    next_bookmark: Instant,
    timer: Pin<Box<Sleep>>,
    ended: bool,
}

impl Stream for Watch {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let mut chunk = BytesMut::new();
        while chunk.len() < CHUNK_BYTES {
            if let Some(item) = this.items.pop_front() {
                this.line(&mut chunk, "ADDED", &item);
                continue;
            }
            if std::mem::take(&mut this.end_of_initial) {
                let revision = this.after;
                this.bookmark(&mut chunk, revision, true);
                continue;
            }
            let Some(watcher) = &mut this.watcher else {
                break;
            };
            match Pin::new(watcher).poll_next(cx) {
                Poll::Ready(Some(Ok(event))) => {
                    if event.revision > this.after {
                        this.event(&mut chunk, &event);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let status = match error {
                        k1s_store::Error::Compacted { .. } => expired(this.after.0),
                        other => storage::failure(other),
                    };
                    chunk.extend_from_slice(&error_line(&status));
                    this.ended = true;
                    break;
                }
                Poll::Ready(None) => {
                    this.ended = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if !chunk.is_empty() {
            return Poll::Ready(Some(Ok(chunk.freeze())));
        }
        if this.ended {
            return Poll::Ready(None);
        }
        while this.timer.as_mut().poll_elapsed(cx) {
            let now = Instant::now();
            if now >= this.end {
                this.ended = true;
                return Poll::Ready(None);
            }
            this.next_bookmark = now + BOOKMARK_EVERY;
            this.timer.as_mut().reset(this.next_bookmark.min(this.end));
            if this.bookmarks {
                let revision = this
                    .watcher
                    .as_ref()
                    .map_or(this.after, Watcher::progress)
                    .max(this.after);
                this.bookmark(&mut chunk, revision, false);
                return Poll::Ready(Some(Ok(chunk.freeze())));
            }
        }
        Poll::Pending
    }
}

/// Polling a timer as a question.
trait Elapsed {
    fn poll_elapsed(self, cx: &mut Context<'_>) -> bool;
}

impl Elapsed for Pin<&mut Sleep> {
    fn poll_elapsed(self, cx: &mut Context<'_>) -> bool {
        self.poll(cx).is_ready()
    }
}

impl Watch {
    fn event(&mut self, chunk: &mut BytesMut, event: &Arc<Event>) {
        let now = self.selection.matches(&event.value);
        match event.kind {
            EventKind::Created if now => self.line(chunk, "ADDED", &event.value),
            EventKind::Deleted if now => self.line(chunk, "DELETED", &event.value),
            EventKind::Updated => {
                let before = event
                    .previous
                    .as_ref()
                    .filter(|p| self.selection.is_everything() || self.selection.matches(p));
                match (now, before) {
                    (true, Some(_)) => self.line(chunk, "MODIFIED", &event.value),
                    (true, None) => self.line(chunk, "ADDED", &event.value),
                    (false, Some(previous)) => {
                        let last = with_version(previous, event.revision);
                        self.line(chunk, "DELETED", &last);
                    }
                    (false, None) => {}
                }
            }
            EventKind::Created | EventKind::Deleted => {}
            EventKind::Lost => chunk.extend_from_slice(&error_line(&Status::internal(
                "saw a DELETED event, but object data is corrupt",
            ))),
        }
        self.after = event.revision;
    }

    fn line(&mut self, chunk: &mut BytesMut, what: &str, stored: &[u8]) {
        if self.silent {
            return;
        }
        if self.plain {
            chunk.reserve(stored.len() + self.opening.len() + 32);
            chunk.extend_from_slice(b"{\"type\":\"");
            chunk.extend_from_slice(what.as_bytes());
            chunk.extend_from_slice(b"\",");
            chunk.extend_from_slice(self.opening.as_bytes());
            chunk.extend_from_slice(stored.get(1..).unwrap_or(b"}"));
            chunk.extend_from_slice(b"}\n");
            return;
        }
        match answer::shaped(
            self.kind,
            stored,
            self.output.form,
            self.include,
            clock::now_seconds(),
        ) {
            Ok(value) => self.value(chunk, what, value),
            Err(status) => chunk.extend_from_slice(&error_line(&status)),
        }
    }

    fn value(&mut self, chunk: &mut BytesMut, what: &str, mut value: Value) {
        if matches!(self.output.form, Form::Table(_))
            && std::mem::replace(&mut self.headers_sent, true)
        {
            value["columnDefinitions"] = Value::Null;
        }
        chunk.extend_from_slice(
            &serde_json::to_vec(&json!({"type": what, "object": value})).unwrap_or_default(),
        );
        chunk.extend_from_slice(b"\n");
    }

    /// A bookmark has the form of the events: an object of the kind with nothing in it, its metadata, or a table.
    fn bookmark(&mut self, chunk: &mut BytesMut, revision: Revision, ends_initial: bool) {
        if self.silent {
            return;
        }
        let mut metadata = json!({"resourceVersion": revision.0.to_string()});
        if ends_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let value = match self.output.form {
            Form::Whole => {
                let mut value = json!({"metadata": metadata});
                if self.kind.custom.is_none() {
                    // an empty object always decodes
                    let _ = decode::decode(self.kind.schema, &mut value);
                }
                value["apiVersion"] = self.kind.api_version().into();
                value["kind"] = self.kind.kind.into();
                value
            }
            Form::Metadata(version) | Form::MetadataList(version) => {
                json!({"apiVersion": version.api_version(), "kind": "PartialObjectMetadata", "metadata": metadata})
            }
            Form::Table(version) => {
                let object = json!({"apiVersion": version.api_version(), "kind": "PartialObjectMetadata", "metadata": metadata});
                let cells = vec![Value::Null; self.kind.columns.len()];
                answer::table(
                    self.kind.columns,
                    version,
                    json!({"resourceVersion": revision.0.to_string()}),
                    vec![json!({"cells": cells, "object": object})],
                )
            }
        };
        self.value(chunk, "BOOKMARK", value);
    }
}

/// A stored object with another version in it.
fn with_version(stored: &[u8], revision: Revision) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(stored) else {
        return stored.to_vec();
    };
    object::set(
        &mut value,
        &["metadata", "resourceVersion"],
        revision.0.to_string(),
    );
    serde_json::to_vec(&value).unwrap_or_default()
}
