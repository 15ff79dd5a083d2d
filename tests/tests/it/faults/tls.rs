//! Handshakes that do not come about: row 5.

use tests::{CertificateAuthority, Company, DockerRegistry, own_address};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use super::{
    Ends::Copied,
    Row,
    scene::{PASSWORD, REPOSITORY, Scene, Setup, TAG, USER},
    told,
};

/// How many handshakes are broken off.
const BROKEN: usize = 3;

told! {
    handshakes_are_reset_three_times: Row::new(5, "the source resets three TLS handshakes", Copied);
}

#[tokio::test]
async fn handshakes_are_reset_three_times() {
    let authority = CertificateAuthority::new("faults");
    let registry = DockerRegistry::start_in_the_open(Some(&authority.issue(own_address()))).await;
    let front = front(registry.authority()).await;
    let scene = Scene::of(Setup::without_referrer()).await;
    let (from, to) = (scene.source.proxy.authority(), scene.destination.proxy.authority());
    let agent = tests::Agent::new(Some((USER, PASSWORD)), &[&from, &registry.authority(), &front, &to]);
    let trusted = agent.home().join("authority.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();
    let copy = async |from: &str, to: &str| {
        let line =
            format!("copy-artifact {from}/{REPOSITORY}:{TAG} {to}/{REPOSITORY}:{TAG} --output json --timeout 20s");
        Company::end(agent.command(&line).env("SSL_CERT_FILE", &trusted).spawn().unwrap()).await
    };
    let filled = copy(&from, &registry.authority()).await;
    assert_eq!(filled.code, 0, "{filled:?}");
    let ran = copy(&front, &to).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    scene.is_whole().await;
}

/// Passes on what comes, byte for byte, after the first connections were reset in their handshake.
async fn front(to: String) -> String {
    let listener = TcpListener::bind((own_address(), 0)).await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            client.readable().await.unwrap();
            // What is dropped with bytes unread is reset.
            if number >= BROKEN {
                let mut server = TcpStream::connect(&to).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        }
    });
    authority
}
