// SPDX-License-Identifier: Apache-2.0
//! [`Key`], [`Prefix`] and [`SideKey`]: where things are in a store.
//!
//! A key is the text `tenant/group/resource/namespace/name`, always five parts; a group or a
//! namespace that there is not is an empty part. No part may hold a `/`, so no part can reach into
//! another, and the order of the bytes is the order in which Kubernetes lists: that of
//! `namespace/name`.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The longest part of a key, in bytes: the longest Kubernetes name.
const PART_LIMIT: usize = 253;
/// The longest key in bytes, well below what the engines take.
const KEY_LIMIT: usize = 1024;

/// Where an object is: tenant, resource, namespace and name. Holding one proves that each is valid.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of one object. `resource` is `group/resource`; `/pods` or just `pods` in the core
    /// group. Cluster-scoped objects have no namespace.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] when a part is empty, too long, `.`, `..` or holds a slash or a
    /// control character.
    pub fn new(tenant: &str, resource: &str, namespace: Option<&str>, name: &str) -> Result<Self> {
        let mut text = String::with_capacity(
            tenant.len() + resource.len() + namespace.map_or(0, str::len) + name.len() + 4,
        );
        push_resource(&mut text, tenant, resource)?;
        if let Some(namespace) = namespace {
            push(&mut text, namespace)?;
        }
        text.push('/');
        push(&mut text, name)?;
        if text.len() > KEY_LIMIT {
            return Err(Error::InvalidKey {
                key: text,
                reason: "it is longer than 1024 bytes",
            });
        }
        Ok(Self(text.into()))
    }

    /// Reads a key back from the bytes of an engine.
    pub(crate) fn stored(bytes: &[u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.bytes().filter(|b| *b == b'/').count() == 4 => Ok(Self(text.into())),
            _ => Err(Error::corrupt(bytes, "its key is not a key")),
        }
    }

    /// The tenant.
    pub fn tenant(&self) -> &str {
        self.part(0)
    }

    /// The API group, empty for the core group.
    pub fn group(&self) -> &str {
        self.part(1)
    }

    /// The plural resource, without its group.
    pub fn resource(&self) -> &str {
        self.part(2)
    }

    /// The namespace, if the object is in one.
    pub fn namespace(&self) -> Option<&str> {
        Some(self.part(3)).filter(|namespace| !namespace.is_empty())
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.part(4)
    }

    /// The whole key, `tenant/group/resource/namespace/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn part(&self, index: usize) -> &str {
        self.0.split('/').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource())?;
        if !self.group().is_empty() {
            write!(f, ".{}", self.group())?;
        }
        if let Some(namespace) = self.namespace() {
            write!(f, " {namespace}/{}", self.name())
        } else {
            write!(f, " {}", self.name())
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

/// A range of keys to list, count or watch: everything, a tenant, a resource, a namespace of a
/// resource, or one object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Empty, or ends in `/`, or is a whole key; so one text never means two ranges.
    text: Arc<str>,
    exact: bool,
}

impl Prefix {
    /// Every object of every tenant.
    pub fn everything() -> Self {
        Self {
            text: "".into(),
            exact: false,
        }
    }

    /// Every object of a tenant.
    ///
    /// # Errors
    /// [`Error::InvalidKey`], as [`Key::new`].
    pub fn tenant(tenant: &str) -> Result<Self> {
        let mut text = String::new();
        push(&mut text, tenant)?;
        text.push('/');
        Ok(Self {
            text: text.into(),
            exact: false,
        })
    }

    /// Every object of a resource, in all namespaces.
    ///
    /// # Errors
    /// [`Error::InvalidKey`], as [`Key::new`].
    pub fn resource(tenant: &str, resource: &str) -> Result<Self> {
        let mut text = String::new();
        push_resource(&mut text, tenant, resource)?;
        Ok(Self {
            text: text.into(),
            exact: false,
        })
    }

    /// Every object of a resource in one namespace.
    ///
    /// # Errors
    /// [`Error::InvalidKey`], as [`Key::new`].
    pub fn namespace(tenant: &str, resource: &str, namespace: &str) -> Result<Self> {
        let mut text = String::new();
        push_resource(&mut text, tenant, resource)?;
        push(&mut text, namespace)?;
        text.push('/');
        Ok(Self {
            text: text.into(),
            exact: false,
        })
    }

    /// One object.
    pub fn object(key: &Key) -> Self {
        Self {
            text: key.0.clone(),
            exact: true,
        }
    }

    /// Whether the key is in the range.
    pub fn contains(&self, key: &Key) -> bool {
        self.contains_bytes(key.as_bytes())
    }

    pub(crate) fn contains_bytes(&self, key: &[u8]) -> bool {
        if self.exact {
            key == self.text.as_bytes()
        } else {
            key.starts_with(self.text.as_bytes())
        }
    }

    /// The part of a key behind the prefix, as continue tokens carry it.
    pub fn relative<'k>(&self, key: &'k Key) -> Option<&'k str> {
        if self.exact {
            (*self.text == *key.0).then_some("")
        } else {
            key.0.strip_prefix(&*self.text)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The first key of the range and the first one behind it.
    pub(crate) fn bounds(&self) -> (Vec<u8>, Vec<u8>) {
        let from = self.text.as_bytes().to_vec();
        let mut to = from.clone();
        match to.last_mut() {
            _ if self.exact => to.push(0),
            Some(last) => *last += 1,
            None => to.push(0xff),
        }
        (from, to)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Prefix({}{})",
            self.text,
            if self.exact { "" } else { "*" }
        )
    }
}

/// Where a side record is: a record that is written together with objects and in the same
/// transaction, but has no revision and is not watched. Allocated cluster IPs are such records.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SideKey(Arc<str>);

impl SideKey {
    /// The record `name` in a space of a tenant, such as `clusterips`.
    ///
    /// # Errors
    /// [`Error::InvalidKey`], as [`Key::new`].
    pub fn new(tenant: &str, space: &str, name: &str) -> Result<Self> {
        let mut text = Self::space(tenant, space)?;
        push(&mut text, name)?;
        Ok(Self(text.into()))
    }

    pub(crate) fn space(tenant: &str, space: &str) -> Result<String> {
        let mut text = String::new();
        push(&mut text, tenant)?;
        text.push('/');
        push(&mut text, space)?;
        text.push('/');
        Ok(text)
    }

    pub(crate) fn stored(bytes: &[u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.bytes().filter(|b| *b == b'/').count() == 2 => Ok(Self(text.into())),
            _ => Err(Error::corrupt(
                bytes,
                "its key is not that of a side record",
            )),
        }
    }

    /// The record's name within its space.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for SideKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split_once('/').map_or("", |(_, rest)| rest))
    }
}

impl fmt::Debug for SideKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SideKey({})", self.0)
    }
}

/// Appends `tenant/group/resource/`.
fn push_resource(text: &mut String, tenant: &str, resource: &str) -> Result<()> {
    push(text, tenant)?;
    text.push('/');
    let (group, resource) = resource.split_once('/').unwrap_or(("", resource));
    if !group.is_empty() {
        push(text, group)?;
    }
    text.push('/');
    push(text, resource)?;
    text.push('/');
    Ok(())
}

fn push(text: &mut String, part: &str) -> Result<()> {
    let reason = if part.is_empty() {
        "a part of it is empty"
    } else if part.len() > PART_LIMIT {
        "a part of it is longer than 253 bytes"
    } else if part == "." || part == ".." {
        "a part of it is \".\" or \"..\""
    } else if part
        .bytes()
        // Looking at all bytes without branches is faster than finding the first bad one.
        .fold(false, |found, b| {
            found | (b == b'/') | (b < b' ') | (b == 0x7f)
        })
    {
        "a part of it holds a slash or a control character"
    } else {
        text.push_str(part);
        return Ok(());
    };
    Err(Error::InvalidKey {
        key: part.chars().take(PART_LIMIT).collect(),
        reason,
    })
}

#[cfg(test)]
mod tests;
