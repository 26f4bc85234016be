#!/usr/bin/env bash
# Answers a question, as a human.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -eq 2 && -n $1 ]] || usage "coord-answer.sh <task_id> <answer>"

coord_call POST "/tasks/$(url_part "$1")/answer" \
  "{\"entity_id\":$(json_string "$coord_entity"),\"answer\":$(json_string "$2")}"
