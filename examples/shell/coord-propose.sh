#!/usr/bin/env bash
# Puts a proposal to the vote.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -ge 1 && $# -le 2 ]] || usage "coord-propose.sh <title> [description]"

body="{\"title\":$(json_string "$1"),\"proposed_by\":$(json_string "$coord_entity")"
if [[ $# -eq 2 ]]; then
  body+=",\"description\":$(json_string "$2")"
fi
coord_call POST /proposals/create "$body}"
