// SPDX-License-Identifier: Apache-2.0
//! Where in a value something stands.

use std::fmt;

use crate::proto;

/// The way from a whole value to a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Attribute(String),
    Key(String),
    Index(i64),
}

impl Path {
    /// The whole value.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// An attribute of the whole value.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::default().attribute(name)
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// An attribute of what is here.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        self.with(Step::Attribute(name.to_owned()))
    }

    /// An element of the map that is here.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// An element of the list that is here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    /// Whether it is the whole value.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn from_proto(path: &proto::AttributePath) -> Self {
        let step = |step: &proto::Step| match step.selector.clone()? {
            proto::Selector::AttributeName(name) => Some(Step::Attribute(name)),
            proto::Selector::ElementKeyString(key) => Some(Step::Key(key)),
            proto::Selector::ElementKeyInt(index) => Some(Step::Index(index)),
        };
        Self(path.steps.iter().filter_map(step).collect())
    }

    pub(crate) fn to_proto(&self) -> proto::AttributePath {
        let steps = self
            .0
            .iter()
            .map(|step| proto::Step {
                selector: Some(match step {
                    Step::Attribute(name) => proto::Selector::AttributeName(name.clone()),
                    Step::Key(key) => proto::Selector::ElementKeyString(key.clone()),
                    Step::Index(index) => proto::Selector::ElementKeyInt(*index),
                }),
            })
            .collect();
        proto::AttributePath { steps }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if i == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
