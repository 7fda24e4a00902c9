// SPDX-License-Identifier: Apache-2.0
//! A provider of notes: text files below a directory. It shows each kind of thing that a provider can have, and how it is tested.
//!
//! ```hcl
//! provider "notes" {
//!   directory = "/tmp/notes"
//! }
//!
//! resource "notes_note" "milk" {
//!   name = "milk"
//!   text = "buy some"
//! }
//! ```

use std::path::{Path as FilePath, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, RwLock};

use tfplugin::{
    Action, Apply, Attribute, Block, DataRead, DataSource, Diagnostics, Ephemeral,
    EphemeralResource, Function, FunctionError, Identity, Import, Invocation, ListResource, Listed,
    Parameter, Path, Provider, Read, Resource, Schema, Signature, Type, Value, async_trait,
    validator,
};

/// Where the notes are; set when the provider is configured.
type Directory = Arc<RwLock<Option<PathBuf>>>;

fn place(directory: &Directory, name: &str, diagnostics: &mut Diagnostics) -> Option<PathBuf> {
    let guard = directory
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if guard.is_none() {
        diagnostics.error(
            "No directory",
            "The provider's `directory` is not known yet.",
        );
    }
    guard.as_ref().map(|d| d.join(name))
}

fn state(name: &str, text: &str) -> Value {
    Value::object([
        ("name", Value::from(name)),
        ("text", Value::from(text)),
        (
            "length",
            Value::from(i64::try_from(text.len()).unwrap_or(i64::MAX)),
        ),
    ])
}

#[derive(Default)]
struct Notes {
    directory: Directory,
}

#[async_trait]
impl Provider for Notes {
    fn schema(&self) -> Schema {
        let directory = Attribute::required(Type::String)
            .describe("Directory of the notes.")
            .check(validator::not_empty());
        Schema::new(Block::new("Notes in text files.").attribute("directory", directory))
    }

    async fn configure(&self, config: &Value, _diagnostics: &mut Diagnostics) {
        let mut directory = self
            .directory
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *directory = config.attribute("directory").as_str().map(PathBuf::from);
    }

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        vec![("notes_note", Arc::new(Note(self.directory.clone())))]
    }

    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        vec![("notes_note", Arc::new(NoteData(self.directory.clone())))]
    }

    fn ephemeral_resources(&self) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
        vec![("notes_note", Arc::new(NoteData(self.directory.clone())))]
    }

    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        vec![("slug", Arc::new(Slug))]
    }

    fn lists(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        vec![("notes_note", Arc::new(Note(self.directory.clone())))]
    }

    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        vec![("notes_append", Arc::new(Append(self.directory.clone())))]
    }
}

struct Note(Directory);

impl Note {
    /// Writes the note; what was there before the write stays in the state if it fails.
    fn write(&self, apply: &mut Apply) {
        let name = apply
            .planned
            .attribute("name")
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let text = apply
            .planned
            .attribute("text")
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Some(path) = place(&self.0, &name, &mut apply.diagnostics) else {
            return;
        };
        match std::fs::write(&path, &text) {
            Ok(()) => apply.state = state(&name, &text),
            Err(e) => apply
                .diagnostics
                .error(format!("Cannot write {}", path.display()), e.to_string()),
        }
    }
}

#[async_trait]
impl Resource for Note {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("A note.")
                .attribute(
                    "name",
                    Attribute::required(Type::String)
                        .describe("Name of the file.")
                        .replaces()
                        .check(validator::matches(
                            "[a-z0-9-]+",
                            "small letters, digits and dashes",
                        )),
                )
                .attribute(
                    "text",
                    Attribute::optional(Type::String)
                        .describe("What it says.")
                        .default(""),
                )
                .attribute(
                    "length",
                    Attribute::computed(Type::Number).describe("Length of the text in bytes."),
                ),
        )
    }

    fn identity(&self) -> Option<Identity> {
        Some(Identity {
            version: 0,
            attributes: vec![("name", Type::String, true, "Name of the file.")],
        })
    }

    fn identity_of(&self, state: &Value) -> Value {
        match state.attribute("name") {
            Value::Null => Value::Null,
            name => Value::object([("name", name.clone())]),
        }
    }

    async fn create(&self, apply: &mut Apply) {
        self.write(apply);
    }

    async fn update(&self, apply: &mut Apply) {
        self.write(apply);
    }

    async fn read(&self, read: &mut Read) {
        let name = read
            .state
            .attribute("name")
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Some(path) = place(&self.0, &name, &mut read.diagnostics) else {
            return;
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => read.state = state(&name, &text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => read.state = Value::Null,
            Err(e) => read
                .diagnostics
                .error(format!("Cannot read {}", path.display()), e.to_string()),
        }
    }

    async fn delete(&self, apply: &mut Apply) {
        let name = apply
            .prior
            .attribute("name")
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Some(path) = place(&self.0, &name, &mut apply.diagnostics) else {
            return;
        };
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                apply
                    .diagnostics
                    .error(format!("Cannot remove {}", path.display()), e.to_string());
            }
            _ => {}
        }
    }

    async fn import(&self, import: &mut Import) {
        let name = import
            .identity
            .attribute("name")
            .as_str()
            .unwrap_or(&import.id)
            .to_owned();
        match place(&self.0, &name, &mut import.diagnostics) {
            Some(path) if path.is_file() => import.state = state(&name, ""),
            Some(path) => import.diagnostics.error(
                format!("No note {name}"),
                format!("There is no file {}.", path.display()),
            ),
            None => {}
        }
    }
}

#[async_trait]
impl ListResource for Note {
    fn schema(&self) -> Schema {
        Schema::new(Block::new("All notes."))
    }

    async fn list(
        &self,
        _config: &Value,
        with_state: bool,
        limit: i64,
        diagnostics: &mut Diagnostics,
        _cancel: &tfplugin::Cancel,
    ) -> Vec<Listed> {
        let Some(directory) = place(&self.0, "", diagnostics) else {
            return Vec::new();
        };
        let mut names: Vec<_> = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        names.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        names
            .into_iter()
            .map(|name| Listed {
                identity: Value::object([("name", Value::from(&name[..]))]),
                state: if with_state {
                    state(&name, &read(&name))
                } else {
                    Value::Null
                },
                display_name: name,
            })
            .collect()
    }
}

struct NoteData(Directory);

impl NoteData {
    fn schema() -> Schema {
        Schema::new(
            Block::new("A note that exists.")
                .attribute(
                    "name",
                    Attribute::required(Type::String).describe("Name of the file."),
                )
                .attribute(
                    "text",
                    Attribute::computed(Type::String).describe("What it says."),
                )
                .attribute(
                    "length",
                    Attribute::computed(Type::Number).describe("Length of the text in bytes."),
                ),
        )
    }

    fn find(&self, config: &Value, diagnostics: &mut Diagnostics) -> Option<Value> {
        let name = config.attribute("name").as_str()?.to_owned();
        let path = place(&self.0, &name, diagnostics)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(state(&name, &text)),
            Err(e) => {
                let at = Path::of("name");
                diagnostics.error_at(
                    &at,
                    format!("No note {name}"),
                    format!("{}: {e}", path.display()),
                );
                None
            }
        }
    }
}

#[async_trait]
impl DataSource for NoteData {
    fn schema(&self) -> Schema {
        Self::schema()
    }

    async fn read(&self, read: &mut DataRead) {
        if let Some(found) = self.find(&read.config, &mut read.diagnostics) {
            read.state = found;
        }
    }
}

#[async_trait]
impl EphemeralResource for NoteData {
    fn schema(&self) -> Schema {
        Self::schema()
    }

    async fn open(&self, ephemeral: &mut Ephemeral) {
        if let Some(found) = self.find(&ephemeral.config, &mut ephemeral.diagnostics) {
            ephemeral.result = found;
        }
    }
}

struct Append(Directory);

#[async_trait]
impl Action for Append {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("Appends a line to a note.")
                .attribute(
                    "name",
                    Attribute::required(Type::String).describe("Name of the file."),
                )
                .attribute(
                    "line",
                    Attribute::required(Type::String).describe("The line."),
                ),
        )
    }

    async fn invoke(&self, invocation: &mut Invocation) {
        let name = invocation
            .config
            .attribute("name")
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let line = invocation
            .config
            .attribute("line")
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Some(path) = place(&self.0, &name, &mut invocation.diagnostics) else {
            return;
        };
        invocation.progress(format!("appending to {name}"));
        if let Err(e) = append(&path, &line) {
            invocation
                .diagnostics
                .error(format!("Cannot write {}", path.display()), e.to_string());
        }
    }
}

fn append(path: &FilePath, line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
    writeln!(file, "{line}")
}

struct Slug;

impl Function for Slug {
    fn signature(&self) -> Signature {
        Signature {
            parameters: vec![Parameter {
                name: "title",
                of: Type::String,
                nullable: false,
                description: "Any text.",
            }],
            variadic: None,
            returns: Type::String,
            summary: "A name for a note.",
            description: "Makes a name out of a title: small letters, digits and dashes.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let title = arguments[0].as_str().unwrap_or_default().to_lowercase();
        let words: Vec<_> = title
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|w| !w.is_empty())
            .collect();
        if words.is_empty() {
            return Err(FunctionError::argument(
                0,
                "a title needs a letter or a digit",
            ));
        }
        Ok(words.join("-").into())
    }
}

fn main() -> ExitCode {
    match tfplugin::serve("notes", Notes::default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tfplugin::testing::{Action as Does, Core, Instance, unknown};

    use super::*;

    async fn core(directory: &FilePath) -> Core {
        let core = Core::new(Notes::default());
        let config = json!({"directory": directory});
        core.configure(config).await.unwrap();
        core
    }

    #[tokio::test]
    async fn a_note_lives() {
        let dir = tempfile::tempdir().unwrap();
        let core = core(dir.path()).await;
        let none = Instance::none("notes_note");
        let config = json!({"name": "milk", "text": "buy some"});
        let change = core.plan(&none, config.clone()).await.unwrap();
        assert_eq!(change.action, Does::Create);
        assert!(change.planned.attribute("length").is_unknown());
        let (note, result) = core.apply(change).await;
        result.unwrap();
        assert_eq!(note.text("length"), "8");
        assert_eq!(
            core.plan(&note, config.clone()).await.unwrap().action,
            Does::Nothing
        );

        // somebody else wrote into it
        std::fs::write(dir.path().join("milk"), "none").unwrap();
        let (read, _) = core.refresh(&note).await.unwrap();
        assert_eq!(
            core.plan(&read, config.clone()).await.unwrap().action,
            Does::Update
        );

        let renamed = json!({"name": "bread", "text": "buy some"});
        let change = core.plan(&note, renamed).await.unwrap();
        assert_eq!(
            (change.action, &change.replaces[..]),
            (Does::Replace, &["name".to_owned()][..])
        );
        let (bread, result) = core.apply(change).await;
        result.unwrap();
        assert!(!dir.path().join("milk").exists());

        core.destroy(&bread).await.unwrap();
        let (gone, _) = core.refresh(&bread).await.unwrap();
        assert!(gone.state.is_null());
    }

    #[tokio::test]
    async fn all_else_that_a_provider_can_have() {
        let dir = tempfile::tempdir().unwrap();
        let core = core(dir.path()).await;
        std::fs::write(dir.path().join("milk"), "buy some\n").unwrap();
        core.invoke("notes_append", json!({"name": "milk", "line": "two"}))
            .await
            .unwrap();
        let (note, _) = core
            .data("notes_note", json!({"name": "milk"}))
            .await
            .unwrap();
        assert_eq!(note.attribute("text").as_str(), Some("buy some\ntwo\n"));
        let (note, _) = core
            .open("notes_note", json!({"name": "milk"}))
            .await
            .unwrap();
        assert_eq!(note.attribute("length").as_i64(), Some(13));
        let (imported, _) = core.import("notes_note", "milk").await.unwrap();
        assert_eq!(imported.text("text"), "buy some\ntwo\n");
        let found = core.list("notes_note", json!({}), 10).await.unwrap();
        assert_eq!(found[0].display_name, "milk");
        let slug = core
            .call("slug", &[Value::from("Buy Some Milk!")])
            .await
            .unwrap();
        assert_eq!(slug.as_str(), Some("buy-some-milk"));
        core.call("slug", &[Value::from("!")]).await.unwrap_err();
        let none = Instance::none("notes_note");
        core.plan(&none, json!({"name": unknown()})).await.unwrap();
        let error = core
            .plan(&none, json!({"name": "Not This"}))
            .await
            .unwrap_err();
        assert_eq!(error.0[0].at, "name");
    }
}
