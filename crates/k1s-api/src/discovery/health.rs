// SPDX-License-Identifier: Apache-2.0
//! `/healthz`, `/livez` and `/readyz`: all checks, or one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::{Request, bare, no_page, text};

/// A health check and how it went.
#[derive(Clone, Debug)]
pub struct Check {
    /// Name, as `exclude` and the path tell it: `ping`.
    pub name: &'static str,
    /// What is wrong; nothing when the check is well.
    pub fault: Option<String>,
}

/// All checks but the excluded ones.
pub(super) fn all(request: &Request<'_>, endpoint: &str, checks: &[Check]) -> Response<Bytes> {
    let mut excluded: BTreeSet<&str> = request.parameters("exclude").collect();
    let mut lines = String::new();
    let mut failed = false;
    for check in checks {
        let _ = if excluded.remove(check.name) {
            writeln!(lines, "[+]{} excluded: ok", check.name)
        } else if check.fault.is_some() {
            failed = true;
            writeln!(lines, "[-]{} failed: reason withheld", check.name)
        } else {
            writeln!(lines, "[+]{} ok", check.name)
        };
    }
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().map(|n| k1s_core::field::quote(n)).collect();
        let _ = writeln!(
            lines,
            "warn: some health checks cannot be excluded: no matches for {}",
            names.join(",")
        );
    }
    if failed {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{lines}{endpoint} check failed\n"),
        );
    }
    if request.parameters("verbose").next().is_none() {
        return text(StatusCode::OK, "ok".into());
    }
    text(StatusCode::OK, format!("{lines}{endpoint} check passed\n"))
}

/// One check.
pub(super) fn one(name: &str, checks: &[Check]) -> Response<Bytes> {
    let Some(check) = checks.iter().find(|c| c.name == name) else {
        return no_page();
    };
    if let Some(fault) = &check.fault {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("internal server error: {fault}\n"),
        );
    }
    let mut response = bare(StatusCode::OK, Bytes::from_static(b"ok"));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
