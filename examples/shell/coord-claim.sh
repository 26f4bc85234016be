#!/usr/bin/env bash
# Claims a task: of all who try, exactly one gets it. With a lease it is yours for so many seconds, and completing it
# takes the claim_token of the reply.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
readonly USAGE="coord-claim.sh <task_id> [lease_seconds]"
[[ $# -ge 1 && $# -le 2 && -n $1 ]] || usage "$USAGE"

body="{\"entity_id\":$(json_string "$coord_entity")"
if [[ $# -eq 2 ]]; then
  is_number "$2" || usage "$USAGE"
  body+=",\"lease_seconds\":$2"
fi
coord_call POST "/tasks/$(url_part "$1")/claim" "$body}"
