#!/bin/sh
# The first thing to run when vigilmon says that a service in Kubernetes is down: pods, endpoints, events, ingress, and one request from
# inside the cluster, which tells whether the trouble is inside or on the way to it.
#
# Changes nothing, except that one pod is started for the request and removed again.
#
#   triage.sh NAMESPACE SERVICE [PATH]        PATH is asked for inside the cluster; /health when not given
#
# KUBECTL  the kubectl to use, perhaps with a context: KUBECTL="kubectl --context prod-us"
# IMAGE    an image with curl as its entry point; docker.io/curlimages/curl when not set
#
# Exit code: 0 the service answers inside the cluster, 1 it does not, 2 that could not be found out.
set -u

KUBECTL=${KUBECTL:-kubectl}
IMAGE=${IMAGE:-docker.io/curlimages/curl:8.17.0}

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: $0 NAMESPACE SERVICE [PATH]" >&2
  exit 2
fi
namespace=$1
service=$2
path=${3:-/health}
case $path in
  /*) ;;
  *) path=/$path ;;
esac
# Unique for each call, so that several people can look at once.
pod=vigilmon-triage-$(date +%s)-$$
is_pod_started=no

k() {
  # $KUBECTL may hold options, so it is split into words on purpose.
  # shellcheck disable=SC2086
  $KUBECTL --namespace "$namespace" "$@"
}

look() {
  k --request-timeout=20s get "$@"
}

title() {
  printf '\n=== %s\n' "$1"
}

# Also after Ctrl-C: `kubectl run --rm` removes the pod only when it ends by itself.
# shellcheck disable=SC2317 # the traps call it
clean_up() {
  if [ "$is_pod_started" = yes ]; then
    is_pod_started=no
    k delete pod "$pod" --ignore-not-found --wait=false >/dev/null 2>&1
  fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

title "Service $service in $namespace"
if ! look service "$service" -o wide; then
  title "Services that there are"
  look services || exit 2
  echo
  echo "There is no service \`$service\` in \`$namespace\`: whoever sends requests to it gets nothing. Was it renamed or deleted?"
  exit 1
fi
# The dollars are the template's.
# shellcheck disable=SC2016
selector=$(look service "$service" -o go-template='{{range $key, $value := .spec.selector}}{{$key}}={{$value}},{{end}}')
selector=${selector%,}
port=$(look service "$service" -o go-template='{{with .spec.ports}}{{(index . 0).port}}{{end}}')
port_name=$(look service "$service" -o go-template='{{with .spec.ports}}{{with (index . 0).name}}{{.}}{{end}}{{end}}')

title "Pods (selected by ${selector:-nothing})"
if [ -n "$selector" ]; then
  look pods --selector "$selector" -o wide
else
  echo "The service selects no pods: its endpoints are made by somebody else, or it is the name of something outside."
fi

title "Endpoints: who receives requests, and who is ready"
slices='{{range .items}}{{range .endpoints}}{{range .addresses}}{{.}} {{end}}ready={{.conditions.ready}}{{with .targetRef}} {{.kind}}/{{.name}}{{end}}{{"\n"}}{{end}}{{end}}'
if endpoints=$(look endpointslices --selector "kubernetes.io/service-name=$service" -o go-template="$slices"); then
  printf '%s\n' "${endpoints:-none}"
else
  # Clusters before 1.21.
  endpoints=$(look endpoints "$service")
  printf '%s\n' "$endpoints"
fi

title "Events, the latest last"
look events --sort-by=.lastTimestamp | tail -n 20

title "Ingress"
look ingress -o wide

title "Request from inside the cluster"
if [ -z "$port" ]; then
  echo "The service has no port, so there is nothing to ask."
  exit 1
fi
case $port_name:$port in
  https*:* | *:443 | *:8443) scheme=https ;;
  *) scheme=http ;;
esac
url=$scheme://$service.$namespace.svc:$port$path
echo "$url"
# Fits into namespaces with the strictest of the pod security standards.
overrides='{"spec": {"automountServiceAccountToken": false,
  "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
  "containers": [{"name": "'$pod'", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}'
is_pod_started=yes
# Certificates inside are often the cluster's own, so they are not looked at here. The answer's body is not shown: it may hold secrets.
answer=$(k run "$pod" --image="$IMAGE" --restart=Never --rm --attach --quiet --pod-running-timeout=60s \
  --override-type=strategic --overrides="$overrides" -- \
  -sSk -m 15 -o /dev/null -w 'HTTP %{http_code} after %{time_total} s\n' --fail "$url" 2>&1)
code=$?
printf '%s\n' "$answer"

title "What it means"
case $answer in
  *"HTTP "[0-9]*) ;;
  *)
    echo "The request was not made, so it says nothing about the service. May pods be started here, and can $IMAGE be pulled?"
    echo "IMAGE=… names another one that has curl as its entry point."
    exit 2
    ;;
esac
if [ "$code" -eq 0 ]; then
  echo "Inside the cluster the service answers. If it is down from outside, look at the way to it: load balancer, ingress controller,"
  echo "certificate, DNS."
  exit 0
fi
case $endpoints in
  *ready=true*) echo "Pods are ready, and still the service does not answer inside the cluster as it should: look at ports, network policies and logs:" ;;
  *) echo "The service does not answer inside the cluster, and no pod is ready to: look at the pods and events above, and at the logs:" ;;
esac
echo "  $KUBECTL --namespace $namespace logs --selector '$selector' --tail=50 --prefix"
exit 1
