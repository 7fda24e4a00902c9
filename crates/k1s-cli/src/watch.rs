// SPDX-License-Identifier: Apache-2.0
//! Watches: the events of a stream, one by one.

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use k1s_core::object::text;
use serde_json::Value;

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Refusal, Result};
use crate::transport::Body;

/// An event: `ADDED`, `MODIFIED`, `DELETED`, and the object (or the table) it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The type.
    pub kind: String,
    /// The object, as the request's `Accept` wants it.
    pub object: Value,
}

/// A watch that goes on.
pub struct Watch {
    body: Body,
    buffer: BytesMut,
}

impl Watch {
    /// Starts a watch; the call is that of a list, without `watch` and `limit`.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn start(cx: &Context, call: Call, resource_version: &str) -> Result<Self> {
        let call = call
            .query("watch", "true")
            .query("resourceVersion", resource_version);
        let answer = cx.open(&call).await?;
        Ok(Self {
            body: answer.into_body(),
            buffer: BytesMut::new(),
        })
    }

    /// The next event; none when the API ends the watch. Bookmarks are left out.
    ///
    /// # Errors
    /// When the API says so, or the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(end + 1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                if let Some(event) = read(&line)? {
                    return Ok(Some(event));
                }
            }
            match self.body.frame().await {
                None => {
                    let rest = self.buffer.split();
                    return if rest.iter().all(u8::is_ascii_whitespace) {
                        Ok(None)
                    } else {
                        read(&rest)
                    };
                }
                Some(Err(e)) => return Err(Error::message(format!("the watch was lost: {e}"))),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }
}

fn read(line: &[u8]) -> Result<Option<Event>> {
    let mut value: Value = serde_json::from_slice(line).map_err(|e| {
        Error::message(format!(
            "unable to decode an event from the watch stream: {e}"
        ))
    })?;
    let object = value["object"].take();
    let kind = text(&value, &["type"]).to_owned();
    match kind.as_str() {
        "BOOKMARK" => Ok(None),
        "ERROR" => {
            let code = object["code"]
                .as_u64()
                .and_then(|c| u16::try_from(c).ok())
                .unwrap_or(500);
            Err(Error::Api(Box::new(Refusal::from_answer(
                code,
                object.to_string().as_bytes(),
            ))))
        }
        _ => Ok(Some(Event { kind, object })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_bookmarks_and_errors() {
        let event = read(br#"{"type":"ADDED","object":{"a":1}}"#)
            .unwrap()
            .unwrap();
        assert_eq!(
            (event.kind.as_str(), event.object["a"].as_i64()),
            ("ADDED", Some(1))
        );
        assert_eq!(read(br#"{"type":"BOOKMARK","object":{}}"#).unwrap(), None);
        let gone = br#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        assert_eq!(
            read(gone).unwrap_err().render(),
            "Error from server (Expired): too old\n"
        );
    }
}
