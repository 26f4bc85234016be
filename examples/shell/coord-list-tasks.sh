#!/usr/bin/env bash
# Lists tasks, all or those of one status (open, in_progress, completed, failed, cancelled, blocked,
# scheduled).
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -le 1 ]] || usage "coord-list-tasks.sh [status]"

query=
if [[ -n ${1-} ]]; then
  query="?status=$(url_part "$1")"
fi
coord_call GET "/tasks/list$query"
