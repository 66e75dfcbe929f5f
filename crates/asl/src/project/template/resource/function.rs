//! `AWS::Serverless::Function`, `AWS::Lambda::Function`, and the layers they name.

use super::super::{CodeModel, FunctionModel, Model};
use super::Properties;
use crate::project::error::Problem;
use crate::project::template::parameter::scalar_text;
use crate::project::template::scope::{Resource, Scope};
use std::collections::BTreeMap;

const LAYERS: [&str; 2] = ["AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion"];

pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource<'_>,
    name: &str,
    model: &mut Model,
) -> Result<(), Box<Problem>> {
    let properties = Properties { scope, resource };
    let serverless = resource.kind == "AWS::Serverless::Function";
    let image = properties.text("PackageType")?.as_deref() == Some("Image") || resource.property("ImageUri").is_some();
    if image {
        let message = format!("function `{}` is a container image, which has no backend here", resource.id);
        let help = "let it run behind a URL: `[functions.NAME] Url = \"http://...\"` in asl.toml, or mock its states";
        return Err(scope.problem(resource.span, message, help));
    }
    let places = resource.properties.as_object().unwrap_or_default();
    let code = if serverless { sam_code(&properties)? } else { code(&properties)? };
    let mut function = FunctionModel {
        id: resource.id.to_owned(),
        name: name.to_owned(),
        runtime: properties.needed_text("Runtime")?,
        handler: properties.text("Handler")?.unwrap_or_default(),
        code,
        timeout_s: properties.number("Timeout")?.map(u64::from),
        memory_mb: properties.number("MemorySize")?,
        environment: environment(&properties)?,
        layers: Vec::new(),
        span: resource.span,
        places: places.iter().map(|m| (m.key.to_string(), m.value.span)).collect(),
    };
    layers(&properties, &mut function, model)?;
    model.functions.push(function);
    Ok(())
}

fn sam_code(properties: &Properties<'_, '_>) -> Result<CodeModel, Box<Problem>> {
    if let Some(inline) = properties.text("InlineCode")? {
        return Ok(CodeModel::Inline(inline));
    }
    located(properties, "CodeUri", "Key").map(|code| code.unwrap_or(CodeModel::Path(".".to_owned())))
}

fn code(properties: &Properties<'_, '_>) -> Result<CodeModel, Box<Problem>> {
    if let Some(inline) = properties.value("Code")?.as_ref().and_then(|code| code.get("ZipFile")).and_then(scalar_text)
    {
        return Ok(CodeModel::Inline(inline));
    }
    located(properties, "Code", "S3Key")?.ok_or_else(|| properties.missing("Code"))
}

/// A path, an object of a bucket, or the folder that `cdk` notes beside it.
fn located(properties: &Properties<'_, '_>, name: &str, key: &str) -> Result<Option<CodeModel>, Box<Problem>> {
    if let Some(asset) = properties.resource.asset() {
        return Ok(Some(CodeModel::Path(asset.to_owned())));
    }
    let Some(value) = properties.value(name)? else { return Ok(None) };
    let found = match value.as_str() {
        Some(uri) => match uri.strip_prefix("s3://") {
            Some(object) => object.split_once('/').map(|(_, key)| CodeModel::Key(key.to_owned())),
            None => Some(CodeModel::Path(uri.to_owned())),
        },
        None => value.get(key).and_then(scalar_text).map(CodeModel::Key),
    };
    found.map(Some).ok_or_else(|| properties.wrong(name, &format!("{name} is a path, or an object with {key}")))
}

fn environment(properties: &Properties<'_, '_>) -> Result<BTreeMap<String, String>, Box<Problem>> {
    let mut variables = BTreeMap::new();
    let environment = properties.node("Environment")?;
    let given = environment.as_ref().and_then(|node| node.member("Variables"));
    let given = given.and_then(|variables| variables.value.as_object()).unwrap_or_default();
    for member in given {
        if let Some(text) = properties.scope.text_of(&member.value)? {
            variables.insert(member.key.to_string(), text);
        }
    }
    Ok(variables)
}

/// The folders of the layers that are in the template; what others publish is not here.
fn layers(
    properties: &Properties<'_, '_>,
    function: &mut FunctionModel,
    model: &mut Model,
) -> Result<(), Box<Problem>> {
    let Some(list) = properties.node("Layers")? else { return Ok(()) };
    let scope = properties.scope;
    for item in list.as_array().unwrap_or_default() {
        let Some(arn) = item.as_str() else { continue };
        let mut own = scope.resources.iter().filter(|resource| resource.is(&LAYERS));
        let found = own.find(|layer| {
            let name = scope.physical(layer);
            name.is_ok_and(|name| arn.rsplit_once(":layer:").is_some_and(|(_, rest)| rest == format!("{name}:1")))
        });
        match found {
            Some(layer) => function.layers.extend(content(scope, layer)?),
            None => {
                let message = format!("layer {arn} of `{}` is not in the template", function.id);
                let help = "install what is in it beside the handler";
                model.notes.push(*scope.problem(item.span, message, help));
            }
        }
    }
    Ok(())
}

fn content(scope: &Scope<'_>, layer: &Resource<'_>) -> Result<Option<String>, Box<Problem>> {
    let properties = Properties { scope, resource: layer };
    let serverless = layer.kind == "AWS::Serverless::LayerVersion";
    let (name, key) = if serverless { ("ContentUri", "Key") } else { ("Content", "S3Key") };
    Ok(match located(&properties, name, key)? {
        Some(CodeModel::Path(path) | CodeModel::Key(path)) => Some(path),
        _ => None,
    })
}
