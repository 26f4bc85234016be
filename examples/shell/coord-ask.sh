#!/usr/bin/env bash
# Asks a human, and waits for the answer as long as it takes. The reply is the question as a task; `result` is the answer.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -ge 1 && -n $1 ]] || usage "coord-ask.sh <question> [option]..."

options=
for option in "${@:2}"; do
  options+="${options:+,}$(json_string "$option")"
done
body="{\"asked_by\":$(json_string "$coord_entity"),\"question\":$(json_string "$1"),\"options\":[$options]}"

# ask <method> <path> [body]: one call whose reply is looked at here; what fails is shown and ends the script.
ask() {
  local status=0
  reply=$(coord_call "$@") || status=$?
  if ((status)); then
    printf '%s' "${reply:+$reply$'\n'}"
    exit "$status"
  fi
}

ask POST /questions/ask "$body"
[[ $reply =~ \"task_id\":\"(task-[a-z0-9]+)\" ]]
question=${BASH_REMATCH[1]}
status=open
while [[ $status == open || $status == in_progress ]]; do
  ask GET "/tasks/$question?wait_seconds=20"
  # Within a text a quote has a backslash before it, so this is the first member of that name.
  [[ $reply =~ ,\"status\":\"([a-z_]+)\" ]]
  status=${BASH_REMATCH[1]}
done
printf '%s\n' "$reply"
[[ $status == completed ]] || exit "$EXIT_REFUSED"
