#!/usr/bin/env bash
# A Ray cluster for train.sh: `cluster.sh head` on one node, `cluster.sh join HEAD-ADDRESS` on each other.
# Every node needs the same environment (verl and ttrl), and data, model and checkpoints under the same paths.
set -euo pipefail
port=${PORT:-6379}
case ${1:-} in
    head) exec ray start --head --port="$port" ;;
    join) exec ray start --address="${2:?"usage: cluster.sh join HEAD-ADDRESS"}:$port" ;;
    stop) exec ray stop ;;
    *) echo "usage: cluster.sh head | join HEAD-ADDRESS | stop" >&2; exit 2 ;;
esac
