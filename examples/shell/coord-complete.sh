#!/usr/bin/env bash
# Completes a task that you hold, with a result in words.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -ge 1 && $# -le 2 && -n $1 ]] || usage "coord-complete.sh <task_id> [result]"

body="{\"entity_id\":$(json_string "$coord_entity")"
if [[ $# -eq 2 ]]; then
  body+=",\"result\":$(json_string "$2")"
fi
coord_call POST "/tasks/$(url_part "$1")/complete" "$body}"
