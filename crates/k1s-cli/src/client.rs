// SPDX-License-Identifier: Apache-2.0
//! Requests as commands make them: a path and a query in, JSON or a refusal out; warnings of the server are shown on the way.
//!
//! Entry points: [`Call`], [`Context::call`], [`Context::open`].

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt as _;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Refusal, Result, Unreachable};
use crate::transport::Body;

/// What a query or a path segment may not hold as it is.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'=')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b';')
    .add(b',')
    .add(b'!')
    .add(b'(')
    .add(b')')
    .add(b'\\')
    .add(b'^')
    .add(b'|')
    .add(b'[')
    .add(b']');

/// A part of a path or a query, escaped.
#[must_use]
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The `Accept` of a table.
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    accept: &'static str,
    content: &'static str,
    body: Bytes,
}

impl Call {
    /// A request to a path, which holds no characters that need escaping.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            accept: "application/json",
            content: "",
            body: Bytes::new(),
        }
    }

    /// GET.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A request with JSON in it.
    #[must_use]
    pub fn with_json(method: Method, path: impl Into<String>, body: &Value) -> Self {
        Self::new(method, path).body("application/json", body.to_string())
    }

    /// The call with this body.
    #[must_use]
    pub fn body(mut self, content: &'static str, body: impl Into<Bytes>) -> Self {
        self.content = content;
        self.body = body.into();
        self
    }

    /// The call with a part of the query; empty values are left out.
    #[must_use]
    pub fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.query.push((key, value));
        }
        self
    }

    /// The call with another `Accept`.
    #[must_use]
    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Path and query; the keys of the query are sorted, as kubectl's are.
    #[must_use]
    pub fn target(&self) -> String {
        let mut query = self.query.clone();
        query.sort_by_key(|(key, _)| *key);
        let mut out = self.path.clone();
        let mut before = if out.contains('?') { '&' } else { '?' };
        for (key, value) in query {
            out.push(before);
            out.push_str(key);
            out.push('=');
            out.push_str(&escape(&value));
            before = '&';
        }
        out
    }
}

/// A whole answer that is a success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP code.
    pub code: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// All bytes.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Error::message(format!("the answer is not JSON: {e}")))
    }
}

impl Context {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When no server answers, or the API refuses.
    pub async fn call(&self, call: &Call) -> Result<Answer> {
        let started = std::time::Instant::now();
        let limit = self.timeout()?;
        let all = async {
            let answer = self.open(call).await?;
            let (head, body) = answer.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(e) => return Err(self.lost(call, &e.to_string())),
            };
            Ok(Answer {
                code: head.status.as_u16(),
                headers: head.headers,
                body,
            })
        };
        match limit {
            None => all.await,
            Some(limit) => {
                let late = || Error::Text("context deadline exceeded".to_owned());
                // An API in this process may answer before a timer is looked at.
                if started.elapsed() >= limit {
                    return Err(late());
                }
                tokio::time::timeout(limit, all)
                    .await
                    .unwrap_or_else(|_| Err(late()))
            }
        }
    }

    /// Sends a request and reads the answer as JSON.
    ///
    /// # Errors
    /// When no server answers, the API refuses, or the answer is not JSON.
    pub async fn json(&self, call: &Call) -> Result<Value> {
        self.call(call).await?.json()
    }

    /// Asks for one object of a namespace. Where it is missing because its namespace is, that is what is said.
    ///
    /// # Errors
    /// As [`Context::json`].
    pub async fn object(&self, call: &Call, namespace: &str) -> Result<Value> {
        let missing = match self.json(call).await {
            Err(e) if e.is_not_found() && !namespace.is_empty() && namespace != "default" => e,
            outcome => return outcome,
        };
        let path = format!("/api/v1/namespaces/{}", escape(namespace));
        match self.json(&Call::get(path)).await {
            Err(e) if e.is_not_found() => Err(e),
            _ => Err(missing),
        }
    }

    /// Sends a request; a refusal is read and is an error, a success is left to be read.
    ///
    /// # Errors
    /// When no server answers, or the API refuses.
    pub async fn open(&self, call: &Call) -> Result<Response<Body>> {
        let transport = self.transport()?;
        let request = self.request(call)?;
        let answer = transport.send(request).await?;
        self.show_warnings(answer.headers());
        let code = answer.status();
        if code.is_success() {
            return Ok(answer);
        }
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|e| self.lost(call, &e.to_string()))?
            .to_bytes();
        Err(Error::Api(Box::new(Refusal::from_answer(
            code.as_u16(),
            &body,
        ))))
    }

    pub(crate) fn request(&self, call: &Call) -> Result<http::Request<Bytes>> {
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(call.target())
            .body(call.body.clone())
            .map_err(|e| Error::message(format!("{}: {e}", call.path)))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(call.accept));
        if !call.content.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(call.content));
        }
        self.impersonate(headers)?;
        Ok(request)
    }

    fn impersonate(&self, headers: &mut HeaderMap) -> Result {
        let flags = self.globals();
        let value = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| Error::message(format!("{text:?} cannot be sent in a header")))
        };
        if !flags.text("as").is_empty() {
            headers.insert("impersonate-user", value(flags.text("as"))?);
        }
        if !flags.text("as-uid").is_empty() {
            headers.insert("impersonate-uid", value(flags.text("as-uid"))?);
        }
        for group in flags.list("as-group") {
            headers.append("impersonate-group", value(&group)?);
        }
        for extra in flags.list("as-user-extra") {
            if let Some((key, text)) = extra.split_once('=') {
                let name = format!("impersonate-extra-{}", escape(&key.to_lowercase()));
                let name = http::HeaderName::try_from(name)
                    .map_err(|_| Error::message(format!("{key:?} cannot be sent in a header")))?;
                headers.append(name, value(text)?);
            }
        }
        Ok(())
    }

    pub(crate) fn lost(&self, call: &Call, why: &str) -> Error {
        let address = self.transport().map(|t| t.address()).unwrap_or_default();
        Unreachable {
            method: call.method.to_string(),
            url: format!("{address}{}", call.target()),
            why: why.to_owned(),
        }
        .into()
    }

    pub(crate) fn show_warnings(&self, headers: &HeaderMap) {
        for value in headers.get_all("warning") {
            if let Some(text) = value.to_str().ok().and_then(warning_text) {
                self.warn(&text);
            }
        }
    }
}

/// The text of `299 - "text"`.
fn warning_text(header: &str) -> Option<String> {
    let quoted = header.splitn(3, ' ').nth(2)?.strip_prefix('"')?;
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            '"' => return Some(text),
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_escaped_and_sorted() {
        let call = Call::get("/api/v1/pods")
            .query("labelSelector", "app in (x, z)")
            .query("fieldSelector", "a=b")
            .query("continue", "");
        assert_eq!(
            call.target(),
            "/api/v1/pods?fieldSelector=a%3Db&labelSelector=app%20in%20%28x%2C%20z%29"
        );
        assert_eq!(Call::get("/x?a=b").query("c", "d").target(), "/x?a=b&c=d");
    }

    #[test]
    fn warnings_lose_their_quotes() {
        let check =
            |header: &str, text: Option<&str>| assert_eq!(warning_text(header).as_deref(), text);
        check(
            r#"299 - "unknown field \"spec\"""#,
            Some("unknown field \"spec\""),
        );
        check("299", None);
    }
}
