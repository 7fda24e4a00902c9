// SPDX-License-Identifier: Apache-2.0
//! What `-f` names: files, directories, patterns, URLs and standard input, read to documents.
//!
//! Entry points: [`FLAGS`] and `read`.

use std::path::{Path, PathBuf};

use http_body_util::BodyExt as _;
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::context::Context;
use crate::document::{self, Part, Place};
use crate::error::{Error, Refusal, Result};
use crate::flag::{Flag, Parsed};
use crate::kubeconfig::Access;
use crate::transport::{Transport as _, remote::Remote};

/// The flags that name files.
pub const FLAGS: &[Flag] = &[
    Flag::list(
        "filename",
        "File, directory, URL or - for standard input; may be repeated.",
    )
    .short('f'),
    Flag::text("kustomize", "Kustomization directories are not supported.").short('k'),
    Flag::switch(
        "recursive",
        "Read directories with all that is beneath them.",
    )
    .short('R'),
];

/// The endings of files that are read from a directory.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// A document and where it comes from: the path as it was given, or `STDIN`.
pub(crate) struct Document {
    pub(crate) source: String,
    pub(crate) place: Place,
    pub(crate) value: Result<Value>,
}

/// Whether any file is named.
pub(crate) fn is_given(args: &Parsed) -> bool {
    !args.list("filename").is_empty() || !args.text("kustomize").is_empty()
}

/// Whether exactly one file is named, and no directory, pattern or standard input.
pub(crate) fn is_single(args: &Parsed) -> bool {
    match args.list("filename").as_slice() {
        [one] => one != "-" && !Path::new(one).is_dir(),
        _ => false,
    }
}

/// All documents that the flags name, in their order.
///
/// # Errors
/// When a path is not there; a document that cannot be read is an error in its place.
pub(crate) async fn read(cx: &Context, args: &Parsed) -> Result<Vec<Document>> {
    if !args.text("kustomize").is_empty() {
        return Err(Error::message(
            "kustomize is not part of this program: run `kustomize build DIR` and give its output to -f -",
        ));
    }
    let mut sources = Vec::new();
    for name in args.list("filename") {
        if name == "-" || is_url(&name) {
            sources.push(name);
        } else {
            sources.extend(files(&name, args.on("recursive"))?);
        }
    }
    let mut out = Vec::new();
    for name in sources {
        let (source, bytes) = if name == "-" {
            ("STDIN".to_owned(), cx.read_input()?)
        } else if is_url(&name) {
            let bytes = download(cx, &name).await?;
            (name, bytes)
        } else {
            let bytes = std::fs::read(&name)
                .map_err(|e| Error::message(format!("error reading {name}: {e}")))?;
            (name, bytes)
        };
        for Part { place, value } in document::split(&bytes) {
            let value = value.map_err(|e| {
                let which = if place.one_of_several {
                    format!(", document {}", place.document)
                } else {
                    String::new()
                };
                Error::message(format!("error parsing {source}{which}: {e}"))
            });
            out.push(Document {
                source: source.clone(),
                place,
                value,
            });
        }
    }
    Ok(out)
}

fn is_url(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// The files that one name means.
fn files(name: &str, recursive: bool) -> Result<Vec<String>> {
    let path = Path::new(name);
    if !path.exists() {
        let matches = matching(name);
        if !matches.is_empty() {
            return Ok(matches);
        }
        return Err(Error::message(format!(
            "the path {} does not exist",
            Quoted(name)
        )));
    }
    if !path.is_dir() {
        return Ok(vec![name.to_owned()]);
    }
    let mut out = Vec::new();
    walk(path, recursive, &mut out)
        .map_err(|e| Error::message(format!("error reading {}: {e}", path.display())))?;
    if out.is_empty() {
        return Err(Error::message(format!(
            "error reading [{name}]: recognized file extensions are [.json .yaml .yml]"
        )));
    }
    Ok(out)
}

/// Files of a directory in the order of their names; a directory within comes where its name stands.
fn walk(directory: &Path, recursive: bool, out: &mut Vec<String>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        entries.push(entry?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if recursive {
                walk(&path, recursive, out)?;
            }
        } else if path
            .extension()
            .is_some_and(|e| EXTENSIONS.iter().any(|x| e == *x))
        {
            out.push(path.display().to_string());
        }
    }
    Ok(())
}

/// Files that a pattern means; `*` and `?` are understood in its last part.
fn matching(pattern: &str) -> Vec<String> {
    let path = Path::new(pattern);
    let Some(last) = path
        .file_name()
        .and_then(|n| n.to_str())
        .filter(|n| n.contains(['*', '?']))
    else {
        return Vec::new();
    };
    let parent = path.parent().unwrap_or(Path::new(""));
    let directory = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let mut out: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| matches(last.as_bytes(), name.as_bytes()))
        .map(|name| parent.join(name).display().to_string())
        .collect();
    out.sort();
    out
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            matches(&pattern[1..], name) || !name.is_empty() && matches(pattern, &name[1..])
        }
        (Some(b'?'), Some(_)) => matches(&pattern[1..], &name[1..]),
        (Some(p), Some(n)) if p == n => matches(&pattern[1..], &name[1..]),
        _ => false,
    }
}

/// Reads a URL; redirects are not followed.
async fn download(cx: &Context, url: &str) -> Result<Vec<u8>> {
    let scheme_end = url.find("://").map_or(0, |at| at + 3);
    let path_start = url[scheme_end..]
        .find('/')
        .map_or(url.len(), |at| at + scheme_end);
    let server = Remote::new(Access {
        server: url[..path_start].to_owned(),
        ..Access::default()
    })?;
    let target = if path_start == url.len() {
        "/"
    } else {
        &url[path_start..]
    };
    let request = http::Request::get(target)
        .body(bytes::Bytes::new())
        .map_err(|e| Error::message(format!("{url}: {e}")))?;
    let limit = cx.timeout()?.unwrap_or(std::time::Duration::from_secs(60));
    let all = async {
        let answer = server.send(request).await?;
        let code = answer.status().as_u16();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|e| Error::message(format!("unable to read URL {}: {e}", Quoted(url))))?
            .to_bytes();
        if code != 200 {
            let said = Refusal::from_answer(code, b"").message;
            return Err(Error::message(format!(
                "unable to read URL {}, server reported {code}, {said}",
                Quoted(url)
            )));
        }
        Ok(body.to_vec())
    };
    tokio::time::timeout(limit, all).await.unwrap_or_else(|_| {
        Err(Error::message(format!(
            "unable to read URL {}: it took too long",
            Quoted(url)
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str, fits: bool| {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                fits,
                "{pattern} {name}"
            );
        };
        check("*.yaml", "a.yaml", true);
        check("*.yaml", "a.yml", false);
        check("a?c*", "abcdef", true);
        check("a?", "a", false);
    }
}
