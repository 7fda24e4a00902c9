// SPDX-License-Identifier: Apache-2.0
//! Calls of functions.

use tonic::Status;

use super::host::{Host, decode, encode, named};
use crate::proto::{
    CallFunctionRequest, CallFunctionResponse, Function, FunctionError, Parameter, Return,
    StringKind,
};
use crate::provider;

/// A signature for the host.
pub(super) fn describe(signature: &provider::Signature) -> Function {
    let parameter = |p: &provider::Parameter| Parameter {
        name: p.name.to_owned(),
        r#type: p.of.to_bytes(),
        allow_null_value: p.nullable,
        allow_unknown_values: false,
        description: p.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
    };
    Function {
        parameters: signature.parameters.iter().map(parameter).collect(),
        variadic_parameter: signature.variadic.as_ref().map(parameter),
        r#return: Some(Return {
            r#type: signature.returns.to_bytes(),
        }),
        summary: signature.summary.to_owned(),
        description: signature.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

impl Host {
    pub(crate) async fn call_function(
        &self,
        request: CallFunctionRequest,
    ) -> Result<CallFunctionResponse, Status> {
        let function = named(&self.functions, "function", &request.name)?;
        let signature = function.signature();
        let fixed = signature.parameters.len();
        let given = request.arguments.len();
        if given < fixed || given > fixed && signature.variadic.is_none() {
            return Err(Status::invalid_argument(format!(
                "{} takes {fixed} arguments, {given} were given",
                request.name
            )));
        }
        let arguments = request
            .arguments
            .iter()
            .enumerate()
            .map(|(i, argument)| {
                let parameter = signature.parameters.get(i).or(signature.variadic.as_ref());
                decode(
                    Some(argument),
                    parameter.map_or(&signature.returns, |p| &p.of),
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match function.call(&arguments) {
            Ok(value) => CallFunctionResponse {
                result: encode(&value, &signature.returns)?,
                error: None,
            },
            Err(e) => CallFunctionResponse {
                result: None,
                error: Some(FunctionError {
                    text: e.text,
                    function_argument: e.argument,
                }),
            },
        })
    }
}
