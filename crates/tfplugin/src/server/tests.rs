// SPDX-License-Identifier: Apache-2.0
//! A host in the test: it speaks gRPC to the services and checks what a host checks.

use std::sync::Mutex;

use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tonic::codegen::http::uri::PathAndQuery;

use super::*;
use crate::cty::{Type, Value};
use crate::diagnostic::Diagnostics;
use crate::proto::*;
use crate::provider::{self, *};
use crate::schema::{Attribute, Block, Identity, Schema};

/// A shelf of boxes, as something to manage.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<(String, i64)>>>);

#[crate::async_trait]
impl Provider for Shelf {
    fn schema(&self) -> Schema {
        let token = Attribute::optional(Type::String).sensitive();
        Schema::new(Block::new("A shelf.").attribute("token", token))
    }

    async fn configure(&self, config: &Value, diagnostics: &mut Diagnostics) {
        if config.attribute("token").as_str() == Some("wrong") {
            diagnostics.error("The token is refused", "Set another.");
        }
    }

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        vec![("shelf_box", Arc::new(self.clone()))]
    }

    fn functions(&self) -> Vec<(&'static str, Arc<dyn provider::Function>)> {
        vec![("fail", Arc::new(Fail))]
    }

    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        vec![("shelf_shake", Arc::new(Shake))]
    }

    fn lists(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        vec![("shelf_box", Arc::new(self.clone()))]
    }
}

impl Shelf {
    fn state(name: &str, size: i64) -> Value {
        Value::object([
            ("id", Value::from(format!("box-{name}"))),
            ("name", Value::from(name)),
            ("secret", Value::Null),
            ("size", Value::from(size)),
        ])
    }
}

#[crate::async_trait]
impl Resource for Shelf {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("A box.")
                .attribute("name", Attribute::required(Type::String).replaces())
                .attribute(
                    "size",
                    Attribute::optional(Type::Number)
                        .default(1)
                        .check(crate::validator::between(1, 9)),
                )
                .attribute("secret", Attribute::optional(Type::String).write_only())
                .attribute("id", Attribute::computed(Type::String).keeps()),
        )
        .version(1)
    }

    fn identity(&self) -> Option<Identity> {
        Some(Identity {
            version: 0,
            attributes: vec![("name", Type::String, true, "Name of the box.")],
        })
    }

    fn identity_of(&self, state: &Value) -> Value {
        match state.attribute("name") {
            Value::Null => Value::Null,
            name => Value::object([("name", name.clone())]),
        }
    }

    async fn create(&self, apply: &mut Apply) {
        let name = apply.planned.attribute("name").as_str().unwrap().to_owned();
        let size = apply.planned.attribute("size").as_i64().unwrap();
        self.0.lock().unwrap().push((name.clone(), size));
        apply.state = Self::state(&name, size);
        if apply.config.attribute("secret").as_str() == Some("stuck") {
            apply.diagnostics.error("The box is stuck", "Push harder.");
        }
    }

    async fn read(&self, read: &mut Read) {
        let name = read.state.attribute("name").as_str().unwrap().to_owned();
        let boxes = self.0.lock().unwrap();
        read.state = match boxes.iter().find(|b| b.0 == name) {
            Some((name, size)) => Self::state(name, *size),
            None => Value::Null,
        };
    }

    async fn update(&self, apply: &mut Apply) {
        apply
            .diagnostics
            .error("A box cannot grow", "Make another.");
    }

    async fn delete(&self, apply: &mut Apply) {
        let name = apply.prior.attribute("name").as_str().unwrap().to_owned();
        self.0.lock().unwrap().retain(|b| b.0 != name);
    }

    async fn import(&self, import: &mut Import) {
        let name = import
            .identity
            .attribute("name")
            .as_str()
            .unwrap_or(&import.id);
        import.state = Self::state(name, 0);
    }

    fn upgrade(&self, _: i64, mut state: serde_json::Value) -> Result<serde_json::Value, String> {
        let object = state.as_object_mut().ok_or("no object")?;
        let old = object.remove("title").ok_or("no title")?;
        object.insert("name".into(), old);
        Ok(state)
    }
}

#[crate::async_trait]
impl ListResource for Shelf {
    fn schema(&self) -> Schema {
        Schema::new(Block::new("All boxes."))
    }

    async fn list(
        &self,
        _: &Value,
        with_state: bool,
        _: i64,
        _: &mut Diagnostics,
        _: &crate::Cancel,
    ) -> Vec<Listed> {
        let boxes = self.0.lock().unwrap();
        let listed = |(name, size): &(String, i64)| Listed {
            identity: Value::object([("name", Value::from(&name[..]))]),
            display_name: name.clone(),
            state: if with_state {
                Self::state(name, *size)
            } else {
                Value::Null
            },
        };
        boxes.iter().map(listed).collect()
    }
}

struct Shake;

#[crate::async_trait]
impl Action for Shake {
    fn schema(&self) -> Schema {
        Schema::new(Block::new("").attribute("times", Attribute::optional(Type::Number).default(2)))
    }

    async fn invoke(&self, invocation: &mut Invocation) {
        for i in 1..=invocation.config.attribute("times").as_i64().unwrap_or(0) {
            invocation.progress(format!("shake {i}"));
        }
        invocation.cancel.cancelled().await;
        invocation.diagnostics.warning("Stopped", "");
    }
}

struct Fail;

impl provider::Function for Fail {
    fn signature(&self) -> Signature {
        Signature {
            parameters: vec![provider::Parameter {
                name: "how",
                of: Type::String,
                nullable: false,
                description: "",
            }],
            variadic: None,
            returns: Type::String,
            summary: "",
            description: "",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, provider::FunctionError> {
        match arguments[0].as_str() {
            Some("panic") => panic!("as asked"),
            _ => Err(provider::FunctionError::argument(0, "as asked")),
        }
    }
}

/// The other end of a connection to the services.
struct Client(hyper::client::conn::http2::SendRequest<Body>);

impl Client {
    async fn over<S>(stream: S) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    async fn to(provider: impl Provider) -> Self {
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(crate::serve::connection(far, Arc::new(Host::new(provider))));
        Self::over(near).await
    }

    fn grpc(
        &self,
    ) -> tonic::client::Grpc<
        impl tonic::client::GrpcService<
            Body,
            ResponseBody = hyper::body::Incoming,
            Error = hyper::Error,
            Future: Send,
        > + Clone,
    > {
        let sender = self.0.clone();
        let origin = http::Uri::from_static("http://localhost");
        let service = tower::service_fn(move |request| sender.clone().send_request(request));
        tonic::client::Grpc::with_origin(service, origin)
    }

    async fn call<Q, R>(&self, path: &'static str, request: Q) -> Result<R, tonic::Status>
    where
        Q: Message + Default + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.grpc();
        grpc.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let response = grpc
            .unary(Request::new(request), path, ProstCodec::<Q, R>::default())
            .await?;
        Ok(response.into_inner())
    }

    async fn stream<Q, R>(&self, path: &'static str, request: Q) -> tonic::Streaming<R>
    where
        Q: Message + Default + Send + Sync + 'static,
        R: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.grpc();
        grpc.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        grpc.server_streaming(Request::new(request), path, ProstCodec::<Q, R>::default())
            .await
            .unwrap()
            .into_inner()
    }
}

fn of() -> Type {
    Resource::schema(&Shelf::default()).value_type()
}

fn dv(value: &Value) -> Option<DynamicValue> {
    host::encode(value, &of()).unwrap()
}

fn value(dv: Option<&DynamicValue>) -> Value {
    host::decode(dv, &of()).unwrap()
}

fn config(name: &str, secret: Option<&str>) -> Value {
    Value::object([
        ("id", Value::Null),
        ("name", Value::from(name)),
        ("secret", Value::from(secret)),
        ("size", Value::Null),
    ])
}

/// Plans and applies a creation as a host does, and checks what a host checks.
async fn create(client: &Client, config: &Value) -> ApplyResourceChangeResponse {
    let plan: PlanResourceChangeResponse = client
        .call(
            "/tfplugin6.Provider/PlanResourceChange",
            PlanResourceChangeRequest {
                type_name: "shelf_box".into(),
                prior_state: dv(&Value::Null),
                proposed_new_state: dv(config),
                config: dv(config),
                ..Default::default()
            },
        )
        .await
        .unwrap();
    let planned = value(plan.planned_state.as_ref());
    assert_eq!(planned.attribute("secret"), &Value::Null);
    let applied: ApplyResourceChangeResponse = client
        .call(
            "/tfplugin6.Provider/ApplyResourceChange",
            ApplyResourceChangeRequest {
                type_name: "shelf_box".into(),
                prior_state: dv(&Value::Null),
                planned_state: plan.planned_state,
                config: dv(config),
                planned_private: plan.planned_private,
                ..Default::default()
            },
        )
        .await
        .unwrap();
    let state = value(applied.new_state.as_ref());
    assert!(state.is_wholly_known());
    for (name, planned) in planned.as_map().unwrap() {
        if planned.is_wholly_known() {
            assert_eq!(state.attribute(name), planned, "{name}");
        }
    }
    applied
}

#[tokio::test]
async fn a_resource_lives() {
    let shelf = Shelf::default();
    let client = Client::to(shelf.clone()).await;
    let created = create(&client, &config("a", None)).await;
    assert!(created.diagnostics.is_empty());
    let state = value(created.new_state.as_ref());
    assert_eq!(state, Shelf::state("a", 1));
    assert!(created.new_identity.is_some());

    let read = |state: &Value| ReadResourceRequest {
        type_name: "shelf_box".into(),
        current_state: dv(state),
        ..Default::default()
    };
    shelf.0.lock().unwrap()[0].1 = 5;
    let path = "/tfplugin6.Provider/ReadResource";
    let drifted: ReadResourceResponse = client.call(path, read(&state)).await.unwrap();
    assert_eq!(value(drifted.new_state.as_ref()), Shelf::state("a", 5));
    shelf.0.lock().unwrap().clear();
    let gone: ReadResourceResponse = client.call(path, read(&state)).await.unwrap();
    assert!(value(gone.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn what_was_made_before_a_failure_is_kept() {
    let client = Client::to(Shelf::default()).await;
    let created = create(&client, &config("a", Some("stuck"))).await;
    assert_eq!(created.diagnostics[0].summary, "The box is stuck");
    assert_eq!(value(created.new_state.as_ref()), Shelf::state("a", 1));
}

#[tokio::test]
async fn a_configuration_is_checked_where_it_stands() {
    let client = Client::to(Shelf::default()).await;
    let check = async |config: Value, write_only: bool| {
        let response: DiagnosticsResponse = client
            .call(
                "/tfplugin6.Provider/ValidateResourceConfig",
                ValidateConfigRequest {
                    type_name: "shelf_box".into(),
                    config: dv(&config),
                    client_capabilities: Some(ClientCapabilities {
                        write_only_attributes_allowed: write_only,
                        ..Default::default()
                    }),
                },
            )
            .await
            .unwrap();
        response
            .diagnostics
            .iter()
            .map(|d| d.detail.clone())
            .collect::<Vec<_>>()
    };
    let mut big = config("a", None);
    big.set("size", 10);
    assert_eq!(
        check(big, true).await,
        ["size must be a whole number between 1 and 9, is 10."]
    );
    let mut unknown = config("a", None);
    unknown.set("size", Value::Unknown);
    assert!(check(unknown, true).await.is_empty());
    assert!(check(config("a", Some("s")), true).await.is_empty());
    assert!(check(config("a", Some("s")), false).await[0].contains("1.11"));
}

#[tokio::test]
async fn states_come_forward() {
    let client = Client::to(Shelf::default()).await;
    let upgrade = async |version, json: &str| -> UpgradeResourceStateResponse {
        let request = UpgradeResourceStateRequest {
            type_name: "shelf_box".into(),
            version,
            raw_state: Some(RawState {
                json: json.as_bytes().to_vec(),
                ..Default::default()
            }),
        };
        let path = "/tfplugin6.Provider/UpgradeResourceState";
        client.call(path, request).await.unwrap()
    };
    let old = upgrade(0, r#"{"title": "a", "size": 1, "id": "box-a", "gone": 1}"#).await;
    assert_eq!(value(old.upgraded_state.as_ref()), Shelf::state("a", 1));
    let newer = upgrade(2, "{}").await;
    assert_eq!(newer.diagnostics[0].summary, "State of a newer provider");
    let broken = upgrade(0, "{}").await;
    assert!(broken.diagnostics[0].detail.contains("no title"));
}

#[tokio::test]
async fn imports_by_id_and_by_identity() {
    let client = Client::to(Shelf::default()).await;
    let identity = Value::object([("name", Value::from("b"))]);
    let of_identity = Shelf::default().identity().unwrap().value_type();
    for (id, identity_data) in [
        ("b", None),
        ("", host::encode(&identity, &of_identity).unwrap()),
    ] {
        let request = ImportResourceStateRequest {
            type_name: "shelf_box".into(),
            id: id.into(),
            identity: identity_data.map(|d| ResourceIdentityData {
                identity_data: Some(d),
            }),
            ..Default::default()
        };
        let path = "/tfplugin6.Provider/ImportResourceState";
        let imported: ImportResourceStateResponse = client.call(path, request).await.unwrap();
        let one = &imported.imported_resources[0];
        assert_eq!(
            value(one.state.as_ref()).attribute("name"),
            &Value::from("b")
        );
    }
}

#[tokio::test]
async fn an_action_tells_how_far_it_is_and_stops() {
    let client = Client::to(Shelf::default()).await;
    let of = Action::schema(&Shake).value_type();
    let config = Value::object([("times", Value::Null)]);
    let mut events = client
        .stream::<_, InvokeActionEvent>(
            "/tfplugin6.Provider/InvokeAction",
            InvokeActionRequest {
                action_type: "shelf_shake".into(),
                config: host::encode(&config, &of).unwrap(),
                client_capabilities: None,
            },
        )
        .await;
    for expected in ["shake 1", "shake 2"] {
        match events.message().await.unwrap().unwrap().event.unwrap() {
            ActionEvent::Progress(p) => assert_eq!(p.message, expected),
            ActionEvent::Completed(_) => panic!("too early"),
        }
    }
    let _: StopProviderResponse = client
        .call("/tfplugin6.Provider/StopProvider", StopProviderRequest {})
        .await
        .unwrap();
    match events.message().await.unwrap().unwrap().event.unwrap() {
        ActionEvent::Completed(c) => assert_eq!(c.diagnostics[0].summary, "Stopped"),
        ActionEvent::Progress(p) => panic!("{}", p.message),
    }
    assert!(events.message().await.unwrap().is_none());
}

#[tokio::test]
async fn lists_find_what_is_there() {
    let shelf = Shelf::default();
    shelf.0.lock().unwrap().push(("x".into(), 3));
    let client = Client::to(shelf).await;
    let mut events = client
        .stream::<_, ListResourceEvent>(
            "/tfplugin6.Provider/ListResource",
            ListResourceRequest {
                type_name: "shelf_box".into(),
                include_resource_object: true,
                ..Default::default()
            },
        )
        .await;
    let one = events.message().await.unwrap().unwrap();
    assert_eq!(one.display_name, "x");
    assert_eq!(value(one.resource_object.as_ref()), Shelf::state("x", 3));
    assert!(events.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_function_that_fails_names_its_argument_and_a_defect_ends_one_call_alone() {
    let client = Client::to(Shelf::default()).await;
    let call = async |how: &str| -> Result<CallFunctionResponse, tonic::Status> {
        let request = CallFunctionRequest {
            name: "fail".into(),
            arguments: vec![DynamicValue {
                msgpack: Value::from(how).to_msgpack(&Type::String).unwrap(),
                json: Vec::new(),
            }],
        };
        client
            .call("/tfplugin6.Provider/CallFunction", request)
            .await
    };
    assert_eq!(
        call("panic").await.unwrap_err().code(),
        tonic::Code::Internal
    );
    let error = call("x").await.unwrap().error.unwrap();
    assert_eq!(error.text, "as asked");
    assert_eq!(error.function_argument, Some(0));
}

#[tokio::test]
async fn unknown_names_and_calls_are_refused() {
    let client = Client::to(Shelf::default()).await;
    let request = ValidateConfigRequest {
        type_name: "shelf_door".into(),
        ..Default::default()
    };
    let path = "/tfplugin6.Provider/ValidateResourceConfig";
    let status = client
        .call::<_, DiagnosticsResponse>(path, request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    let status = client
        .call::<_, Empty>("/tfplugin6.Provider/LockState", Empty {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn the_host_says_when_it_is_done() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let host = Arc::new(Host::new(Shelf::default()));
    let serving = tokio::spawn(crate::serve::connection(far, host.clone()));
    let client = Client::over(near).await;
    let health: HealthCheckResponse = client
        .call(
            "/grpc.health.v1.Health/Check",
            HealthCheckRequest {
                service: "plugin".into(),
            },
        )
        .await
        .unwrap();
    assert_eq!(health.status, 1);
    let _: Empty = client
        .call("/plugin.GRPCController/Shutdown", Empty {})
        .await
        .unwrap();
    host.stopped().await;
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn the_schema_as_a_host_reads_it() {
    let client = Client::to(Shelf::default()).await;
    let schema: GetProviderSchemaResponse = client
        .call(
            "/tfplugin6.Provider/GetProviderSchema",
            GetProviderSchemaRequest {},
        )
        .await
        .unwrap();
    let block = schema.resource_schemas["shelf_box"].block.clone().unwrap();
    let size = block.attributes.iter().find(|a| a.name == "size").unwrap();
    // a default is the provider's word: the attribute is computed as well
    assert!(size.optional && size.computed && !size.required);
    assert_eq!(size.r#type, b"\"number\"");
    assert!(schema.server_capabilities.unwrap().plan_destroy);
    assert_eq!(schema.action_schemas.len(), 1);
}
