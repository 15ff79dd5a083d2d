//! A Docker engine pushes an image, we copy it, and the engine runs with the copy.

use std::fs;

use tests::{Agent, DockerEngine, DockerRegistry, PASSWORD, USER};

use super::downloaded;

#[tokio::test]
async fn what_a_docker_engine_pushed_it_pulls_from_where_we_copied_it() {
    let (from, to) = (DockerRegistry::start().await, DockerRegistry::start().await);
    let agent = Agent::new(Some((USER, PASSWORD)), &[&from.authority(), &to.authority()]);
    let engine = DockerEngine::start().await;
    let docker = |arguments: &[&str]| engine.docker(arguments).unwrap();
    fs::create_dir(engine.home().join(".docker")).unwrap();
    fs::copy(agent.home().join("config.json"), engine.home().join(".docker/config.json")).unwrap();

    let context = agent.home().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("a.txt"), "the first layer\n").unwrap();
    fs::write(context.join("b.txt"), "the second layer\n").unwrap();
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY a.txt /\nLABEL of=forge\nCOPY b.txt /\n").unwrap();
    let source = format!("{}/forge/app:1", from.authority());
    docker(&["build", "--quiet", "--tag", &source, context.to_str().unwrap()]);
    docker(&["push", "--quiet", &source]);
    let id = docker(&["inspect", "--format", "{{.Id}}", &source]);
    let pushed = docker(&["inspect", "--format", "{{index .RepoDigests 0}}", &source]);
    let digest = pushed.split_once('@').unwrap().1;

    let destination = format!("{}/mirror/app", to.authority());
    let ran = agent.run(&format!("copy-artifact {source} {destination}:1 --output json")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.document();
    assert_eq!((&document["outcome"], &document["digest"]), (&"copied".into(), &digest.into()));
    assert_eq!(downloaded(&source), downloaded(&format!("{destination}:1")));

    docker(&["rmi", "--force", &id]);
    assert!(engine.docker(&["inspect", &id]).is_err(), "the engine has it no more");
    let copy = format!("{destination}@{digest}");
    docker(&["pull", "--quiet", &copy]);
    assert_eq!(docker(&["inspect", "--format", "{{.Id}}", &copy]), id);
    assert_eq!(docker(&["inspect", "--format", "{{.Config.Labels.of}}", &copy]), "forge");
    let container = docker(&["create", &copy, "/none"]);
    for (file, text) in [("a.txt", "the first layer\n"), ("b.txt", "the second layer\n")] {
        let out = agent.home().join(file);
        docker(&["cp", &format!("{container}:/{file}"), out.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(out).unwrap(), text);
    }
}
