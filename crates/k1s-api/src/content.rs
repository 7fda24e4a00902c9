// SPDX-License-Identifier: Apache-2.0
//! From the body of a request to an object of a kind.

use http::HeaderMap;
use k1s_core::field::{Errors, quote};
use k1s_core::kinds::{self, Kind};
use k1s_core::status::Status;
use k1s_core::{decode, json, yaml};
use serde_json::Value;

use crate::options::FieldValidation;

/// Bodies of objects may have this many bytes.
pub(crate) const MOST_BODY_BYTES: usize = 3 * 1024 * 1024;

/// The media types that an object may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
}

/// The media type of a request's body.
///
/// # Errors
/// 415 for what cannot be read.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<MediaType, Status> {
    let given = headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| !value.is_empty());
    match essence(headers).as_str() {
        "" if !given => Ok(MediaType::Json),
        "application/json" => Ok(MediaType::Json),
        "application/yaml" => Ok(MediaType::Yaml),
        _ => Err(Status::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// The `Content-Type` of a request without its parameters.
#[must_use]
pub(crate) fn essence(headers: &HeaderMap) -> String {
    let value = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The `Content-Type` of a patch: as it is spelled, without its parameters.
#[must_use]
pub(crate) fn patch_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default()
}

/// A document that was read, with the paths of keys that stand in it twice.
#[derive(Debug)]
pub(crate) struct Document {
    /// The value.
    pub value: Value,
    /// What is to be said of keys that were given twice; the last one counts.
    pub duplicates: Vec<String>,
}

/// Reads a body as JSON or YAML.
///
/// # Errors
/// The words of the reader.
pub(crate) fn read(media: MediaType, body: &[u8]) -> Result<Document, String> {
    match media {
        MediaType::Json => {
            let document =
                json::read_document(body, json::Limits::default()).map_err(|e| e.to_string())?;
            Ok(Document {
                value: document.value,
                duplicates: document.duplicates.iter().map(|d| twice(d)).collect(),
            })
        }
        MediaType::Yaml => {
            let document =
                yaml::read_document(body, json::Limits::default()).map_err(|e| e.to_string())?;
            Ok(Document {
                value: document.value,
                duplicates: document
                    .duplicates
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            })
        }
    }
}

/// Reads an object of a kind from a body and decodes it. The object has `apiVersion` and `kind` afterwards.
///
/// # Errors
/// 400 for what cannot be read or is of another kind, 415 for a media type that is not known.
pub(crate) fn object(
    expected: &Expected,
    headers: &HeaderMap,
    body: &[u8],
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<Value, Status> {
    let media = media_type(headers)?;
    let document = read(media, body).map_err(|words| {
        let what = if media == MediaType::Json { "json parse error: " } else { "" };
        let shown = if body.is_empty() { "<empty>".into() } else { excerpt(body) };
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; {what}{words} ({shown})",
            expected.kind
        ))
    })?;
    let mut value = document.value;
    if value.is_null() {
        // says nothing, so everything is as if it were absent
        value = Value::Object(serde_json::Map::new());
    }
    if !value.is_object() {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {} ({})",
            expected.kind,
            no_object(&value),
            excerpt(body)
        )));
    }
    if expected.schema.custom.is_some() {
        expected.check_own_names(&value, body)?;
    } else {
        expected.check_names(&value)?;
    }
    let cannot = |words: &str| {
        Status::bad_request(format!(
            "{} in version {} cannot be handled as a {}: {words}",
            expected.kind,
            quote(expected.version),
            expected.kind
        ))
    };
    let unknown =
        decode::decode(expected.schema, &mut value).map_err(|e| cannot(&e.to_string()))?;
    strict(validation, document.duplicates, unknown, warnings).map_err(|words| cannot(&words))?;
    value["apiVersion"] = expected.api_version().into();
    value["kind"] = expected.kind.into();
    Ok(value)
}

/// The words about a value that says neither version nor kind, since it is no object.
pub(crate) fn no_object(value: &Value) -> String {
    format!(
        "json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
        json::type_name(value)
    )
}

/// The words about a key of JSON that was given twice.
pub(crate) fn twice(path: &str) -> String {
    format!("duplicate field {}", quote(path))
}

/// Refuses, tells or ignores fields that were given twice or that nobody knows.
///
/// # Errors
/// The words of a strict decoder, without the names in front.
pub(crate) fn strict(
    validation: FieldValidation,
    duplicates: Vec<String>,
    unknown: Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let mut all = duplicates;
    all.extend(unknown.iter().map(|path| {
        // what stands in an operation of a JSON patch begins with its number
        let patch = if path.starts_with('[') {
            "json patch "
        } else {
            ""
        };
        format!("{patch}unknown field {}", quote(path))
    }));
    match validation {
        FieldValidation::Strict if !all.is_empty() => {
            // those of YAML are told as its reader tells them
            let of_yaml = all.partition_point(|words| words.starts_with("line "));
            let yaml = (of_yaml > 0)
                .then(|| format!("yaml: unmarshal errors:\n  {}", all[..of_yaml].join("\n  ")));
            let told: Vec<String> = yaml.into_iter().chain(all.drain(of_yaml..)).collect();
            return Err(format!("strict decoding error: {}", told.join(", ")));
        }
        FieldValidation::Warn => warnings.extend(all),
        FieldValidation::Strict | FieldValidation::Ignore => {}
    }
    Ok(())
}

/// What kind of object a body must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Its fields.
    pub schema: &'static k1s_core::schema::Schema,
}

impl From<&'static Kind> for Expected {
    fn from(kind: &'static Kind) -> Self {
        Self {
            group: kind.group,
            version: kind.version,
            kind: kind.kind,
            schema: kind.schema,
        }
    }
}

impl Expected {
    /// `v1`, `apps/v1`
    #[must_use]
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.into()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Checks the names in a body of an own kind, where both must be there.
    fn check_own_names(&self, value: &Value, body: &[u8]) -> Result<(), Status> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("kind").is_empty() {
            return Err(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{}' ({})",
                self.kind,
                String::from_utf8_lossy(body),
                excerpt(body)
            )));
        }
        let own = self.api_version();
        if text("apiVersion") != own {
            return Err(Status::bad_request(format!(
                "the API version in the data ({}) does not match the expected API version ({own})",
                text("apiVersion")
            )));
        }
        if text("kind") != self.kind {
            let mut errors = Errors::new();
            errors.invalid_text("kind", text("kind"), format!("must be {}", self.kind));
            let name = k1s_core::object::name(value);
            return Err(Status::invalid(self.group, text("kind"), name, errors));
        }
        Ok(())
    }

    /// Checks the names in a body; those that are missing are taken as right.
    fn check_names(&self, value: &Value) -> Result<(), Status> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let own = self.api_version();
        // evictions are the same in the version that is served no more
        let older = self.kind == "Eviction" && api_version == "policy/v1beta1";
        if (api_version.is_empty() || api_version == own || older)
            && (kind.is_empty() || kind == self.kind)
        {
            return Ok(());
        }
        let (group, version) = if api_version.is_empty() {
            (self.group, self.version)
        } else {
            kinds::split_api_version(api_version)
        };
        let kind = if kind.is_empty() { self.kind } else { kind };
        let words = if known(group, version, kind) {
            format!(
                "converting ({}.{kind}) to ({}.{}): unknown conversion",
                version,
                go_package(self.group),
                self.kind
            )
        } else {
            format!(
                "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
                quote(kind),
                quote(if api_version.is_empty() {
                    &own
                } else {
                    api_version
                })
            )
        };
        Err(Status::bad_request(format!(
            "{kind} in version {} cannot be handled as a {}: {words}",
            quote(version),
            self.kind
        )))
    }
}

fn known(group: &str, version: &str, kind: &str) -> bool {
    k1s_core::schema::all()
        .iter()
        .any(|s| s.gvks.contains(&(group, version, kind)))
}

fn go_package(group: &str) -> &str {
    if group.is_empty() {
        "core"
    } else {
        group.split('.').next().unwrap_or(group)
    }
}

fn excerpt(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let shown = body.get(..SHOWN).unwrap_or(body);
    let more = if body.len() > SHOWN { " ..." } else { "" };
    if body.first() == Some(&b'{') {
        return format!("{}{more}", String::from_utf8_lossy(shown));
    }
    let hex: String = shown.iter().map(|b| format!("{b:02x}")).collect();
    format!("{hex}{more}")
}
