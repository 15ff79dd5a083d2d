use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex},
};

use guarded_http::{Client, HttpError, Method, StatusCode, header};

use super::{CANARIES, Generous, SIGNED, client, has_credentials};
use crate::server::{Answer, Server, reply};

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    /// The server redirects, and that is not followed.
    NotFollowed,
    /// The redirect was followed, to another answer than a success.
    Failed,
}

use End::{Answered, Failed, NotFollowed};

/// What is tried, the request, the answers (each redirect names a server), who was asked (`+` with credentials), the
/// end. `GET!` does not follow redirects, `GET=` has a body; `503-once` is 200 when it is asked for again.
const CHAINS: [(&str, &str, &str, &str, End); 43] = [
    ("moved", "GET", "301 other 200", "own+ other", Answered),
    ("found", "GET", "302 other 200", "own+ other", Answered),
    ("see other", "GET", "303 other 200", "own+ other", Answered),
    ("temporary redirect", "GET", "307 other 200", "own+ other", Answered),
    ("permanent redirect", "GET", "308 other 200", "own+ other", Answered),
    ("of a HEAD", "HEAD", "307 other 200", "own+ other", Answered),
    ("of a HEAD, see other", "HEAD", "303 other 200", "own+ other", Answered),
    ("multiple choices", "GET", "300 other 200", "own+", NotFollowed),
    ("not modified", "GET", "304 other 200", "own+", NotFollowed),
    ("use proxy", "GET", "305 other 200", "own+", NotFollowed),
    ("switch proxy", "GET", "306 other 200", "own+", NotFollowed),
    ("an unknown redirect", "GET", "399 other 200", "own+", NotFollowed),
    ("of a request that follows none", "GET!", "307 other 200", "own+", NotFollowed),
    ("of a HEAD that follows none", "HEAD!", "307 other 200", "own+", NotFollowed),
    ("of a GET with a body", "GET=", "307 other 200", "own+", NotFollowed),
    ("of a POST", "POST", "307 other 200", "own+", NotFollowed),
    ("of a POST, found", "POST", "302 other 200", "own+", NotFollowed),
    ("of a POST, see other", "POST", "303 other 200", "own+", NotFollowed),
    ("of a POST to its own server", "POST", "307 own 200", "own+", NotFollowed),
    ("of a PUT", "PUT", "308 other 200", "own+", NotFollowed),
    ("of a PUT with a body", "PUT=", "307 other 200", "own+", NotFollowed),
    ("of a PATCH", "PATCH", "307 other 200", "own+", NotFollowed),
    ("of a DELETE", "DELETE", "301 other 200", "own+", NotFollowed),
    ("to its own server", "GET", "307 own 200", "own+ own+", Answered),
    ("to its own server and away", "GET", "307 own 302 other 200", "own+ own+ other", Answered),
    ("away and back", "GET", "307 other 302 own 200", "own+ other own", Answered),
    ("away, back and on", "GET", "307 other 302 own 303 own 200", "own+ other own own", Answered),
    ("from one to the next", "GET", "307 other 307 third 200", "own+ other third", Answered),
    ("three steps", "GET", "307 other 307 third 307 other 200", "own+ other third other", Answered),
    ("four steps", "GET", "307 own 307 own 307 own 307 own 200", "own+ own+ own+ own+", NotFollowed),
    ("four steps away", "GET", "307 other 301 third 302 own 303 third 200", "own+ other third own", NotFollowed),
    ("not modified there", "GET", "307 other 304 third", "own+ other", NotFollowed),
    ("the target asks who it is", "GET", "307 other 401", "own+ other", Failed),
    ("the target of a HEAD asks", "HEAD", "307 other 401", "own+ other", Failed),
    ("the target forbids it", "GET", "307 other 403", "own+ other", Failed),
    ("the target asks like a proxy", "GET", "307 other 407", "own+ other", Failed),
    ("its own server asks behind a redirect", "GET", "307 own 401", "own+ own+", Failed),
    ("its own server asks after a way round", "GET", "307 other 302 own 401", "own+ other own", Failed),
    ("the target has nothing", "GET", "307 other 404", "own+ other", Failed),
    ("an unusual status", "GET", "307 other 425", "own+ other", Failed),
    ("a fault that passes", "GET", "307 other 503-once", "own+ other own+ other", Answered),
    ("a reset that passes", "GET", "307 other reset-once", "own+ other own+ other", Answered),
    ("a fault behind two", "GET", "307 other 302 own 503-once", "own+ other own own+ other own", Answered),
];

pub(super) async fn table() -> String {
    let mut table = String::from(
        "### What a redirect may do\n\n`other` and `third` are servers that keep each byte they get. A `+` is a request \
         with credentials. No answer behind a redirect is told to who gives the credentials, and no signature of a \
         `Location` is shown.\n\n| tried | request | answers | asked | end |\n| --- | --- | --- | --- | --- |\n",
    );
    let world = World::new().await;
    for (tried, request, answers, asked, end) in CHAINS {
        assert_eq!(send(&world, request, answers).await, (asked.to_owned(), end), "{tried}");
        let end = match end {
            Answered => "answered",
            NotFollowed => "an error: it is not followed",
            Failed => "an error: what the target says",
        };
        let method = match request.split_at(request.len() - 1) {
            (method, "!") => format!("{method} that follows none"),
            (method, "=") => format!("{method} with a body"),
            _ => request.to_owned(),
        };
        table.push_str(&format!("| {tried} | {method} | {answers} | {asked} | {end} |\n"));
    }
    table
}

/// Three servers that answer as the path of a request says, and who was asked what so far.
struct World {
    client: Client,
    authorize: Arc<Generous>,
    log: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl World {
    async fn new() -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let places = Arc::new(Mutex::new(Vec::new()));
        let mut servers = Vec::new();
        for name in ["own", "other", "third"] {
            let (log, known, before) = (Arc::clone(&log), Arc::clone(&places), Mutex::new(HashSet::new()));
            let server = Server::start(move |_, request| {
                log.lock().unwrap().push((name, request.to_owned()));
                answer(request, &known.lock().unwrap(), &mut before.lock().unwrap())
            });
            servers.push(server.await);
            places.lock().unwrap().push((name, servers.last().unwrap().address.to_string()));
        }
        let (client, authorize) = client(&servers[0]);
        Self { client, authorize, log }
    }
}

/// The path holds the answers still to give, with dots between them.
fn answer(request: &str, places: &[(&str, String)], before: &mut HashSet<String>) -> Answer {
    let path = request.split([' ', '?']).nth(1).unwrap();
    let mut answers = path.trim_start_matches('/').splitn(3, '.');
    let status = answers.next().unwrap();
    let is_new = before.insert(path.to_owned());
    let status = match status.split_once('-') {
        Some(("reset", _)) if is_new => return Answer::Bytes(Vec::new()),
        Some((status, _)) if is_new => status,
        Some(_) => "200",
        None => status,
    };
    let challenge = ("WWW-Authenticate", "Basic realm=\"x\"");
    match answers.next() {
        Some(place) => {
            let authority = &places.iter().find(|(name, _)| *name == place).unwrap().1;
            let location = format!("http://{authority}/{}?{SIGNED}", answers.next().unwrap_or("200"));
            reply(&format!("{status} x"), &[("Location", &location), challenge], location.as_bytes())
        }
        // It sends back what it got, as some proxies do.
        None if request.starts_with("HEAD") => reply(&format!("{status} x"), &[challenge], b""),
        None => reply(&format!("{status} x"), &[challenge, ("Retry-After", "0")], request.as_bytes()),
    }
}

async fn send(world: &World, request: &str, answers: &str) -> (String, End) {
    let method = Method::from_bytes(request.trim_end_matches(['!', '=']).as_bytes()).unwrap();
    let path = format!("/{}", answers.replace(' ', "."));
    let mut sent = world.client.request(method, &path).unwrap().header(header::COOKIE, CANARIES[2]);
    if !request.ends_with('!') {
        sent = sent.follow_redirects();
    }
    if request.ends_with('=') {
        sent = sent.body("x");
    }
    let answer = sent.send(10_000).await;
    let end = match &answer {
        Ok(answer) => {
            assert_eq!(answer.status(), StatusCode::OK);
            Answered
        }
        Err(HttpError::Redirect { .. }) => NotFollowed,
        Err(HttpError::Redirected { source, .. }) => match **source {
            HttpError::Redirect { .. } => NotFollowed,
            HttpError::Status { .. } => Failed,
            _ => panic!("{source}"),
        },
        Err(error) => panic!("{error}"),
    };
    if let Err(error) = &answer {
        let shown = crate::errors::told(error);
        let secret = [CANARIES[0], CANARIES[1], "canary%2Bsignature", "canary+signature"];
        assert!(!secret.iter().any(|secret| shown.contains(secret)), "{shown}");
        assert_eq!(error.status().is_some(), matches!(error, HttpError::Redirect { .. }), "the target's status");
    }
    assert_eq!(*world.authorize.told.lock().unwrap(), 0);
    let log = mem::take(&mut *world.log.lock().unwrap());
    let asked = log.iter().map(|(name, bytes)| {
        assert!(*name == "own" || !bytes.to_ascii_lowercase().contains("authorization"), "{bytes}");
        format!("{name}{}", if has_credentials(bytes) { "+" } else { "" })
    });
    (asked.collect::<Vec<_>>().join(" "), end)
}
