#!/usr/bin/env bash
# Registers you, or another entity, with the hub. Doing it again updates the name.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -le 3 ]] || usage "coord-register.sh [id] [claude_session|ai_agent|human|service] [name]"

id=${1:-$coord_entity}
type=${2:-claude_session}
name=${3:-$id}

coord_call POST /entities/register \
  "{\"entity_id\":$(json_string "$id"),\"entity_type\":$(json_string "$type"),\"name\":$(json_string "$name")}"
