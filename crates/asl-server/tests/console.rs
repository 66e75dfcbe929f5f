//! The console over HTTP, as a browser that runs no scripts sees it.

mod common;

use asl::Value;
use asl_server::Limits;
use asl_server::door::Door;
use common::{Client, PASS, PREFIX, Place, ROLE, Reply, WAIT, request};

/// One that a server answers a browser with.
fn get(client: &mut Client, path: &str) -> Reply {
    ask(client, "GET", path, "", "")
}

fn ask(client: &mut Client, method: &str, path: &str, more: &str, body: &str) -> Reply {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.send(head.as_bytes());
    client.reply().unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

fn machine(client: &mut Client, name: &str, definition: &str) -> String {
    let created =
        client.ok("CreateStateMachine", &request(&[("name", name), ("roleArn", ROLE), ("definition", definition)]));
    created["stateMachineArn"].as_str().unwrap().to_owned()
}

fn start(client: &mut Client, machine: &str, name: &str, input: &str) -> String {
    let request = request(&[("stateMachineArn", machine), ("name", name), ("input", input)]);
    client.ok("StartExecution", &request)["executionArn"].as_str().unwrap().to_owned()
}

/// The first value of a hidden field of a page.
fn field<'p>(page: &'p str, name: &str) -> &'p str {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn home_shows_state_machines_and_executions_with_filters_in_the_address() {
    let place = Place::new();
    let mut client = place.client();
    let page = get(&mut client, "/");
    assert!(page.status == 200 && page.text.contains("AWS_ENDPOINT_URL=http://localhost"), "{}", page.text);
    let (good, bad) = (machine(&mut client, "good", PASS), {
        let fail = r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"Card.Declined","Cause":"no money"}}}"#;
        machine(&mut client, "bad", fail)
    });
    for number in 0..60 {
        place.wait(&start(&mut client, &good, &format!("g{number:02}"), "{}"));
    }
    place.wait(&start(&mut client, &bad, "b1", "{}"));
    let home = get(&mut client, "/").text;
    assert!(home.contains("All 61") && home.contains("✗ Failed 1") && home.contains(">b1<"), "{home}");
    assert!(home.contains(&format!("/console/machine/{good}")), "{home}");
    // 50 on a page; the rest behind the cursor.
    assert!(home.contains(">g59<") && !home.contains(">g05<"), "{home}");
    let older = home.split("href=\"").filter_map(|link| link.split('"').next()).find(|link| link.contains("before="));
    let older = get(&mut client, older.unwrap()).text;
    assert!(older.contains(">g05<") && !older.contains(">g59<"), "{older}");
    let found = |client: &mut Client, query: &str| {
        let text = get(client, &format!("/?{query}")).text;
        let names = text.split("class=\"name\"><a href=\"/console/execution/").skip(1);
        names.map(|row| row.split(['>', '<']).nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&mut client, "status=FAILED"), ["b1"]);
    assert_eq!(found(&mut client, "error=money"), ["b1"]);
    assert_eq!(found(&mut client, "name=g5&status=SUCCEEDED").len(), 10);
    assert_eq!(found(&mut client, &format!("machine={}", encoded(&bad))), ["b1"]);
    assert_eq!(found(&mut client, "since=1h&error=Declined"), ["b1"]);
    assert_eq!(found(&mut client, "until=1h"), [""; 0]);
    assert_eq!(get(&mut client, "/?since=never").status, 400);
    assert_eq!(get(&mut client, "/?status=never").status, 400);
}

#[test]
fn an_execution_says_first_how_it_ended_and_its_views_share_a_selection() {
    let place = Place::new();
    let mut client = place.client();
    let definition = r#"{"StartAt":"First","States":{
        "First":{"Type":"Pass","Result":{"price":42},"ResultPath":"$.order","Next":"Check"},
        "Check":{"Type":"Choice","Choices":[{"Variable":"$.order.price","NumericGreaterThan":10,"Next":"Refuse"}],"Default":"Done"},
        "Refuse":{"Type":"Fail","Error":"Too.Dear","Cause":"42 is more than 10"},
        "Done":{"Type":"Succeed"}}}"#;
    let arn = machine(&mut client, "m", definition);
    let arn = start(&mut client, &arn, "dear", r#"{"who":"me"}"#);
    place.wait(&arn);
    let at = format!("/console/execution/{arn}");
    let page = get(&mut client, &at);
    assert_eq!(page.status, 200);
    let text = &page.text;
    // How it ended, and where; that state is selected.
    assert!(
        text.contains("It failed in ") && text.contains("Too.Dear") && text.contains("42 is more than 10"),
        "{text}"
    );
    assert!(text.contains("Data of Refuse"), "{text}");
    for view in ["id=\"graph\"", "id=\"timeline\"", "id=\"events\"", "id=\"data\""] {
        assert!(text.contains(view), "{view} in {text}");
    }
    assert!(text.contains("<title>Refuse: failed") && text.contains("class=\"state selected\""), "{text}");
    // One selection for all views.
    let event = get(&mut client, &format!("{at}?event=3")).text;
    assert!(event.contains("Data of First") && event.contains("Event 3: PassStateExited"), "{event}");
    assert!(event.contains("&quot;price&quot;: 42") && event.contains("<tr class=\"chosen\">"), "{event}");
    let state = get(&mut client, &format!("{at}?state=Check")).text;
    assert!(state.contains("Data of Check"), "{state}");
    let not = get(&mut client, &format!("{at}?state=Done")).text;
    assert!(not.contains("Done was not entered.") && not.contains("&quot;who&quot;: &quot;me&quot;"), "{not}");
    let whole = get(&mut client, &format!("{at}?of=execution")).text;
    assert!(whole.contains("Data of the execution"), "{whole}");
    let filtered = get(&mut client, &format!("{at}?filter=choice")).text;
    assert!(filtered.contains("Events (2)"), "{filtered}");
    // What is no number, no event, no execution.
    for query in ["event=99", "event=x", "page=0", "page=99", "page=-1", "event=18446744073709551616"] {
        assert_eq!(get(&mut client, &format!("{at}?{query}")).status, 200, "{query}");
    }
    assert_eq!(get(&mut client, &format!("{at}x")).status, 404);
    assert_eq!(get(&mut client, "/console/nowhere").status, 404);
    let file = get(&mut client, &format!("/console/download/{arn}"));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"dear.history.json\""));
    assert_eq!(file.body["events"].as_array().map(<[Value]>::len), Some(7));
}

#[test]
fn pages_hold_browsers_to_what_is_meant() {
    let place = Place::new();
    let mut client = place.client();
    let page = get(&mut client, "/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'") && !policy.contains("unsafe")
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    for asset in ["console.css", "console.js", "icon.svg"] {
        let address = page.text.split('"').find(|text| text.ends_with(asset)).unwrap().to_owned();
        let asset = get(&mut client, &address);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{address}");
    }
    // Nothing in a page asks a browser for more: no inline script or style, and nothing from elsewhere.
    for bad in [" style=\"", " onclick=", "src=\"http", "href=\"http"] {
        assert!(!page.text.contains(bad), "{bad}");
    }
}

/// What a page does is an operation of the API, and comes from a page of this server only.
#[test]
fn pages_act_as_clients_do_and_only_this_servers_pages_do() {
    let place = Place::new();
    let mut client = place.client();
    let machine = machine(&mut client, "m", WAIT);
    let arn = start(&mut client, &machine, "one", "{}");
    let at = format!("/console/execution/{arn}");
    let page = get(&mut client, &at).text;
    assert!(page.contains("waits; it goes on in ") && page.contains("Stop the execution"), "{page}");
    let token = field(&page, "page").to_owned();
    let stop = |token: &str, arn: &str| {
        format!(
            "page={token}&operation=StopExecution&executionArn={}&error=Mine&cause=&back={}",
            encoded(arn),
            encoded(&at)
        )
    };
    let status = |client: &mut Client| {
        let told = client.ok("DescribeExecution", &request(&[("executionArn", &arn)]));
        told["status"].as_str().unwrap().to_owned()
    };
    // Not without the token; not from elsewhere, whatever it carries.
    let refused = ask(&mut client, "POST", "/console/do", "", &stop("guessed", &arn));
    assert_eq!(refused.status, 400, "{}", refused.text);
    for more in [
        "Origin: https://example.com\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        let refused = ask(&mut client, "POST", "/console/do", more, &stop(&token, &arn));
        assert_eq!(refused.status, 403, "{more}: {}", refused.text);
    }
    // Not what pages do not offer, and not what the API refuses.
    let delete = format!("page={token}&operation=DeleteStateMachine&stateMachineArn={}", encoded(&machine));
    assert_eq!(ask(&mut client, "POST", "/console/do", "", &delete).status, 400);
    let refused = ask(&mut client, "POST", "/console/do", "", &stop(&token, "arn:aws:states:x"));
    assert!(refused.text.contains("InvalidArn"), "{}", refused.text);
    assert_eq!(status(&mut client), "RUNNING");
    let done = ask(&mut client, "POST", "/console/do", "Origin: http://localhost\r\n", &stop(&token, &arn));
    assert_eq!((done.status, done.header("location")), (303, Some(at.as_str())), "{}", done.text);
    place.wait(&arn);
    assert_eq!(status(&mut client), "ABORTED");
    let page = get(&mut client, &at).text;
    assert!(page.contains("It was stopped") && page.contains("Mine") && page.contains("Redrive"), "{page}");
    // A start leads to what it started; one that is not JSON is refused in the API's words.
    let begin = |input: &str| {
        format!(
            "page={token}&operation=StartExecution&stateMachineArn={}&name=two&input={}",
            encoded(&machine),
            encoded(input)
        )
    };
    let refused = ask(&mut client, "POST", "/console/do", "", &begin("{"));
    assert!(refused.text.contains("InvalidExecutionInput"), "{}", refused.text);
    let started = ask(&mut client, "POST", "/console/do", "", &begin("{\"a\": 1}"));
    assert_eq!(started.header("location"), Some(&*format!("/console/execution/{PREFIX}:execution:m:two")));
    // The inputs used last are offered.
    let page = get(&mut client, &format!("/console/machine/{machine}")).text;
    assert!(page.contains("data-input=\"{&quot;a&quot;: 1}\"") || page.contains("&quot;a&quot;: 1"), "{page}");
}

#[test]
fn an_execution_is_replayed_and_a_changed_definition_tried_on_it() {
    let place = Place::new();
    let mut client = place.client();
    let machine = machine(&mut client, "m", PASS);
    let arn = start(&mut client, &machine, "one", "{}");
    place.wait(&arn);
    let replayed = get(&mut client, &format!("/console/replay/{arn}")).text;
    assert!(replayed.contains("It replays: ") && replayed.contains("4 events"), "{replayed}");
    let page = get(&mut client, &format!("/console/machine/{machine}")).text;
    let token = field(&page, "page").to_owned();
    let mut tried = |definition: &str, token: &str| {
        let body = format!("page={token}&machine={}&last=5&definition={}", encoded(&machine), encoded(definition));
        ask(&mut client, "POST", "/console/try", "", &body)
    };
    assert!(tried(PASS, &token).text.contains("1 of 1 go the same way"));
    let other = tried(r#"{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}"#, &token).text;
    assert!(other.contains("0 of 1 go the same way") && other.contains("A → B"), "{other}");
    let wrong = tried(r#"{"StartAt":"B","States":{}}"#, &token).text;
    assert!(wrong.contains("The definition is not accepted") && wrong.contains("ERROR: "), "{wrong}");
    assert_eq!(tried(PASS, "guessed").status, 400);
    assert!(get(&mut client, "/").text.contains("All 1"));
}

#[test]
fn a_map_run_shows_how_far_it_is_and_leads_to_its_children() {
    let place = Place::new();
    let mut client = place.client();
    let definition = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ToleratedFailureCount":5,"ItemsPath":"$.items","ItemProcessor":{
        "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"C","States":{
        "C":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":2,"Next":"F"}],"Default":"D"},
        "F":{"Type":"Fail","Error":"Two"},"D":{"Type":"Succeed"}}},"End":true}}}"#;
    let machine = machine(&mut client, "m", definition);
    let arn = start(&mut client, &machine, "one", r#"{"items":[1,2,3]}"#);
    place.wait(&arn);
    let page = get(&mut client, &format!("/console/execution/{arn}")).text;
    assert!(page.contains("SUCCEEDED: 2 of 3 items succeeded, 1 did not, 0 run, 0 wait"), "{page}");
    let link = page.split("href=\"").find(|link| link.contains(">children that failed<")).unwrap();
    let children = get(&mut client, &link.split('"').next().unwrap().replace("&amp;", "&")).text;
    assert_eq!(children.matches("class=\"name\"><a href=\"/console/execution/").count(), 1, "{children}");
    assert!(children.contains(">Two<"), "{children}");
}

#[test]
fn names_that_somebody_else_may_point_here_are_not_answered() {
    let place = Place::new();
    let mut client = place.client();
    for (host, status) in
        [("evil.example", 403), ("localhost.evil.example:80", 403), ("127.0.0.1:8083", 200), ("[::1]", 200)]
    {
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        assert_eq!(client.reply().unwrap().status, status, "{host}");
    }
}

#[test]
fn a_console_that_only_shows_has_no_forms_and_does_nothing() {
    let place = Place::only_showing();
    let mut client = place.client();
    let machine = machine(&mut client, "m", WAIT);
    let arn = start(&mut client, &machine, "one", "{}");
    for page in [format!("/console/execution/{arn}"), format!("/console/machine/{machine}")] {
        let page = get(&mut client, &page);
        assert!(page.status == 200 && !page.text.contains("action=\"/console/do\""), "{}", page.text);
    }
    let body = format!("operation=StopExecution&executionArn={}", encoded(&arn));
    let refused = ask(&mut client, "POST", "/console/do", "", &body);
    assert!(refused.text.contains("--read-only"), "{}", refused.text);
}

/// With keys a browser logs in: the cookie is signed, and hidden from scripts and other sites.
#[test]
fn where_requests_are_signed_browsers_log_in() {
    let keys = "[a]\naws_access_key_id = AKIDA\naws_secret_access_key = s/+=\n";
    let place = Place::with(Limits::default(), Door::with_keys(keys).unwrap(), |builder| builder);
    let mut client = place.client();
    let asked = get(&mut client, "/?status=FAILED");
    assert!(asked.status == 401 && asked.text.contains("Secret access key"), "{}", asked.text);
    let token = field(&asked.text, "page").to_owned();
    assert_eq!(field(&asked.text, "back"), "/?status=FAILED");
    let login = |id: &str, secret: &str| {
        format!("page={token}&back={}&id={id}&secret={}", encoded("/?status=FAILED"), encoded(secret))
    };
    for (id, secret) in [("AKIDA", "wrong"), ("OTHER", "s/+="), ("", "")] {
        let refused = ask(&mut client, "POST", "/console/login", "", &login(id, secret));
        assert!(refused.status == 403 && refused.header("set-cookie").is_none(), "{}", refused.text);
    }
    let cross = ask(&mut client, "POST", "/console/login", "Origin: https://example.com\r\n", &login("AKIDA", "s/+="));
    assert_eq!(cross.status, 403);
    let done = ask(&mut client, "POST", "/console/login", "", &login("AKIDA", "s/+="));
    assert_eq!((done.status, done.header("location")), (303, Some("/?status=FAILED")));
    let cookie = done.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with =
        |client: &mut Client, cookie: &str| ask(client, "GET", "/", &format!("Cookie: a=b; {cookie}\r\n"), "").status;
    assert_eq!(with(&mut client, &cookie), 200);
    // What was changed in it is not signed.
    let later = cookie.replacen(".1", ".2", 1);
    for bad in [&later, &cookie.replace("AKIDA", "AKIDB"), &format!("{cookie}0"), "asl-console=", "asl-console=.."] {
        assert_eq!(with(&mut client, bad), 401, "{bad}");
    }
    let live = ask(&mut client, "GET", "/console/live?of=0", "", "");
    assert_eq!(live.status, 401);
}

/// A stream tells of what happens, and of what happened while a page was away.
#[test]
fn a_page_is_told_what_happens_and_what_it_missed() {
    let mut place = Place::new();
    let mut client = place.client();
    let machine = machine(&mut client, "m", WAIT);
    let arn = start(&mut client, &machine, "one", "{}");
    let page = get(&mut client, &format!("/console/execution/{arn}")).text;
    let of = page.split("data-live=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let seen = page.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let listen = |of: &str, seen: &str| {
        let mut client = place.client();
        client.send(format!("GET /console/live?of={of}&seen={seen} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        client
    };
    let mut stream = listen(&of, &seen);
    let mut home = listen("0", "RUNNING0");
    assert!(home.until("event: changed").contains("text/event-stream"));
    client.ok("StopExecution", &request(&[("executionArn", &arn)]));
    let told = stream.until("data: ");
    assert!(told.contains("ABORTED"), "{told}");
    // Away since before the stop: told at once.
    let missed = listen(&of, &seen).until("data: ");
    assert!(missed.contains("ABORTED"), "{missed}");
    // The end of the server ends the streams.
    place.stop();
}

/// Markup, script and control characters in names, causes, inputs and outputs are shown as text.
#[test]
fn hostile_values_are_shown_as_text() {
    let hostile = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>'\"><style>*{display:none}</style>&lt;\u{202e}\u{7f}\u{9b}";
    let quoted = Value::from(hostile).to_string();
    let place = Place::new();
    let mut client = place.client();
    let name = Value::from("<b onclick='x'>\"S\" & Co</b>").to_string();
    let definition = format!(
        r#"{{"Comment":{quoted},"StartAt":{name},"States":{{{name}:{{"Type":"Pass","Comment":{quoted},"Result":{{{quoted}:{quoted}}},"Next":"Parts"}},
        "Parts":{{"Type":"Parallel","Branches":[{{"StartAt":"<i>x</i>","States":{{"<i>x</i>":{{"Type":"Pass","End":true}}}}}}],"Next":"F"}},
        "F":{{"Type":"Fail","Error":{quoted},"Cause":{quoted}}}}}}}"#
    );
    let machine = machine(&mut client, "m", &definition);
    let arn = start(&mut client, &machine, "one", &format!("{{{quoted}: {quoted}}}"));
    place.wait(&arn);
    let at = format!("/console/execution/{arn}");
    let mut pages: Vec<String> = (1..=10).map(|event| format!("{at}?event={event}")).collect();
    pages.extend([at.clone(), format!("{at}?of=execution"), format!("/console/machine/{machine}"), "/".to_owned()]);
    let query = encoded(hostile);
    pages.extend(["name", "error", "machine", "status", "since", "until"].map(|field| format!("/?{field}={query}")));
    pages.extend(["state", "event", "filter", "page"].map(|field| format!("{at}?{field}={query}")));
    pages.extend([
        format!("/console/execution/{query}"),
        format!("/console/machine/{query}"),
        format!("/console/{query}"),
    ]);
    for page in pages {
        let reply = get(&mut client, &page);
        let text = &reply.text;
        // Every script is the page's own; no style but the pictures', which is in the policy by its hash.
        let scripts = text.matches("<script").count();
        assert_eq!(scripts, text.matches("<script type=\"module\" src=\"/console/assets/").count(), "{page}: {text}");
        for bad in ["<img", "<style>*", "<b ", "<i>", "onerror=alert(1)>", "\u{202e}", "\u{7f}", "\u{9b}"] {
            assert!(!text.contains(bad), "{page}: {bad} in {text}");
        }
        assert!(text.ends_with("</html>"), "{page}");
    }
    let last = get(&mut client, &at).text;
    assert!(last.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{last}");
}
