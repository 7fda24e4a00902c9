// SPDX-License-Identifier: Apache-2.0
//! Schemas: what a configuration may say, and what the plan does with each attribute.
//!
//! ```
//! use tfplugin::{Attribute, Block, Schema, Type, validator};
//!
//! let schema = Schema::new(Block::new("Power of a slot.")
//!     .attribute("slot", Attribute::required(Type::Number).describe("Slot, 1 to 4.")
//!         .replaces().check(validator::between(1, 4)))
//!     .attribute("on", Attribute::optional(Type::Bool).describe("Whether it has power.").default(true))
//!     .attribute("id", Attribute::computed(Type::String).describe("`power-node-N`.").keeps()));
//! assert_eq!(schema.version, 0);
//! ```

use crate::cty::{Type, Value};
use crate::proto;
use crate::validator::{Rule, Validator};

/// The schema of a provider, a resource, a data source, an action.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Version of the state's form; older ones are brought forward by [`crate::Resource::upgrade`].
    pub version: i64,
    /// Attributes and blocks.
    pub block: Block,
}

impl Schema {
    /// A schema of version 0.
    #[must_use]
    pub fn new(block: Block) -> Self {
        Self { version: 0, block }
    }

    /// The same with another version.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// The type of the values that follow the schema.
    #[must_use]
    pub fn value_type(&self) -> Type {
        self.block.value_type()
    }

    pub(crate) fn to_proto(&self) -> proto::Schema {
        proto::Schema {
            version: self.version,
            block: Some(self.block.to_proto()),
        }
    }
}

/// Attributes and blocks that stand together.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// What it is, in Markdown.
    pub description: String,
    /// Attributes by name.
    pub attributes: Vec<(String, Attribute)>,
    /// Blocks within, by name.
    pub blocks: Vec<(String, NestedBlock)>,
    /// What must hold between attributes.
    pub rules: Vec<Rule>,
    /// What to use instead, when it is deprecated.
    pub deprecated: Option<String>,
}

impl Block {
    /// A block with a description in Markdown.
    #[must_use]
    pub fn new(description: &str) -> Self {
        Self {
            description: description.to_owned(),
            ..Self::default()
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, attribute: Attribute) -> Self {
        self.attributes.push((name.to_owned(), attribute));
        self
    }

    /// Adds a block.
    #[must_use]
    pub fn block(mut self, name: &str, block: NestedBlock) -> Self {
        self.blocks.push((name.to_owned(), block));
        self
    }

    /// Adds what must hold between attributes.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Says that it will go, and what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: &str) -> Self {
        self.deprecated = Some(instead.to_owned());
        self
    }

    /// The type of the values that follow it.
    #[must_use]
    pub fn value_type(&self) -> Type {
        let attributes = self
            .attributes
            .iter()
            .map(|(n, a)| (n.clone(), a.value_type()));
        let blocks = self.blocks.iter().map(|(n, b)| (n.clone(), b.value_type()));
        Type::object(attributes.chain(blocks))
    }

    pub(crate) fn to_proto(&self) -> proto::Block {
        proto::Block {
            version: 0,
            attributes: self.attributes.iter().map(|(n, a)| a.to_proto(n)).collect(),
            block_types: self.blocks.iter().map(|(n, b)| b.to_proto(n)).collect(),
            description: self.description.clone(),
            description_kind: proto::StringKind::Markdown.into(),
            deprecated: self.deprecated.is_some(),
            deprecation_message: self.deprecated.clone().unwrap_or_default(),
        }
    }
}

/// How several of one block or object stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One at most.
    Single,
    /// In order.
    List,
    /// Without order.
    Set,
    /// By name.
    Map,
}

impl Nesting {
    fn around(self, one: Type) -> Type {
        match self {
            Self::Single => one,
            Self::List => Type::list(one),
            Self::Set => Type::set(one),
            Self::Map => Type::map(one),
        }
    }

    fn to_proto(self) -> i32 {
        match self {
            Self::Single => proto::Nesting::Single,
            Self::List => proto::Nesting::List,
            Self::Set => proto::Nesting::Set,
            Self::Map => proto::Nesting::Map,
        }
        .into()
    }
}

/// A block within a block.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    /// What each holds.
    pub block: Block,
    /// How several stand together.
    pub nesting: Nesting,
    /// The fewest; 0 is no limit.
    pub min: i64,
    /// The most; 0 is no limit.
    pub max: i64,
}

impl NestedBlock {
    /// A block that may stand once.
    #[must_use]
    pub fn single(block: Block) -> Self {
        Self::several(Nesting::Single, block)
    }

    /// A block that may stand several times, in order.
    #[must_use]
    pub fn list(block: Block) -> Self {
        Self::several(Nesting::List, block)
    }

    /// A block that may stand several times, without order.
    #[must_use]
    pub fn set(block: Block) -> Self {
        Self::several(Nesting::Set, block)
    }

    /// A block that may stand several times, each with a name of its own as its label.
    #[must_use]
    pub fn map(block: Block) -> Self {
        Self::several(Nesting::Map, block)
    }

    fn several(nesting: Nesting, block: Block) -> Self {
        Self {
            block,
            nesting,
            min: 0,
            max: 0,
        }
    }

    /// The fewest and the most; 0 is no limit.
    #[must_use]
    pub fn items(mut self, min: i64, max: i64) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    fn value_type(&self) -> Type {
        self.nesting.around(self.block.value_type())
    }

    fn to_proto(&self, name: &str) -> proto::NestedBlock {
        proto::NestedBlock {
            type_name: name.to_owned(),
            block: Some(self.block.to_proto()),
            nesting: self.nesting.to_proto(),
            min_items: self.min,
            max_items: self.max,
        }
    }
}

/// What an attribute holds: a plain type, or attributes of its own.
#[derive(Clone, Debug)]
pub enum Content {
    /// A type.
    Plain(Type),
    /// Objects with attributes that are described.
    Nested(Nesting, Vec<(String, Attribute)>),
}

/// An attribute: its type, who sets it, and what the plan does with it.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// What it holds.
    pub content: Content,
    /// What it is, in Markdown.
    pub description: String,
    /// The configuration must set it.
    pub required: bool,
    /// The configuration may set it.
    pub optional: bool,
    /// The provider sets it where the configuration does not.
    pub computed: bool,
    /// Never shown.
    pub sensitive: bool,
    /// Read from the configuration alone: never in a plan or a state.
    pub write_only: bool,
    /// Its value where the configuration has none.
    pub default: Option<Value>,
    /// A change of it replaces the resource.
    pub replaces: bool,
    /// A computed value that stays over updates.
    pub keeps: bool,
    /// What a known value must be.
    pub validators: Vec<Validator>,
    /// What to use instead, when it is deprecated.
    pub deprecated: Option<String>,
}

impl Attribute {
    fn new(content: Content) -> Self {
        Self {
            content,
            description: String::new(),
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            default: None,
            replaces: false,
            keeps: false,
            validators: Vec::new(),
            deprecated: None,
        }
    }

    /// One that the configuration must set.
    #[must_use]
    pub fn required(of: Type) -> Self {
        Self {
            required: true,
            ..Self::new(Content::Plain(of))
        }
    }

    /// One that the configuration may set.
    #[must_use]
    pub fn optional(of: Type) -> Self {
        Self {
            optional: true,
            ..Self::new(Content::Plain(of))
        }
    }

    /// One that the provider sets.
    #[must_use]
    pub fn computed(of: Type) -> Self {
        Self {
            computed: true,
            ..Self::new(Content::Plain(of))
        }
    }

    /// One that the configuration may set and the provider sets otherwise.
    #[must_use]
    pub fn optional_computed(of: Type) -> Self {
        Self {
            computed: true,
            ..Self::optional(of)
        }
    }

    /// Objects that the provider sets, with attributes of their own.
    #[must_use]
    pub fn computed_objects(nesting: Nesting, attributes: Vec<(&str, Self)>) -> Self {
        Self {
            computed: true,
            ..Self::new(Content::nested(nesting, attributes))
        }
    }

    /// Objects that the configuration may set, with attributes of their own.
    #[must_use]
    pub fn optional_objects(nesting: Nesting, attributes: Vec<(&str, Self)>) -> Self {
        Self {
            optional: true,
            ..Self::new(Content::nested(nesting, attributes))
        }
    }

    /// What it is, in Markdown.
    #[must_use]
    pub fn describe(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    /// Its value where the configuration has none; it counts as computed, as hosts demand.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self.computed = true;
        self
    }

    /// A change of it replaces the resource.
    #[must_use]
    pub fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }

    /// Its computed value stays over updates.
    #[must_use]
    pub fn keeps(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// It is never shown.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// It is read from the configuration alone.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// A known value must pass this.
    #[must_use]
    pub fn check(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    /// Says that it will go, and what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: &str) -> Self {
        self.deprecated = Some(instead.to_owned());
        self
    }

    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> Type {
        match &self.content {
            Content::Plain(of) => of.clone(),
            Content::Nested(nesting, attributes) => nesting.around(Type::object(
                attributes.iter().map(|(n, a)| (n.clone(), a.value_type())),
            )),
        }
    }

    fn to_proto(&self, name: &str) -> proto::Attribute {
        let (r#type, nested_type) = match &self.content {
            Content::Plain(of) => (of.to_bytes(), None),
            Content::Nested(nesting, attributes) => {
                let object = proto::Object {
                    attributes: attributes.iter().map(|(n, a)| a.to_proto(n)).collect(),
                    nesting: nesting.to_proto(),
                };
                (Vec::new(), Some(object))
            }
        };
        proto::Attribute {
            name: name.to_owned(),
            r#type,
            nested_type,
            description: self.description.clone(),
            description_kind: proto::StringKind::Markdown.into(),
            required: self.required,
            optional: self.optional,
            computed: self.computed,
            sensitive: self.sensitive,
            write_only: self.write_only,
            deprecated: self.deprecated.is_some(),
            deprecation_message: self.deprecated.clone().unwrap_or_default(),
        }
    }
}

impl Content {
    fn nested(nesting: Nesting, attributes: Vec<(&str, Attribute)>) -> Self {
        Self::Nested(
            nesting,
            attributes
                .into_iter()
                .map(|(n, a)| (n.to_owned(), a))
                .collect(),
        )
    }
}

/// What names a resource for import and in lists, apart from its state.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Version of its form.
    pub version: i64,
    /// Name, type, whether an import must give it, description.
    pub attributes: Vec<(&'static str, Type, bool, &'static str)>,
}

impl Identity {
    /// The type of identities.
    #[must_use]
    pub fn value_type(&self) -> Type {
        Type::object(self.attributes.iter().map(|(n, t, _, _)| (*n, t.clone())))
    }

    pub(crate) fn to_proto(&self) -> proto::ResourceIdentitySchema {
        let identity_attributes = self
            .attributes
            .iter()
            .map(
                |(name, of, required, description)| proto::IdentityAttribute {
                    name: (*name).to_owned(),
                    r#type: of.to_bytes(),
                    required_for_import: *required,
                    optional_for_import: !required,
                    description: (*description).to_owned(),
                },
            )
            .collect();
        proto::ResourceIdentitySchema {
            version: self.version,
            identity_attributes,
        }
    }
}
