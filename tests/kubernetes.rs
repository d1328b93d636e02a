//! The manifests and scripts of `packaging/kubernetes` and the page about them: that they are valid, agree with each other, and work when
//! what is in them is run.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use common::find_program;
use common::monitor::Monitor;
use common::monitor::OK;
use common::monitor::TOKEN;
use common::stderr;
use common::stdout;
use common::vigilmon;
use serde_json::Value;
use vigilmon::model::time::parse_duration;

const POD_UID: &str = "6f0c2b1e-0d3c-4a4e-9a53-5b1f1f1d2c3b";

const CRON_JOBS: [&str; 2] = ["nightly-report-exec.yaml", "nightly-report-shell.yaml"];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML text.
fn documents(name: &str, text: &str) -> Vec<Value> {
    let parse = |part: &str| serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.split("\n---\n").map(parse).collect()
}

/// All objects of all manifests.
fn objects() -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(project("packaging/kubernetes")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    assert_eq!(files.len(), 4, "{files:?}");
    files.iter().flat_map(|file| documents(&file.display().to_string(), &fs::read_to_string(file).unwrap())).collect()
}

fn manifest(name: &str) -> Value {
    documents(name, &text(&format!("packaging/kubernetes/{name}"))).remove(0)
}

fn find<'a>(objects: &'a [Value], kind: &str, namespace: &str, name: &str) -> Option<&'a Value> {
    let is_it =
        |object: &&Value| object["kind"] == kind && object["metadata"]["namespace"] == namespace && object["metadata"]["name"] == name;
    objects.iter().find(is_it)
}

/// What an object makes pods of.
fn pod_spec(object: &Value) -> Option<&Value> {
    match object["kind"].as_str().unwrap() {
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]["spec"]),
        "Deployment" => Some(&object["spec"]["template"]["spec"]),
        _ => None,
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The strings of a list.
fn words(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_pod_refers_to_exists() {
    let objects = objects();
    let mut n_secrets = 0;
    for object in &objects {
        let Some(spec) = pod_spec(object) else { continue };
        let namespace = object["metadata"]["namespace"].as_str().unwrap();
        let volumes: BTreeSet<_> = list(spec, "volumes").iter().map(|volume| volume["name"].as_str().unwrap()).collect();
        let mut mounted = BTreeSet::new();
        for container in list(spec, "initContainers").iter().chain(list(spec, "containers")) {
            for variable in list(container, "env") {
                let from = &variable["valueFrom"]["secretKeyRef"];
                if let Some(name) = from["name"].as_str() {
                    let secret = find(&objects, "Secret", namespace, name).unwrap_or_else(|| panic!("no Secret {name} in {namespace}"));
                    let key = from["key"].as_str().unwrap();
                    assert!(secret["stringData"][key].is_string(), "the Secret {name} has no {key}");
                    n_secrets += 1;
                } else {
                    assert_eq!(variable["valueFrom"]["fieldRef"]["fieldPath"], "metadata.uid", "{variable}");
                }
            }
            for mount in list(container, "volumeMounts") {
                let name = mount["name"].as_str().unwrap();
                assert!(volumes.contains(name), "no volume {name}");
                mounted.insert(name);
            }
        }
        assert_eq!(mounted, volumes, "every volume is mounted");
        for volume in list(spec, "volumes") {
            if let Some(name) = volume["configMap"]["name"].as_str() {
                assert!(find(&objects, "ConfigMap", namespace, name).is_some(), "no ConfigMap {name}");
            }
            if let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                assert!(find(&objects, "PersistentVolumeClaim", namespace, name).is_some(), "no claim {name}");
            }
        }
    }
    assert_eq!(n_secrets, 3);
}

#[test]
fn the_way_from_the_ingress_to_the_pod_is_complete() {
    let objects = objects();
    let deployment = find(&objects, "Deployment", "vigilmon", "vigilmon").unwrap();
    let service = find(&objects, "Service", "vigilmon", "vigilmon").unwrap();
    let ingress = find(&objects, "Ingress", "vigilmon", "vigilmon").unwrap();
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert!(labels.is_object());
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&service["spec"]["selector"], labels);
    let container = &pod_spec(deployment).unwrap()["containers"][0];
    let port = &container["ports"][0];
    assert_eq!((&port["name"], &port["containerPort"]), (&service["spec"]["ports"][0]["targetPort"], &Value::from(8080)));
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], port["name"]);
        assert_eq!(container[probe]["httpGet"]["path"], "/healthz");
    }
    let rule = &ingress["spec"]["rules"][0];
    let backend = &rule["http"]["paths"][0]["backend"]["service"];
    assert_eq!((&backend["name"], &backend["port"]["name"]), (&service["metadata"]["name"], &service["spec"]["ports"][0]["name"]));
    let tls = &ingress["spec"]["tls"][0];
    assert_eq!(tls["hosts"][0], rule["host"]);
    assert!(find(&objects, "Secret", "vigilmon", tls["secretName"].as_str().unwrap()).is_some());
    assert!(
        find(&objects, "Namespace", "", "").is_none()
            && objects.iter().any(|o| o["kind"] == "Namespace" && o["metadata"]["name"] == "vigilmon")
    );
}

#[test]
fn the_commands_of_the_page_make_the_secrets_that_are_expected() {
    let page = text("packaging/kubernetes/README.md").replace("\\\n", "");
    let made: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("kubectl create secret generic "))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let key = words.iter().find_map(|word| word.strip_prefix("--from-literal=")).unwrap().split('=').next().unwrap();
            assert_eq!(words[1], "-n");
            format!("{}/{}/{key}", words[2], words[0])
        })
        .collect();
    let expected: BTreeSet<String> = objects()
        .iter()
        .filter(|object| object["kind"] == "Secret" && object["type"] == "Opaque")
        .flat_map(|object| {
            let name = format!("{}/{}", object["metadata"]["namespace"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
            object["stringData"].as_object().unwrap().keys().map(move |key| format!("{name}/{key}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(made, expected);
    for object in objects().iter().filter(|object| object["kind"] == "Secret") {
        assert!(
            object["stringData"].as_object().unwrap().values().all(|value| value == ""),
            "nothing that somebody could deploy by mistake"
        );
    }
}

/// The YAML blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    page.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// The heartbeats of a config by the name of their monitor.
fn heartbeat(config: &str, name: &str) -> Option<Value> {
    let config: Value = serde_saphyr::from_str(config).unwrap();
    list(&config, "monitors").iter().find(|monitor| monitor["name"] == name).map(|monitor| monitor["heartbeat"].clone())
}

#[test]
fn the_numbers_of_the_heartbeat_follow_from_those_of_the_cron_job() {
    let page = text("docs/heartbeats.md");
    let shown = heartbeat(&blocks(&page)[0], "nightly-report-job").unwrap();
    let objects = objects();
    let files = &find(&objects, "ConfigMap", "vigilmon", "vigilmon-config").unwrap()["data"];
    assert_eq!(heartbeat(files["heartbeats.yaml"].as_str().unwrap(), "nightly-report-job").as_ref(), Some(&shown));

    let time = |key: &str| parse_duration(shown[key].as_str().unwrap()).unwrap();
    for name in CRON_JOBS {
        let job = manifest(name);
        let (spec, of_job) = (&job["spec"], &job["spec"]["jobTemplate"]["spec"]);
        let seconds = |value: &Value| Duration::from_secs(value.as_u64().unwrap());
        let (may_begin, may_take) = (seconds(&spec["startingDeadlineSeconds"]), seconds(&of_job["activeDeadlineSeconds"]));
        assert_eq!(
            (&shown["cron"], &shown["timezone"], &shown["rules"]),
            (&spec["schedule"], &spec["timeZone"], &Value::from("kubernetes"))
        );
        assert_eq!(time("start_grace"), may_begin + Duration::from_secs(300), "{name}");
        assert_eq!(time("max_runtime"), may_take, "{name}");
        assert_eq!(time("grace"), may_begin + may_take, "{name}");
        assert_eq!(shown["failures"].as_u64(), of_job["backoffLimit"].as_u64().map(|limit| limit + 1), "{name}");
    }
}

#[test]
fn the_page_names_every_field_of_the_manifests_that_matters() {
    let page = text("docs/heartbeats.md");
    for name in CRON_JOBS {
        let job = manifest(name);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        for key in keys(&job["spec"]).into_iter().chain(keys(&job["spec"]["jobTemplate"]["spec"])) {
            assert!(matches!(key.as_str(), "jobTemplate" | "template") || page.contains(&format!("`{key}")), "`{key}` is not in the page");
        }
        assert!(
            pod_spec(&job).unwrap()["restartPolicy"].as_str().is_some_and(|policy| page.contains(&format!("`restartPolicy: {policy}`")))
        );
    }
}

#[test]
fn the_config_in_the_manifest_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let objects = objects();
    let files = find(&objects, "ConfigMap", "vigilmon", "vigilmon-config").unwrap()["data"].as_object().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text.as_str().unwrap()).unwrap();
    }
    let mut command = vigilmon();
    command.env("VIGILMON_INSTANCE_SECRET", "0123456789abcdef0123456789abcdef").env("STATE_DIRECTORY", dir.path());
    let output = command.args(["validate", "--config"]).arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// An executable script.
fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A job that succeeds or fails, and says so; stands in for `/app/run-report`.
fn report(dir: &Path, code: u8) -> String {
    let path = dir.join("run-report");
    script(&path, &format!("#!/bin/sh\necho report\necho aside >&2\nexit {code}\n"));
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn assert_reported(monitor: &Monitor, output: &Output, code: u8) {
    assert_eq!(output.status.code(), Some(code.into()), "{}", stderr(output));
    let pings = monitor.pings();
    assert_eq!(monitor.words(), ["start".to_owned(), code.to_string()]);
    assert!(pings.iter().all(|ping| ping.rid() == Some(POD_UID) && ping.method == "POST"), "{pings:?}");
    let body = String::from_utf8_lossy(&pings[1].body).into_owned();
    assert!(body.contains("report") && body.contains("aside"), "{body}");
    assert!(!stdout(output).contains(TOKEN) && !stderr(output).contains(TOKEN));
}

#[test]
fn the_job_with_exec_works_as_it_is_written() {
    let job = manifest("nightly-report-exec.yaml");
    let spec = pod_spec(&job).unwrap();
    for code in [0, 3] {
        let dir = tempfile::tempdir().unwrap();
        let monitor = Monitor::start(&[OK]);
        // What the kubelet does: mounts the volume, fills in the variables, runs one container after the other.
        let here = dir.path().to_str().unwrap();
        let filled = |words: Vec<String>| -> Vec<String> {
            words.iter().map(|word| word.replace("/vigilmon/", &format!("{here}/")).replace("$(POD_UID)", POD_UID)).collect()
        };
        let copied = vigilmon().args(filled(words(&spec["initContainers"][0], "args"))).status().unwrap();
        assert!(copied.success());
        let container = &spec["containers"][0];
        let command = filled(words(container, "command"));
        let arguments =
            words(container, "args").iter().map(|word| word.replace("/app/run-report", &report(dir.path(), code))).collect::<Vec<_>>();
        let name = container["env"][0]["name"].as_str().unwrap();
        let output = Command::new(&command[0]).args(&command[1..]).args(arguments).env(name, monitor.url()).output().unwrap();
        assert_reported(&monitor, &output, code);
    }
}

#[test]
fn the_job_with_a_shell_works_with_curl_and_with_busybox() {
    let job = manifest("nightly-report-shell.yaml");
    let container = &pod_spec(&job).unwrap()["containers"][0];
    let command = words(container, "command");
    assert_eq!(command[..2], ["/bin/sh", "-c"]);
    for client in ["curl", "busybox"] {
        let Some(program) = find_program(client) else { continue };
        for code in [0, 3] {
            let dir = tempfile::tempdir().unwrap();
            // An image that has this and little else.
            for tool in ["sh", "tee", "tail", "cat", "timeout"] {
                std::os::unix::fs::symlink(find_program(tool).unwrap(), dir.path().join(tool)).unwrap();
            }
            let name = if client == "busybox" { "wget" } else { client };
            std::os::unix::fs::symlink(&program, dir.path().join(name)).unwrap();
            let monitor = Monitor::start(&[OK]);
            let script =
                command[2].replace("/tmp/", &format!("{}/", dir.path().display())).replace("/app/run-report", &report(dir.path(), code));
            let mut job = Command::new("/bin/sh");
            job.args(["-c", &script]).env_clear().env("PATH", dir.path()).env("POD_UID", POD_UID).stdin(Stdio::null());
            let output = job.env(container["env"][0]["name"].as_str().unwrap(), monitor.url()).output().unwrap();
            assert_reported(&monitor, &output, code);
            assert_eq!(stdout(&output).lines().count(), 2, "the log of the pod has it as well");
        }
    }
}

/// A kubectl that answers from a table and writes down what it was asked.
struct Cluster {
    dir: tempfile::TempDir,
}

impl Cluster {
    /// `ready` is what its only endpoint says, `answer` the script of the pod that makes the request.
    fn new(ready: &str, answer: &str) -> Cluster {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            r#"#!/bin/sh
printf '%s\n' "$*" >>"{}"
case "$*" in
  *"get service gone"*) echo 'Error from server (NotFound): services "gone" not found' >&2; exit 1 ;;
  *"get service my-api"*.spec.selector*) printf 'app=my-api,tier=web,' ;;
  *"get service my-api"*.port*name*) printf http ;;
  *"get service my-api"*"index . 0).port"*) printf 8080 ;;
  *"get service my-api"*) echo 'NAME my-api 8080/TCP' ;;
  *"get pods --selector app=my-api,tier=web"*) echo 'my-api-1 1/1 Running' ;;
  *"get endpointslices --selector kubernetes.io/service-name=my-api"*) echo '10.1.0.1 ready={ready} Pod/my-api-1' ;;
  *"get events"*) i=0; while [ $i -lt 50 ]; do echo "event-$i;"; i=$((i+1)); done ;;
  *"get ingress"*) echo 'my-ingress api.example.com' ;;
  *" run "*) {answer} ;;
esac
"#,
            dir.path().join("asked").display()
        );
        script(&dir.path().join("kubectl"), &text);
        Cluster { dir }
    }

    fn triage(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new("/bin/sh");
        command.arg(project("packaging/kubernetes/triage.sh")).args(arguments).stdin(Stdio::null());
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env_remove("KUBECTL").env_remove("IMAGE").envs(environment.iter().copied()).output().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        asked.replace(",\n", ", ").lines().map(|line| line.trim().to_owned()).collect()
    }
}

const ANSWERS: &str = "echo 'HTTP 200 after 0.012 s'";

#[test]
fn triage_shows_everything_and_says_what_it_means() {
    for (ready, answer, code, meaning) in [
        ("true", ANSWERS, 0, "look at the way to it"),
        ("true", "echo 'curl: (22) error'; echo 'HTTP 503 after 0.1 s'; exit 22", 1, "Pods are ready, and still"),
        ("false", "echo 'HTTP 000 after 15.0 s'; exit 28", 1, "no pod is ready"),
        ("true", "echo 'error: pods is forbidden' >&2; exit 1", 2, "it says nothing about the service"),
    ] {
        let cluster = Cluster::new(ready, answer);
        let output = cluster.triage(&["production", "my-api"], &[]);
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{said}{}", stderr(&output));
        for part in ["my-api-1 1/1 Running", &format!("10.1.0.1 ready={ready} Pod/my-api-1"), "event-49;", "my-ingress", meaning] {
            assert!(said.contains(part), "no `{part}` in: {said}");
        }
        assert!(!said.contains("event-29;") && said.contains("event-30;"), "the last twenty events");
        assert!(said.contains("\nhttp://my-api.production.svc:8080/health\n"), "{said}");
    }
}

#[test]
fn triage_reads_and_starts_one_pod_that_it_removes() {
    let cluster = Cluster::new("true", ANSWERS);
    cluster.triage(&["production", "my-api", "readyz"], &[("KUBECTL", "kubectl --context prod-us"), ("IMAGE", "mirror.example/curl")]);
    let asked = cluster.asked();
    let mut pods = BTreeSet::new();
    for line in &asked {
        let rest = line.strip_prefix("--context prod-us --namespace production ").unwrap_or_else(|| panic!("{line}"));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match words[..] {
            ["--request-timeout=20s", "get", ..] => {}
            ["run", pod, "--image=mirror.example/curl", "--restart=Never", "--rm", ..] => {
                pods.insert(("run", pod));
                assert!(rest.ends_with(" http://my-api.production.svc:8080/readyz"), "{rest}");
            }
            ["delete", "pod", pod, "--ignore-not-found", "--wait=false"] => {
                pods.insert(("delete", pod));
            }
            _ => panic!("it must not do this: {rest}"),
        }
    }
    let names: BTreeSet<&str> = pods.iter().map(|(_, pod)| *pod).collect();
    assert_eq!((pods.len(), names.len()), (2, 1), "{asked:?}");
    assert!(names.iter().all(|name| name.starts_with("vigilmon-triage-")));
}

#[test]
fn triage_of_something_that_is_not_there_says_so_and_starts_nothing() {
    let cluster = Cluster::new("true", ANSWERS);
    let output = cluster.triage(&["production", "gone"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("There is no service `gone` in `production`"), "{}", stdout(&output));
    assert!(!cluster.asked().iter().any(|line| line.contains(" run ") || line.contains(" delete ")));
    for arguments in [&["production"][..], &["a", "b", "c", "d"], &[]] {
        let output = cluster.triage(arguments, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).starts_with("usage: "), "{}", stderr(&output));
    }
}

#[test]
fn the_scripts_are_clean() {
    let Some(shellcheck) = find_program("shellcheck") else { return };
    let job = manifest("nightly-report-shell.yaml");
    let dir = tempfile::tempdir().unwrap();
    let inline = dir.path().join("nightly-report.sh");
    fs::write(&inline, &words(&pod_spec(&job).unwrap()["containers"][0], "command")[2]).unwrap();
    let output = Command::new(shellcheck).arg("--shell=sh").arg(project("packaging/kubernetes/triage.sh")).arg(inline).output().unwrap();
    assert!(output.status.success(), "{}", stdout(&output));
}
