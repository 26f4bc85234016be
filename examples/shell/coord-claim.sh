#!/usr/bin/env bash
# Claims a task: of all who try, exactly one gets it.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -eq 1 && -n $1 ]] || usage "coord-claim.sh <task_id>"

coord_call POST "/tasks/$(url_part "$1")/claim" "{\"entity_id\":$(json_string "$coord_entity")}"
