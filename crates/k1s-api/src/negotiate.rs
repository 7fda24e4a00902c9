// SPDX-License-Identifier: Apache-2.0
//! What form of answer a client accepts: JSON or YAML, whole objects, tables or metadata alone.

use http::{HeaderMap, HeaderValue};
use k1s_core::status::{Details, Status};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
}

/// What an answer holds of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects as they are.
    Whole,
    /// A `Table`.
    Table(MetaVersion),
    /// `PartialObjectMetadata`
    Metadata(MetaVersion),
    /// `PartialObjectMetadataList`
    MetadataList(MetaVersion),
}

/// Version of `meta.k8s.io` in which a [`Form`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaVersion {
    /// `meta.k8s.io/v1`
    V1,
    /// `meta.k8s.io/v1beta1`
    V1Beta1,
}

impl MetaVersion {
    /// The `apiVersion` of such an answer.
    #[must_use]
    pub(crate) const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// The form and the writing of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// How it is written.
    pub encoding: Encoding,
    /// What it holds.
    pub form: Form,
    /// Whether the client asked for indented JSON.
    pub pretty: bool,
}

impl Output {
    /// Plain JSON.
    pub(crate) const JSON: Self = Self {
        encoding: Encoding::Json,
        form: Form::Whole,
        pretty: false,
    };

    /// The content type of an answer.
    #[must_use]
    pub(crate) const fn content_type(self) -> &'static str {
        match self.encoding {
            Encoding::Json => "application/json",
            Encoding::Yaml => "application/yaml",
        }
    }
}

struct Clause<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    weight: f32,
}

/// Parses an `Accept` header into its clauses, the most wanted first.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut out: Vec<Clause<'_>> = accept
        .split(',')
        .filter_map(|clause| {
            let mut parts = clause.split(';').map(str::trim);
            let (kind, subtype) = parts.next()?.split_once('/')?;
            let mut parameters = Vec::new();
            let mut weight = 1.0;
            for part in parts {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                if key == "q" {
                    weight = value.parse().unwrap_or(1.0);
                } else {
                    parameters.push((key, value));
                }
            }
            Some(Clause {
                kind: kind.trim(),
                subtype: subtype.trim(),
                parameters,
                weight,
            })
        })
        .collect();
    out.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    out
}

/// The forms that an endpoint can answer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forms {
    /// Objects: whole, as tables, as metadata.
    Objects,
    /// A list of objects.
    List,
    /// Objects that have no table, such as a `Scale`.
    NoTable,
    /// A watch of objects.
    Watch,
}

/// Chooses the form of the answer.
///
/// # Errors
/// 406 when nothing that the client accepts can be given.
pub(crate) fn negotiate(headers: &HeaderMap, pretty: bool, forms: Forms) -> Result<Output, Status> {
    let json = Output {
        pretty,
        ..Output::JSON
    };
    let mut values = headers.get_all(http::header::ACCEPT).iter();
    let accept = match (values.next(), values.next()) {
        // what nearly all programs send
        (None, _) => return Ok(json),
        (Some(only), None) if only == "application/json" || only == "*/*" => return Ok(json),
        _ => {
            let values = headers.get_all(http::header::ACCEPT).iter();
            let texts: Vec<&str> = values.filter_map(|v| v.to_str().ok()).collect();
            texts.join(",")
        }
    };
    if accept.trim().is_empty() {
        return Ok(json);
    }
    let mut known = false;
    for clause in clauses(&accept) {
        let encoding = match (clause.kind, clause.subtype) {
            ("*", "*") | ("application", "json") => Encoding::Json,
            ("application", "yaml") => Encoding::Yaml,
            _ => continue,
        };
        known = true;
        if encoding == Encoding::Yaml && forms == Forms::Watch {
            continue;
        }
        if let Some(form) = form(&clause, forms) {
            return Ok(Output {
                encoding,
                form,
                pretty,
            });
        }
    }
    Err(not_acceptable(forms, known))
}

/// How a failure is written: as the client likes best, and always in some way.
#[must_use]
pub(crate) fn failure_encoding(accept: Option<&HeaderValue>) -> Encoding {
    let accept = accept.and_then(|v| v.to_str().ok()).unwrap_or_default();
    clauses(accept)
        .iter()
        // a failure is no table and no metadata
        .filter(|c| !c.parameters.iter().any(|(name, _)| *name == "as"))
        .find_map(|c| match (c.kind, c.subtype) {
            ("application", "yaml") => Some(Encoding::Yaml),
            ("application", "json") | ("*", "*") => Some(Encoding::Json),
            _ => None,
        })
        .unwrap_or(Encoding::Json)
}

fn form(clause: &Clause<'_>, forms: Forms) -> Option<Form> {
    let parameter = |name: &str| {
        clause
            .parameters
            .iter()
            .find(|(k, _)| *k == name)
            .map(|(_, v)| *v)
    };
    let said = |name: &str| parameter(name).is_some_and(|value| !value.is_empty());
    if !["as", "g", "v"].into_iter().any(said) {
        return Some(Form::Whole);
    }
    // a group and a version alone are of nothing
    let form = parameter("as")?;
    if parameter("g") != Some("meta.k8s.io") {
        return None;
    }
    let version = match parameter("v") {
        Some("v1") => MetaVersion::V1,
        Some("v1beta1") => MetaVersion::V1Beta1,
        _ => return None,
    };
    match form {
        "Table" if forms != Forms::NoTable => Some(Form::Table(version)),
        "PartialObjectMetadata" => Some(Form::Metadata(version)),
        "PartialObjectMetadataList" => Some(Form::MetadataList(version)),
        _ => None,
    }
}

/// 406 in the words of Kubernetes: `known` says whether at least the media type could be met, if not its form.
#[must_use]
pub(crate) fn not_acceptable(forms: Forms, known: bool) -> Status {
    const OBJECTS: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    const STREAMS: &str =
        "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    if known {
        let only = if forms == Forms::Watch {
            STREAMS
        } else {
            OBJECTS
        };
        return Status::new(
            406,
            "NotAcceptable",
            format!("only the following media types are accepted: {only}"),
        );
    }
    let all = match forms {
        Forms::Objects | Forms::NoTable => OBJECTS.to_owned(),
        Forms::List | Forms::Watch => format!("{OBJECTS}, {STREAMS}"),
    };
    Status::new(
        406,
        "NotAcceptable",
        format!("406: Not Acceptable\n\nAvailable representations: {all}"),
    )
    .with_details(Details::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<(Encoding, Form)>) {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, accept.parse().unwrap());
        let got = negotiate(&headers, false, Forms::Objects)
            .ok()
            .map(|o| (o.encoding, o.form));
        assert_eq!(got, expected, "{accept}");
    }

    #[test]
    fn accepts() {
        check("application/json", Some((Encoding::Json, Form::Whole)));
        check("*/*", Some((Encoding::Json, Form::Whole)));
        check("application/yaml", Some((Encoding::Yaml, Form::Whole)));
        check("text/html", None);
        check("application/*", None);
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            Some((Encoding::Json, Form::Whole)),
        );
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some((Encoding::Json, Form::Table(MetaVersion::V1))),
        );
        check(
            "application/json;as=Nothing;v=v1;g=meta.k8s.io,application/json",
            Some((Encoding::Json, Form::Whole)),
        );
        check("application/json;as=", Some((Encoding::Json, Form::Whole)));
        check("application/json;g=meta.k8s.io;v=v1", None);
        check(
            "application/json;q=0.5,application/yaml",
            Some((Encoding::Yaml, Form::Whole)),
        );
    }
}
