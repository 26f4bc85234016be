#!/usr/bin/env bash
# Completes a task that you hold, with a result in words; one that you hold under a lease, with the token of the claim.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
readonly USAGE="coord-complete.sh <task_id> [result] [claim_token]"
[[ $# -ge 1 && $# -le 3 && -n $1 ]] || usage "$USAGE"

body="{\"entity_id\":$(json_string "$coord_entity")"
if [[ $# -ge 2 ]]; then
  body+=",\"result\":$(json_string "$2")"
fi
if [[ $# -eq 3 ]]; then
  is_number "$3" || usage "$USAGE"
  body+=",\"claim_token\":$3"
fi
coord_call POST "/tasks/$(url_part "$1")/complete" "$body}"
