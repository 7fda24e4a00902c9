// SPDX-License-Identifier: Apache-2.0
//! How objects are written to standard output: `-o` and what goes with it.
//!
//! Entry points: [`Printer::new`] for commands with `-o`, [`Outcome`] for commands that say what they did.

use k1s_core::object::{list, text};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;

pub mod columns;
pub mod table;
pub mod template;

use columns::Columns;
use template::Template;

/// The flags of commands that print objects.
pub const FLAGS: &[Flag] = &[
    Flag::switch(
        "allow-missing-template-keys",
        "In a template, what is missing is empty.",
    )
    .default("true"),
    Flag::text("output", "Form of the output.").short('o'),
    Flag::switch(
        "show-managed-fields",
        "Do not leave out managedFields in JSON and YAML.",
    ),
    Flag::text(
        "template",
        "Template, or file with one, for the template forms.",
    ),
];

/// The forms that need a template, with their prefixes.
const TEMPLATES: [&str; 7] = [
    "go-template",
    "go-template-file",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "template",
    "templatefile",
];

/// Which forms a command has besides those of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    /// Objects only.
    Objects,
    /// Tables too: `wide` and custom columns.
    Tables,
}

enum Form {
    Json,
    Yaml,
    KYaml,
    Name,
    Template(Template),
    Columns(Columns),
}

/// A printer of objects.
pub struct Printer {
    form: Form,
    managed_fields: bool,
    printed: usize,
}

impl Printer {
    /// The printer that the flags ask for; none where the command's own form, or the wide one, is meant.
    ///
    /// # Errors
    /// When there is no such form, or its template cannot be read.
    pub fn new(args: &Parsed, forms: Forms) -> Result<Option<Self>> {
        let mut output = args.text("output").to_owned();
        if output.is_empty() && !args.text("template").is_empty() {
            output = "go-template".to_owned();
        }
        let (name, inline) = match output.split_once('=') {
            Some((name, inline)) => (name, Some(inline)),
            None => (output.as_str(), None),
        };
        let lower = name.to_lowercase();
        let name = if ["json", "kyaml", "name", "yaml"].contains(&lower.as_str()) {
            lower.as_str()
        } else {
            name
        };
        let form = match name {
            "" if inline.is_none() => return Ok(None),
            "wide" if forms == Forms::Tables && inline.is_none() => return Ok(None),
            "json" if inline.is_none() => Form::Json,
            "yaml" if inline.is_none() => Form::Yaml,
            "kyaml" if inline.is_none() => Form::KYaml,
            "name" if inline.is_none() => Form::Name,
            "custom-columns" | "custom-columns-file" if forms == Forms::Tables => {
                let text = inline.unwrap_or_else(|| args.text("template"));
                if text.is_empty() {
                    return Err(Error::message(format!(
                        "{name} format specified but no custom columns given"
                    )));
                }
                Form::Columns(Columns::new(name, text, args.on("no-headers"))?)
            }
            _ if TEMPLATES.contains(&name) => {
                let text = inline.unwrap_or_else(|| args.text("template"));
                if text.is_empty() {
                    return Err(Error::message(
                        "template format specified but no template given",
                    ));
                }
                Form::Template(Template::new(
                    name,
                    text,
                    args.on("allow-missing-template-keys"),
                )?)
            }
            _ => return Err(unknown_form(&output, forms)),
        };
        Ok(Some(Self {
            form,
            managed_fields: args.on("show-managed-fields"),
            printed: 0,
        }))
    }

    /// Whether it prints only names.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self.form, Form::Name)
    }

    /// Whether it prints JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self.form, Form::Json)
    }

    /// Prints an object or a list.
    ///
    /// # Errors
    /// When a template does not fit the object, or the output cannot be written.
    pub fn print(&mut self, cx: &Context, object: &Value) -> Result {
        let first = self.printed == 0;
        self.printed += 1;
        match &mut self.form {
            Form::Name => print_names(cx, object),
            Form::Template(template) => cx.bytes(&template.render(object)?),
            Form::Columns(columns) => {
                let (lines, outcome) = columns.render(object);
                cx.print(lines)?;
                outcome
            }
            form => {
                let stripped;
                let shown = if self.managed_fields {
                    object
                } else {
                    stripped = without_managed_fields(object);
                    &stripped
                };
                match form {
                    Form::Json => cx.print(json(shown)),
                    Form::KYaml => cx.print(format_args!("---\n{}", kyaml(shown))),
                    _ if first => cx.print(yaml(shown)),
                    _ => cx.print(format_args!("---\n{}", yaml(shown))),
                }
            }
        }
    }
}

fn unknown_form(output: &str, forms: Forms) -> Error {
    let mut allowed = vec!["json", "kyaml", "name", "yaml"];
    allowed.extend(TEMPLATES);
    if forms == Forms::Tables {
        allowed.extend(["custom-columns", "custom-columns-file", "wide"]);
    }
    allowed.sort_unstable();
    Error::message(format!(
        "unable to match a printer suitable for the output format \"{output}\", allowed formats are: {}",
        allowed.join(",")
    ))
}

fn print_names(cx: &Context, object: &Value) -> Result {
    if object["items"].is_array() {
        return list(object, &["items"])
            .iter()
            .try_for_each(|item| print_names(cx, item));
    }
    cx.line(title(object))
}

/// `deployment.apps/web`, from the object alone.
#[must_use]
pub fn title(object: &Value) -> String {
    let (group, _) = k1s_core::kinds::split_api_version(text(object, &["apiVersion"]));
    let kind = text(object, &["kind"]).to_lowercase();
    let name = match text(object, &["metadata", "name"]) {
        "" => "<unknown>",
        name => name,
    };
    if group.is_empty() {
        format!("{kind}/{name}")
    } else {
        format!("{kind}.{group}/{name}")
    }
}

/// The object, or the list, without `managedFields`.
#[must_use]
pub fn without_managed_fields(object: &Value) -> Value {
    let mut out = object.clone();
    let strip = |object: &mut Value| {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    };
    strip(&mut out);
    for item in out
        .get_mut("items")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        strip(item);
    }
    out
}

/// Prints a value as `json` (indented by four), `kyaml` or `yaml`.
///
/// # Errors
/// When the output cannot be written.
pub fn value(cx: &Context, format: &str, value: &Value) -> Result {
    match format {
        "json" => cx.print(json(value)),
        "kyaml" => cx.print(kyaml(value)),
        _ => cx.print(yaml(value)),
    }
}

/// Indented by four, as kubectl prints JSON.
#[must_use]
pub fn json(value: &Value) -> String {
    let mut text = k1s_core::json::print_pretty(value);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Indented by two.
#[must_use]
pub fn json_two_spaces(value: &Value) -> String {
    format!("{value:#}\n")
}

/// In the style of Go's YAML package.
#[must_use]
pub fn yaml(value: &Value) -> String {
    crate::document::print_yaml(value)
}

/// YAML in flow style with all texts in quotes.
fn kyaml(value: &Value) -> String {
    let mut out = String::new();
    write_kyaml(&mut out, value, 0);
    out.push('\n');
    out
}

fn write_kyaml(out: &mut String, value: &Value, depth: usize) {
    let indent = |out: &mut String, depth: usize| out.extend(std::iter::repeat_n("  ", depth));
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push_str("{\n");
            for (key, value) in map {
                indent(out, depth + 1);
                let plain = key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
                if plain && key.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    out.push_str(key);
                } else {
                    out.push_str(&k1s_core::quote::Quoted(key).to_string());
                }
                out.push_str(": ");
                write_kyaml(out, value, depth + 1);
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push('}');
        }
        Value::Array(items) if items[..].iter().any(Value::is_object) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_kyaml(out, item, depth);
            }
            out.push(']');
        }
        Value::Array(items) if !items.is_empty() => {
            out.push_str("[\n");
            for item in items {
                indent(out, depth + 1);
                write_kyaml(out, item, depth + 1);
                out.push_str(",\n");
            }
            indent(out, depth);
            out.push(']');
        }
        Value::String(text) => out.push_str(&k1s_core::quote::Quoted(text).to_string()),
        other => out.push_str(&other.to_string()),
    }
}

/// Whether a command only pretends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It does what it says.
    #[default]
    None,
    /// Nothing is sent.
    Client,
    /// Everything is sent, nothing is stored.
    Server,
}

/// The flag of commands that can pretend.
pub const DRY_RUN: &[Flag] = &[Flag::text(
    "dry-run",
    "none, client (nothing is sent) or server (sent, but not stored).",
)
.default("none")
.bare("unchanged")];

impl DryRun {
    /// What the flag says.
    ///
    /// # Errors
    /// When it is none of its values.
    pub fn new(args: &Parsed) -> Result<Self> {
        match args.text("dry-run") {
            "" | "none" | "false" => Ok(Self::None),
            "client" | "unchanged" | "true" => Ok(Self::Client),
            "server" => Ok(Self::Server),
            other => Err(Error::message(format!(
                "Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
            ))),
        }
    }

    /// The value of the query's `dryRun`; empty if there is none.
    #[must_use]
    pub fn query(self) -> &'static str {
        if self == Self::Server { "All" } else { "" }
    }

    /// What is put after the words of a command.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}

/// How a command says what it did to an object: `configmap/a created`, or the object in the form asked for.
pub struct Outcome {
    printer: Option<Printer>,
    /// Whether the command only pretends.
    pub dry_run: DryRun,
}

impl Outcome {
    /// What the flags ask for.
    ///
    /// # Errors
    /// When there is no such form or no such dry run.
    pub fn new(args: &Parsed) -> Result<Self> {
        let dry_run = DryRun::new(args)?;
        Ok(Self {
            printer: Printer::new(args, Forms::Objects)?,
            dry_run,
        })
    }

    /// Whether a form was asked for.
    #[must_use]
    pub fn has_form(&self) -> bool {
        self.printer.is_some()
    }

    /// Prints an object in the form that was asked for, if one was.
    ///
    /// # Errors
    /// When a template does not fit the object, or the output cannot be written.
    pub fn print(&mut self, cx: &Context, object: &Value) -> Result {
        self.printer
            .as_mut()
            .map_or(Ok(()), |printer| printer.print(cx, object))
    }

    /// Tells what was done to an object.
    ///
    /// # Errors
    /// When a template does not fit the object, or the output cannot be written.
    pub fn tell(
        &mut self,
        cx: &Context,
        resource: &Resource,
        object: &Value,
        done: &str,
    ) -> Result {
        if let Some(printer) = &mut self.printer {
            return printer.print(cx, object);
        }
        let name = resource.object_name(text(object, &["metadata", "name"]));
        cx.line(format_args!("{name} {done}{}", self.dry_run.suffix()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_forms_name_those_there_are() {
        assert_eq!(
            unknown_form("fancy", Forms::Tables).to_string(),
            "unable to match a printer suitable for the output format \"fancy\", allowed formats are: custom-columns,\
             custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,\
             templatefile,wide,yaml"
        );
    }

    #[test]
    fn managed_fields_leave_objects_and_items() {
        let object = json!({"metadata": {"name": "a", "managedFields": []}, "items": [{"metadata": {"managedFields": []}}]});
        assert_eq!(
            without_managed_fields(&object),
            json!({"metadata": {"name": "a"}, "items": [{"metadata": {}}]})
        );
        assert_eq!(
            title(
                &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}})
            ),
            "deployment.apps/web"
        );
    }
}
