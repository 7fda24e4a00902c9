// SPDX-License-Identifier: Apache-2.0
//! What a client accepts of a discovery document.

use http::header::ACCEPT;
use k1s_core::status::Status;

use super::Request;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Yaml,
    Protobuf,
}

impl Encoding {
    const ALL: [(&'static str, &'static str, Self); 3] = [
        ("application", "json", Self::Json),
        ("application", "yaml", Self::Yaml),
        ("application", "vnd.kubernetes.protobuf", Self::Protobuf),
    ];

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// A clause of an `Accept` header.
#[derive(Debug)]
pub(super) struct Clause<'a> {
    pub(super) kind: &'a str,
    pub(super) subtype: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    weight: f32,
}

impl<'a> Clause<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .find(|(k, _)| *k == name)
            .map(|(_, v)| *v)
    }

    /// The encodings that this clause allows.
    fn encodings(&self) -> impl Iterator<Item = Encoding> {
        Encoding::ALL
            .into_iter()
            .filter(|(kind, subtype, _)| match (self.kind, self.subtype) {
                ("*", "*") => true,
                (k, "*") => k == *kind,
                (k, s) => k == *kind && s == *subtype,
            })
            .map(|(_, _, encoding)| encoding)
    }

    /// Whether the client asks for another form of the object.
    fn converts(&self) -> bool {
        ["as", "g", "v"].iter().any(|p| self.parameter(p).is_some())
    }

    fn is_aggregated(&self) -> bool {
        (
            self.parameter("g"),
            self.parameter("v"),
            self.parameter("as"),
        ) == (
            Some("apidiscovery.k8s.io"),
            Some("v2"),
            Some("APIGroupDiscoveryList"),
        )
    }

    /// `sv` names a version of the server, which nothing has; `stream` may only be `watch`.
    fn is_known(&self) -> bool {
        self.parameter("sv").is_none_or(str::is_empty)
            && matches!(self.parameter("stream"), None | Some("" | "watch"))
    }
}

/// The clauses of an `Accept` header, the most wanted first.
pub(super) fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut out: Vec<Clause<'_>> = accept.split(',').filter_map(clause).collect();
    out.sort_by(|a, b| {
        let wild = |c: &Clause<'_>| (c.kind == "*", c.subtype == "*");
        b.weight.total_cmp(&a.weight).then(wild(a).cmp(&wild(b)))
    });
    out
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = match parts.next()? {
        "*" => ("*", "*"),
        whole => whole.split_once('/')?,
    };
    let mut out = Clause {
        kind,
        subtype,
        parameters: Vec::new(),
        weight: 1.0,
    };
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if key == "q" {
            out.weight = value.parse().unwrap_or(1.0);
        } else {
            out.parameters.push((key, value));
        }
    }
    Some(out)
}

/// The encoding of a document in its usual form; `None` when no clause can be met.
pub(super) fn whole(request: &Request<'_>) -> Option<Encoding> {
    chosen(request, |c| !c.converts())
}

/// The encoding of the aggregated form; `None` when no clause asks for it.
pub(super) fn aggregated(request: &Request<'_>) -> Option<Encoding> {
    if request.header(ACCEPT).is_empty() {
        return None;
    }
    chosen(request, |c| c.is_aggregated())
}

fn chosen(request: &Request<'_>, fits: impl Fn(&Clause<'_>) -> bool) -> Option<Encoding> {
    let accept = request.header(ACCEPT);
    if accept.is_empty() {
        return Some(Encoding::Json);
    }
    clauses(accept)
        .iter()
        .filter(|c| fits(c) && c.is_known())
        .find_map(|c| c.encodings().next())
}

/// 406 when no clause can be met.
pub(super) fn not_acceptable() -> Status {
    let all = Encoding::ALL.map(|(_, _, e)| e.media_type()).join(", ");
    Status::new(
        406,
        "NotAcceptable",
        format!("only the following media types are accepted: {all}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};

    fn check(
        accept: &str,
        expected_whole: Option<Encoding>,
        expected_aggregated: Option<Encoding>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        let request = Request {
            method: &Method::GET,
            path: "/apis",
            query: "",
            headers: &headers,
            own: &[],
        };
        assert_eq!(
            (whole(&request), aggregated(&request)),
            (expected_whole, expected_aggregated),
            "{accept}"
        );
    }

    #[test]
    fn accepts() {
        use Encoding::{Json, Protobuf, Yaml};
        const V2: &str = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        check("", Some(Json), None);
        check("*/*", Some(Json), None);
        check("application/*", Some(Json), None);
        check(
            "application/yaml;q=0.5, application/vnd.kubernetes.protobuf",
            Some(Protobuf),
            None,
        );
        check("*/*, application/yaml", Some(Yaml), None);
        check("text/html", None, None);
        check("text/html, application/json;q=0.1", Some(Json), None);
        check(&format!("application/json;{V2}"), None, Some(Json));
        check(
            &format!("application/json, application/yaml;{V2}"),
            Some(Json),
            Some(Yaml),
        );
        check(
            "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
            None,
            None,
        );
        check("application/json;as=APIGroupDiscoveryList", None, None);
        check("application/json;sv=v1", None, None);
        check("application/json;charset=utf-8", Some(Json), None);
    }
}
