//! One call: what is checked before it is sent, when it is sent again, where credentials come from, and what nobody is shown.

mod common;

use asl_aws::system::SendErrorKind;
use asl_aws::{Answer, CallError, Client, Role, Settings, model};
use asl_value::Value;
use common::{NOW_MS, World, response, world};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "very-secret"), ("AWS_REGION", "eu-central-1")];

async fn call_with(
    world: &Arc<World>,
    settings: Settings,
    name: &str,
    parameters: &str,
    role: Option<&Role>,
) -> Result<Answer, CallError> {
    let (name, action) = name.split_once(':').unwrap();
    let service = model::service(name).unwrap();
    let operation = service.operation(action).unwrap();
    let client = Client::new(world.clone(), settings);
    client.call(&service, operation, &parameters.parse::<Value>().unwrap(), "token", role).await
}

async fn call(world: &Arc<World>, name: &str, parameters: &str) -> Result<Answer, CallError> {
    call_with(world, Settings::default(), name, parameters, None).await
}

/// A list that needs no parameters.
const LIST: (&str, &str) = ("dynamodb:listTables", "{}");

#[tokio::test]
async fn failures_that_pass_are_tried_again_with_delays() {
    let world = world(&KEYS).answers(response(503, &[], "<html>")).answers(Err(SendErrorKind::Broken));
    let world = Arc::new(world.answers(response(200, &[], r#"{"TableNames":["a"]}"#)));
    let answer = call(&world, LIST.0, LIST.1).await.unwrap();
    assert_eq!(answer.result.to_string(), r#"{"TableNames":["a"]}"#);
    assert_eq!((world.sent().len(), world.slept_ms.lock().unwrap().clone()), (3, vec![100, 200]));
}

#[tokio::test]
async fn attempts_are_bounded_and_refusals_final() {
    let throttled = || response(400, &[], r#"{"__type":"ThrottlingException","message":"slow down"}"#);
    let world = Arc::new(
        common::world(&KEYS).answers(throttled()).answers(throttled()).answers(throttled()).answers(throttled()),
    );
    let Err(CallError::Fault(fault)) = call(&world, LIST.0, LIST.1).await else { panic!("a fault") };
    assert_eq!((fault.code.as_str(), world.sent().len()), ("ThrottlingException", 3));
    assert_eq!(*world.slept_ms.lock().unwrap(), [1000, 2000]);

    let refused = response(400, &[], r#"{"__type":"ValidationException","message":"no"}"#);
    let world = Arc::new(common::world(&KEYS).answers(refused));
    assert!(call(&world, LIST.0, LIST.1).await.is_err());
    assert_eq!(world.sent().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected() {
    let skewed = response(
        403,
        &[("Date", "Fri, 28 Aug 2026 22:34:59 GMT")],
        r#"{"__type":"InvalidSignatureException","message":"x"}"#,
    );
    let world = Arc::new(world(&KEYS).answers(skewed).answers(response(200, &[], "{}")));
    call(&world, LIST.0, LIST.1).await.unwrap();
    let dates: Vec<_> =
        world.sent().iter().map(|r| r.headers.iter().find(|(n, _)| n == "X-Amz-Date").unwrap().1.clone()).collect();
    assert_eq!(dates, ["20260828T203459Z", "20260828T223459Z"]);
}

#[tokio::test]
async fn nothing_is_sent_of_parameters_that_are_not_the_operations() {
    let cases = [
        (
            "dynamodb:getItem",
            r#"{"TableName": "T", "key": {}}"#,
            "The field \"key\" is not supported by Step Functions; The field 'Key' is required but was missing",
        ),
        ("dynamodb:getItem", r#"{"TableName": 1, "Key": {}}"#, "The value for the field 'TableName' must be a STRING"),
        ("dynamodb:getItem", r#"{"TableName": "T", "Key": []}"#, "The value for the field 'Key' must be a JSON object"),
        (
            "dynamodb:scan",
            r#"{"TableName": "T", "Limit": "many"}"#,
            "The value for the field 'Limit' must be an INTEGER",
        ),
        (
            "dynamodb:scan",
            r#"{"TableName": "T", "Limit": 3000000000}"#,
            "The value for the field 'Limit' must be an INTEGER",
        ),
        ("ec2:describeInstances", r#"{"DryRun": 1}"#, "The value for the field 'DryRun' must be a BOOLEAN"),
        (
            "ecs:runTask",
            r#"{"TaskDefinition": "t", "Overrides": {"ContainerOverrides": [{"environment": []}]}}"#,
            "The field \"environment\" is not supported by Step Functions",
        ),
        ("s3:getObject", r#"{"Bucket": "b", "Key": ""}"#, "The value for the field 'Key' cannot be empty"),
        (
            "s3:getObject",
            r#"{"Bucket": "b", "Key": "a/../b"}"#,
            "The value for the field 'Key' must not have . or .. as a part of a path",
        ),
        (
            "s3:putObject",
            r#"{"Bucket": "b", "Key": "k", "ContentType": "a\r\nX-Evil: 1"}"#,
            "The value for the field 'ContentType' must not have line breaks",
        ),
        ("sts:getCallerIdentity", r#"{"A": 1}"#, "The field \"A\" is not supported by Step Functions"),
    ];
    for (name, parameters, complaint) in cases {
        let world = Arc::new(world(&KEYS));
        let error = call(&world, name, parameters).await.unwrap_err();
        assert_eq!(error.to_string(), complaint, "{name}");
        assert!(matches!(error, CallError::Parameters(_)) && world.sent().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_token_is_given_where_the_operation_has_one_and_the_parameters_have_none() {
    for (parameters, token) in
        [("{\"TaskDefinition\": \"t\"}", "token"), ("{\"TaskDefinition\": \"t\", \"ClientToken\": \"mine\"}", "mine")]
    {
        let world = Arc::new(world(&KEYS).answers(response(200, &[], "{}")));
        call(&world, "ecs:runTask", parameters).await.unwrap();
        let body: Value = String::from_utf8(world.sent()[0].body.to_vec()).unwrap().parse().unwrap();
        assert_eq!(body["clientToken"], Value::from(token));
    }
}

#[tokio::test]
async fn what_cannot_be_called_says_so() {
    for name in ["lambda:invokeWithResponseStream", "bedrockruntime:converseStream", "kinesis:subscribeToShard"] {
        let world = Arc::new(world(&KEYS));
        let error = call(&world, name, "{}").await.unwrap_err();
        assert!(
            matches!(error, CallError::Unsupported(_)) && error.to_string().contains("stream of events"),
            "{name}: {error}"
        );
    }
    let settings = Settings { max_request_bytes: 10, ..Settings::default() };
    let world = Arc::new(world(&KEYS));
    let error = call_with(&world, settings, "dynamodb:describeTable", "{\"TableName\": \"a-long-name\"}", None)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the request is longer than 10 bytes");
}

/// Whose key signed the last request.
fn signer(world: &World) -> String {
    let sent = world.sent();
    let value = &sent.last().unwrap().headers.iter().find(|(n, _)| n == "Authorization").unwrap().1;
    value.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
}

const STS: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
    <SessionToken>t</SessionToken><Expiration>2026-08-28T21:34:59Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
const ECS: &str = r#"{"AccessKeyId":"AKIDECS","SecretAccessKey":"s","Token":"t","Expiration":"2026-08-28T21:34:59Z"}"#;

#[tokio::test]
async fn credentials_are_found_in_the_usual_places() {
    let config = "[default]\nregion = eu-west-1\n[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = keys\nregion = eu-west-1\n\
                  [profile process]\ncredential_process = give\nregion = eu-west-1\n[profile loop]\nrole_arn = a\nsource_profile = loop2\n\
                  [profile loop2]\nrole_arn = a\nsource_profile = loop\n[profile in]\nsso_session = s\nsso_role_name = r\nsso_account_id = 1\n\
                  [sso-session s]\nsso_start_url = https://x\nsso_region = eu-west-1\n[profile mfa]\nrole_arn = a\nsource_profile = keys\nmfa_serial = m\n";
    let keys = "[keys]\naws_access_key_id = AKIDFILE\naws_secret_access_key = s\n";
    let list = || response(200, &[], "{}");
    let region = ("AWS_REGION", "eu-west-1");
    let base = |variables: &[(&str, &str)]| {
        let mut world = world(variables).file("/home/me/.aws/config", config).file("/home/me/.aws/credentials", keys);
        let token = r#"{"accessToken": "at", "expiresAt": "2026-08-28T21:00:00Z"}"#;
        world = world
            .file("/home/me/.aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json", token)
            .file("/token", "jwt\n");
        world.outputs.insert(
            "give".to_owned(),
            r#"{"Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": "s"}"#.to_owned(),
        );
        world
    };
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    let sso = r#"{"roleCredentials":{"accessKeyId":"AKIDSSO","secretAccessKey":"s","sessionToken":"t","expiration":1787952899000}}"#;
    let web = STS.replace("AssumeRoleRe", "AssumeRoleWithWebIdentityRe");
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:8080/creds");
    let cases = [
        ("environment", base(&KEYS).answers(list()), "AKIDENV"),
        ("profile's keys", base(&[("AWS_PROFILE", "keys"), region]).answers(list()), "AKIDFILE"),
        ("role", base(&[("AWS_PROFILE", "role")]).answers(response(200, &[], STS)).answers(list()), "AKIDROLE"),
        ("process", base(&[("AWS_PROFILE", "process")]).answers(list()), "AKIDPROC"),
        ("sso", base(&[("AWS_PROFILE", "in"), region]).answers(response(200, &[], sso)).answers(list()), "AKIDSSO"),
        (
            "web identity",
            base(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"), region])
                .answers(response(200, &[], &web))
                .answers(list()),
            "AKIDROLE",
        ),
        (
            "container",
            base(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"), region])
                .answers(response(200, &[], ECS))
                .answers(list()),
            "AKIDECS",
        ),
        ("container by address", base(&[full, region]).answers(response(200, &[], ECS)).answers(list()), "AKIDECS"),
        (
            "instance",
            base(&[region])
                .answers(response(200, &[], "tok"))
                .answers(response(200, &[], "role\n"))
                .answers(response(200, &[], ECS))
                .answers(list()),
            "AKIDECS",
        ),
    ];
    for (what, world, key) in cases {
        let world = Arc::new(world);
        let called = call(&world, LIST.0, LIST.1).await;
        assert!(called.is_ok(), "{what}: {called:?}");
        assert_eq!(signer(&world), key, "{what}");
    }
    let wrong = [
        (base(&[("AWS_PROFILE", "none"), region]), "no AWS profile 'none'"),
        (base(&[("AWS_PROFILE", "loop"), region]), "lead from one to the other too often"),
        (base(&[("AWS_PROFILE", "mfa"), region]), "mfa_serial"),
        (base(&[region, off]), "there are no AWS credentials: set AWS_ACCESS_KEY_ID"),
        (base(&[region]), "there are no AWS credentials: set AWS_ACCESS_KEY_ID"),
        (
            base(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example/creds"), region]),
            "neither this machine nor spoken to by https",
        ),
    ];
    for (world, message) in wrong {
        let error = call(&Arc::new(world), LIST.0, LIST.1).await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[tokio::test]
async fn credentials_are_kept_and_renewed_before_they_are_over() {
    let variables = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"), ("AWS_REGION", "eu-west-1")];
    let list = || response(200, &[], "{}");
    let ecs = || response(200, &[], ECS);
    let world = world(&variables).answers(ecs()).answers(list()).answers(list()).answers(ecs()).answers(list());
    let world = Arc::new(world);
    let client = Client::new(world.clone(), Settings::default());
    let service = model::service("dynamodb").unwrap();
    let operation = service.operation("listTables").unwrap();
    let call = || client.call(&service, operation, &Value::Null, "token", None);
    call().await.unwrap();
    call().await.unwrap();
    assert_eq!(world.sent().len(), 3);
    world.now_ms.store(NOW_MS + 56 * 60_000, Ordering::Relaxed);
    call().await.unwrap();
    assert_eq!(world.sent().len(), 5);
    // The endpoint is gone: what is known serves until it is over.
    world.responses.lock().unwrap().extend([Err(SendErrorKind::Connect), list()]);
    call().await.unwrap();
    world.now_ms.store(NOW_MS + 61 * 60_000, Ordering::Relaxed);
    assert!(call().await.is_err());
}

#[tokio::test]
async fn a_call_can_be_made_as_a_role() {
    let world = Arc::new(world(&KEYS).answers(response(200, &[], STS)).answers(response(200, &[], "{}")));
    let role = Role {
        arn: "arn:aws:iam::123456789012:role/other".to_owned(),
        session: "session".to_owned(),
        external_id: None,
    };
    call_with(&world, Settings::default(), LIST.0, LIST.1, Some(&role)).await.unwrap();
    assert_eq!(signer(&world), "AKIDROLE");
    assert_eq!(world.sent()[0].host, "sts.eu-central-1.amazonaws.com");
}

#[tokio::test]
async fn addresses_of_ones_own_come_from_settings_the_environment_and_the_profile() {
    let one =
        Settings { endpoints: [("dynamodb".to_owned(), "http://one:1".to_owned())].into(), ..Settings::default() };
    let all = Settings { endpoint_url: Some("http://all:1".to_owned()), ..Settings::default() };
    let config = "[default]\nservices = l\n[services l]\ndynamodb =\n  endpoint_url = http://profile:1\n";
    type Variables = &'static [(&'static str, &'static str)];
    let cases: [(Settings, Variables, &str); 6] = [
        (one, &[("AWS_ENDPOINT_URL", "http://env:1")], "one:1"),
        (all, &[("AWS_ENDPOINT_URL_DYNAMODB", "http://env:1")], "all:1"),
        (
            Settings::default(),
            &[("AWS_ENDPOINT_URL_DYNAMODB", "http://env:1"), ("AWS_ENDPOINT_URL", "http://x")],
            "env:1",
        ),
        (Settings::default(), &[("AWS_ENDPOINT_URL", "http://env:1")], "env:1"),
        (Settings::default(), &[], "profile:1"),
        (
            Settings::default(),
            &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
            "dynamodb.eu-central-1.amazonaws.com",
        ),
    ];
    for (settings, variables, host) in cases {
        let variables: Vec<_> = KEYS.iter().chain(variables).copied().collect();
        let world = world(&variables).file("/home/me/.aws/config", config).answers(response(200, &[], "{}"));
        let world = Arc::new(world);
        call_with(&world, settings, LIST.0, LIST.1, None).await.unwrap();
        assert_eq!(world.sent()[0].host, host);
    }
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let world = Arc::new(world(&KEYS).answers(response(403, &[], r#"{"__type":"AccessDenied","message":"no"}"#)));
    let error = call(&world, LIST.0, LIST.1).await.unwrap_err();
    let credentials = asl_aws::credentials::Credentials {
        access_key: "AKID".to_owned(),
        secret: "very-secret".into(),
        token: Some("very-secret".into()),
        expires_ms: None,
    };
    let shown =
        format!("{error} {error:?} {credentials:?} {:?} {}", world.sent(), asl_aws::Secret::from("very-secret"));
    assert!(!shown.contains("very-secret") && !shown.contains("Signature"), "{shown}");
}

#[tokio::test]
async fn answers_that_are_of_no_protocol_are_errors() {
    let cases = [
        ("dynamodb:listTables", "{}", "{\"TableNames\": 5}"),
        ("dynamodb:listTables", "{}", "not json"),
        ("s3:listBuckets", "{}", "<a><b></a>"),
        ("sts:getCallerIdentity", "{}", "<html>"),
        ("ec2:describeInstances", "{}", "{}"),
        ("eventbridgev2:listEventBuses", "{}", "\u{1}\u{2}"),
    ];
    for (name, parameters, body) in cases {
        let world = Arc::new(world(&KEYS).answers(response(200, &[], body)));
        let error = call(&world, name, parameters).await.unwrap_err();
        assert!(matches!(error, CallError::Http { .. }), "{name}: {error:?}");
        assert_eq!(world.sent().len(), 1, "what the service has done is not done again");
    }
}
