#!/usr/bin/env bash
# Votes on a proposal. While it is open, a later vote replaces the earlier one.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
readonly USAGE="coord-vote.sh <proposal_id> for|against|abstain [comment]"
[[ $# -ge 2 && $# -le 3 && -n $1 ]] || usage "$USAGE"
case $2 in
for | against | abstain) ;;
*) usage "$USAGE" ;;
esac

body="{\"entity_id\":$(json_string "$coord_entity"),\"vote\":\"$2\""
if [[ $# -eq 3 ]]; then
  body+=",\"comment\":$(json_string "$3")"
fi
coord_call POST "/proposals/$(url_part "$1")/vote" "$body}"
