// SPDX-License-Identifier: Apache-2.0
//! `spec.signerName`: a domain, a slash and a name.

use crate::field::{Errors, Path, quote};
use crate::name;

const LEGACY: &str = "kubernetes.io/legacy-unknown";
const DOMAIN_BYTES: usize = 253;

/// Checks the name of a signer.
pub(super) fn validate(signer: &str, path: &Path<'_>, errors: &mut Errors) {
    if signer == LEGACY {
        errors.invalid_text(
            path,
            signer,
            "the legacy signerName is not allowed via this API version",
        );
        return;
    }
    if signer.is_empty() {
        errors.required(path, "");
        return;
    }
    let Some((domain, own)) = signer.split_once('/').filter(|(_, own)| !own.contains('/')) else {
        errors.invalid_text(
            path,
            signer,
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        );
        return;
    };
    if domain.len() > DOMAIN_BYTES {
        errors.too_long(path, DOMAIN_BYTES);
    }
    validate_parts(domain, name::dns1123_label, path, errors);
    if !domain.contains('.') {
        errors.invalid_text(
            path,
            domain,
            "should be a domain with at least two segments separated by dots",
        );
    }
    validate_parts(own, name::dns1123_subdomain, path, errors);
}

/// Each part between dots is right; only the first that is not is spoken of.
fn validate_parts(
    whole: &str,
    check: fn(&str) -> Vec<String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for part in whole.split('.') {
        let complaints = check(part);
        for complaint in &complaints {
            let detail = format!("validating label {}: {complaint}", quote(part));
            errors.invalid_text(path, whole, detail);
        }
        if !complaints.is_empty() {
            return;
        }
    }
}
