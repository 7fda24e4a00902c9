// SPDX-License-Identifier: Apache-2.0
//! The service: a request comes in, an answer goes out. In process it is called directly, over the network by the listener.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use k1s_core::status::{Details, Status};

use crate::answer;
use crate::api::{Api, Exchange, verb};
use crate::authorization::{Attempt, authorize};
use crate::body::Body;
use crate::clock;
use crate::content::MOST_BODY_BYTES;
use crate::discovery;
use crate::identity::{AUTHENTICATED, Identity};
use crate::namespaces;
use crate::negotiate::failure_encoding;
use crate::options::Query;
use crate::random;
use crate::route::{Route, Target, is_escaped_well, route};
use crate::system_objects;
use crate::token;

impl<B> tower::Service<Request<B>> for Api
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let api = self.clone();
        Box::pin(async move { Ok(api.answer(request).await) })
    }
}

impl Api {
    /// Answers a request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        self.prepare().await;
        let (parts, body) = request.into_parts();
        let accept = parts.headers.get(header::ACCEPT).cloned();
        let mut warnings = Vec::new();
        let mut answer = match self.try_answer(parts, body, &mut warnings).await {
            Ok(answer) => answer,
            Err(status) => answer::failure(&status, failure_encoding(accept.as_ref())),
        };
        let headers = answer.headers_mut();
        for warning in warnings {
            if let Ok(value) =
                header::HeaderValue::try_from(format!("299 - {}", quote_warning(&warning)))
            {
                headers.append(header::WARNING, value);
            }
        }
        if let Ok(id) = header::HeaderValue::try_from(random::uid()) {
            headers.insert("audit-id", id);
        }
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(header::HeaderValue::from_static("no-cache, private"));
        answer
    }

    /// Makes what is always there, before the first answer; whoever asks meanwhile waits for it.
    pub async fn prepare(&self) {
        let made = async {
            namespaces::ensure_system_namespaces(self).await;
            system_objects::ensure(self).await;
        };
        self.0.prepared.get_or_init(|| made).await;
    }

    async fn try_answer<B>(
        &self,
        mut parts: http::request::Parts,
        body: B,
        warnings: &mut Vec<String>,
    ) -> Result<Response<Body>, Status>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let now_seconds = clock::now_seconds();
        let identity = self
            .identify(&mut parts, now_seconds)?
            .impersonated(&parts.headers)?;
        let path = parts.uri.path();
        if !is_escaped_well(path) {
            return Ok(discovery::bad_request().map(Body::from));
        }
        let target = match route(path, |group, version, plural| {
            self.own_kind(group, version, plural)
        })? {
            // an own kind has no such path at all
            Route::Resource(target)
                if target.kind.custom.is_some()
                    && target.kind.namespaced
                    && target.namespace.is_empty()
                    && parts.method != Method::GET =>
            {
                return self.other(&parts, &identity);
            }
            Route::Resource(target) => target,
            Route::UnknownResource => {
                authorize_path(&identity, &parts.method, path)?;
                return Err(Status::no_such_resource());
            }
            Route::Other => return self.other(&parts, &identity),
        };
        let mut exchange = Exchange {
            query: Query::parse(parts.uri.query().unwrap_or_default()),
            uri: parts.uri,
            headers: parts.headers,
            body: Bytes::new(),
            identity,
            now_seconds,
            warnings: Vec::new(),
        };
        authorize_target(&parts.method, &target, &exchange)?;
        if parts.method != Method::GET {
            exchange.body = read(body).await?;
        }
        let result = self.act(&parts.method, &target, &mut exchange).await;
        warnings.append(&mut exchange.warnings);
        result?.into_response(now_seconds)
    }

    /// Paths that are no resources.
    fn other(
        &self,
        parts: &http::request::Parts,
        identity: &Identity,
    ) -> Result<Response<Body>, Status> {
        let path = parts.uri.path();
        authorize_path(identity, &parts.method, path)?;
        let own = if discovery::tells_of_kinds(path) {
            self.own_kinds()?
        } else {
            Vec::new()
        };
        let request = discovery::Request {
            method: &parts.method,
            path,
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            own: &own,
        };
        let fault = self.storage().store.revision().err().map(|e| e.to_string());
        let checks = [
            discovery::Check {
                name: "ping",
                fault: None,
            },
            discovery::Check {
                name: "log",
                fault: None,
            },
            discovery::Check {
                name: "etcd",
                fault,
            },
        ];
        match discovery::answer(&request, &checks) {
            Some(answer) => Ok(answer.map(Body::from)),
            None => Err(Status::no_such_resource()),
        }
    }

    /// Who asks: the certificate's owner, the token's, or nobody.
    fn identify(
        &self,
        parts: &mut http::request::Parts,
        now_seconds: i64,
    ) -> Result<Identity, Status> {
        if let Some(mut identity) = parts.extensions.remove::<Identity>() {
            if !identity.groups.iter().any(|g| g == AUTHENTICATED) {
                identity.groups.push(AUTHENTICATED.into());
            }
            return Ok(identity);
        }
        let bearer = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, token)| token.trim())
            .unwrap_or_default();
        if bearer.is_empty() {
            Ok(Identity::anonymous())
        } else {
            token::authenticate(self, bearer, now_seconds)
        }
    }
}

/// Asks for a path that is nobody's: one that stands where resources do is refused as a resource.
fn authorize_path(identity: &Identity, method: &Method, path: &str) -> Result<(), Status> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match segments.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => ("", &[][..]),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let mut attempt = Attempt::on_path(method_verb(method), path);
    if let [plural, rest @ ..] = rest {
        let name = rest.first().copied().unwrap_or_default();
        attempt = Attempt {
            verb: match (method.as_str(), name) {
                ("GET", "") => "list",
                ("POST", _) => "create",
                ("PUT", _) => "update",
                ("DELETE", "") => "deletecollection",
                _ => attempt.verb,
            },
            group,
            resource: plural,
            namespace,
            name,
            path,
        };
    }
    authorize(identity, &attempt)
}

fn authorize_target(method: &Method, target: &Target, exchange: &Exchange) -> Result<(), Status> {
    let resource = target.resource_path();
    let attempt = Attempt {
        verb: verb(method, target, exchange),
        group: target.kind.group,
        resource: &resource,
        namespace: &target.namespace,
        name: &target.name,
        // refusals about resources do not name it
        path: "",
    };
    authorize(&exchange.identity, &attempt)?;
    // Who may only read runs nothing: a WebSocket begins with GET.
    let runs = matches!(
        target.subresource.as_str(),
        "exec" | "attach" | "portforward"
    );
    if runs && method == Method::GET {
        let verb = "create";
        authorize(&exchange.identity, &Attempt { verb, ..attempt })?;
    }
    Ok(())
}

fn method_verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        _ => "",
    }
}

/// Reads a body up to the limit.
async fn read<B>(body: B) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let body = body.map_err(|e| e.to_string());
    match Limited::new(body, MOST_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {MOST_BODY_BYTES}");
            Err(Status::new(413, "RequestEntityTooLarge", message).with_details(Details::default()))
        }
        Err(error) => Err(Status::bad_request(format!(
            "the request's body ended early: {error}"
        ))),
    }
}

/// The text of a warning in double quotes (RFC 9110, quoted-string), without what a header cannot hold.
fn quote_warning(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_graphic() || c == ' ' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
