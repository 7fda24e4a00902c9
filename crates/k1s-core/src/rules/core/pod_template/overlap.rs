// SPDX-License-Identifier: Apache-2.0
//! Files of a volume that lie on or in each other.

use serde_json::Value;

use crate::field::quote;
use crate::object::{is_unset, list, text};

/// A file, and what it is of in a volume of several sources.
#[derive(Clone, PartialEq)]
struct File<'a> {
    path: &'a str,
    source: String,
}

impl File<'_> {
    fn words(&self) -> String {
        if self.source.is_empty() {
            quote(self.path)
        } else {
            format!("{} ({})", quote(self.path), self.source)
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (format!("{}/", self.path), format!("{}/", other.path));
        !self.path.is_empty() && !other.path.is_empty() && (a.starts_with(&b) || b.starts_with(&a))
    }
}

/// Adds a warning for each pair of files that overlap.
pub(super) fn of_volumes(volumes: &[Value], warnings: &mut Vec<String>) {
    for volume in volumes {
        let name = quote(text(volume, &["name"]));
        for (key, kind, field) in [
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
        ] {
            let what = format!("{kind} {}", quote(text(volume, &[key, field])));
            of_files(files(volume.get(key), ""), &name, &what, warnings);
        }
        of_files(
            files(volume.get("downwardAPI"), ""),
            &name,
            "DownwardAPI",
            warnings,
        );
        let mut all = Vec::new();
        for source in list(volume, &["projected", "sources"]) {
            if is_unset(Some(source)) {
                warnings.push(format!("volume {name} (Projected) has no sources provided"));
            }
            all.extend(files_of_source(source));
        }
        of_files(all, &name, "Projected", warnings);
    }
}

fn files<'a>(source: Option<&'a Value>, what: &str) -> Vec<File<'a>> {
    source
        .map_or(&[][..], |s| list(s, &["items"]))
        .iter()
        .map(|item| File {
            path: text(item, &["path"]).trim_end_matches('/'),
            source: what.to_owned(),
        })
        .collect()
}

fn files_of_source(source: &Value) -> Vec<File<'_>> {
    for (key, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        let what = format!("{kind} {}", quote(text(source, &[key, "name"])));
        let found = files(source.get(key), &what);
        if !found.is_empty() {
            return found;
        }
    }
    let found = files(source.get("downwardAPI"), "DownwardAPI");
    if !found.is_empty() {
        return found;
    }
    source
        .get("serviceAccountToken")
        .map(|token| File {
            path: text(token, &["path"]).trim_end_matches('/'),
            source: "ServiceAccountToken".to_owned(),
        })
        .into_iter()
        .collect()
}

fn of_files(files: Vec<File<'_>>, volume: &str, what: &str, warnings: &mut Vec<String>) {
    for (index, file) in files.iter().enumerate() {
        for other in files[..index].iter().filter(|other| file.overlaps(other)) {
            warnings.push(format!(
                "volume {volume} ({what}): overlapping paths: {} with {}",
                file.words(),
                other.words()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn overlaps() {
        let volume = json!({"name": "v", "projected": {"sources": [
            {"configMap": {"name": "c", "items": [{"path": "a/b"}]}},
            {"serviceAccountToken": {"path": "a"}},
            {"secret": {"name": "s", "items": [{"path": "ab"}]}},
        ]}});
        let mut warnings = Vec::new();
        of_volumes(&[volume], &mut warnings);
        assert_eq!(
            warnings,
            [
                r#"volume "v" (Projected): overlapping paths: "a" (ServiceAccountToken) with "a/b" (ConfigMap "c")"#
            ]
        );
    }
}
