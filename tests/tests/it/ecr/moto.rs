use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// moto as STS and ECR of every account: https://docs.getmoto.org. It ends with this value.
pub(crate) struct Moto {
    pub(crate) url: String,
    _server: Child,
}

impl Moto {
    pub(crate) async fn start() -> Self {
        let mut server = Command::new(program())
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next_line().await.unwrap().expect("moto starts");
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
        };
        // It tells of each request, and would stop once nobody reads that.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        Self { url, _server: server }
    }

    /// Creates an immutable repository in an account.
    pub(crate) async fn create(&self, account: &str, repository: &str) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        // moto looks at whose key it is and for which service, and at no signature.
        let post = |key: &str, service: &str| {
            let scope = format!("{key}/20260101/ap-southeast-2/{service}/aws4_request");
            let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
            client.post(&self.url).header("authorization", signed)
        };
        let role = format!("arn:aws:iam::{account}:role/Admin");
        let form = format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=a&RoleArn={role}");
        let assumed = post("AKIA", "sts").header("content-type", "application/x-www-form-urlencoded").body(form);
        let assumed = assumed.send().await.unwrap().text().await.unwrap();
        let key = assumed.split("<AccessKeyId>").nth(1).expect(&assumed).split('<').next();
        let created = post(key.unwrap(), "ecr")
            .header("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.CreateRepository")
            .header("content-type", "application/x-amz-json-1.1")
            .body(json!({ "repositoryName": repository, "imageTagMutability": "IMMUTABLE" }).to_string());
        let created = created.send().await.unwrap();
        assert!(created.status().is_success(), "{}", created.text().await.unwrap());
    }
}

fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/moto/bin/moto_server");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&path).map(|directory| directory.join("moto_server")).find(|file| file.is_file());
    Some(installed).filter(|file| file.is_file()).or_else(on_path).expect(
        "moto is needed: `cargo xtask test` installs it, and so does pip install 'moto[server]' in an environment on PATH",
    )
}
