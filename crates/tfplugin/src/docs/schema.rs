// SPDX-License-Identifier: Apache-2.0
//! The schema of a provider in JSON, in the form of `terraform providers schema -json`: to be kept beside the code, so that a change of
//! what users see shows as one.

use serde_json::{Map, Value as Json, json};

use crate::provider::{Parameter, Provider, Signature};
use crate::schema::{Attribute, Block, Content, Identity, NestedBlock, Nesting, Schema};

/// The schemas of a provider and of all its parts.
#[must_use]
pub fn schema(provider: &dyn Provider) -> Json {
    let identities = provider
        .resources()
        .into_iter()
        .filter_map(|(name, r)| Some((name.to_owned(), identity(&r.identity()?))));
    let mut whole = json!({
        "provider": of(&provider.schema()),
        "resource_schemas": all(provider.resources().iter().map(|(n, r)| (*n, of(&r.schema())))),
        "resource_identity_schemas": identities.collect::<Map<_, _>>(),
        "data_source_schemas": all(provider.data_sources().iter().map(|(n, d)| (*n, of(&d.schema())))),
        "ephemeral_resource_schemas":
            all(provider.ephemeral_resources().iter().map(|(n, e)| (*n, of(&e.schema())))),
        "list_resource_schemas": all(provider.lists().iter().map(|(n, l)| (*n, of(&l.schema())))),
        "action_schemas": all(provider.actions().iter().map(|(n, a)| (*n, of(&a.schema())))),
        "functions": all(provider.functions().iter().map(|(n, f)| (*n, function(&f.signature())))),
    });
    if let Some(parts) = whole.as_object_mut() {
        parts.retain(|_, part| part.as_object().is_none_or(|p| !p.is_empty()));
    }
    whole
}

fn all<'n>(parts: impl Iterator<Item = (&'n str, Json)>) -> Json {
    Json::Object(parts.map(|(n, part)| (n.to_owned(), part)).collect())
}

fn of(schema: &Schema) -> Json {
    json!({"version": schema.version, "block": block(&schema.block)})
}

/// Adds what is said: hosts leave out what is false or empty.
fn said(object: &mut Json, name: &str, value: impl Into<Json>) {
    let value = value.into();
    let empty = match &value {
        Json::Bool(b) => !b,
        Json::String(text) => text.is_empty(),
        Json::Number(n) => n.as_i64() == Some(0),
        Json::Object(parts) => parts.is_empty(),
        _ => value.is_null(),
    };
    if !empty {
        object[name] = value;
    }
}

fn block(block: &Block) -> Json {
    let mut object = json!({"description_kind": "markdown"});
    said(&mut object, "attributes", attributes(&block.attributes));
    let nested = block.blocks.iter().map(|(n, b)| (&n[..], nested(b)));
    said(&mut object, "block_types", all(nested));
    said(&mut object, "description", &block.description[..]);
    said(&mut object, "deprecated", block.deprecated.is_some());
    object
}

fn attributes(attributes: &[(String, Attribute)]) -> Json {
    all(attributes.iter().map(|(n, a)| (&n[..], attribute(a))))
}

fn attribute(attribute: &Attribute) -> Json {
    let mut object = json!({"description_kind": "markdown"});
    match &attribute.content {
        Content::Plain(of) => object["type"] = of.to_json(),
        Content::Nested(nesting, inner) => {
            object["nested_type"] =
                json!({"attributes": attributes(inner), "nesting_mode": mode(*nesting)});
        }
    }
    said(&mut object, "description", &attribute.description[..]);
    said(&mut object, "required", attribute.required);
    said(&mut object, "optional", attribute.optional);
    said(&mut object, "computed", attribute.computed);
    said(&mut object, "sensitive", attribute.sensitive);
    said(&mut object, "write_only", attribute.write_only);
    said(&mut object, "deprecated", attribute.deprecated.is_some());
    object
}

fn nested(nested: &NestedBlock) -> Json {
    let mut object = json!({"nesting_mode": mode(nested.nesting), "block": block(&nested.block)});
    said(&mut object, "min_items", nested.min);
    said(&mut object, "max_items", nested.max);
    object
}

fn mode(nesting: Nesting) -> &'static str {
    match nesting {
        Nesting::Single => "single",
        Nesting::List => "list",
        Nesting::Set => "set",
        Nesting::Map => "map",
    }
}

fn identity(identity: &Identity) -> Json {
    let attributes = identity
        .attributes
        .iter()
        .map(|(name, of, required, text)| {
            let mut object = json!({"type": of.to_json(), "description": text});
            said(&mut object, "required_for_import", *required);
            said(&mut object, "optional_for_import", !required);
            (*name, object)
        });
    json!({"version": identity.version, "attributes": all(attributes)})
}

fn function(signature: &Signature) -> Json {
    let parameter = |p: &Parameter| {
        let mut object = json!({"name": p.name, "type": p.of.to_json()});
        said(&mut object, "description", p.description);
        said(&mut object, "is_nullable", p.nullable);
        object
    };
    let mut object = json!({"return_type": signature.returns.to_json()});
    said(&mut object, "summary", signature.summary);
    said(&mut object, "description", signature.description);
    object["parameters"] = signature.parameters.iter().map(parameter).collect();
    if let Some(variadic) = &signature.variadic {
        object["variadic_parameter"] = parameter(variadic);
    }
    object
}
