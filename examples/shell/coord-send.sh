#!/usr/bin/env bash
# Sends a message to a channel.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
[[ $# -eq 2 ]] || usage "coord-send.sh <channel> <message>"

coord_call POST /messages/send \
  "{\"from_entity\":$(json_string "$coord_entity"),\"channel\":$(json_string "$1"),\"content\":$(json_string "$2")}"
