#!/usr/bin/env bash
# Creates a task for whoever claims it.
set -euo pipefail
# shellcheck source=coord-common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/coord-common.sh"
readonly USAGE="coord-create-task.sh <title> <desc> [urgent|high|normal|low] [requires_human: true|false]"
[[ $# -ge 2 && $# -le 4 ]] || usage "$USAGE"

requires_human=${4:-false}
case $requires_human in
true | false) ;;
*) usage "$USAGE" ;;
esac

body="{\"title\":$(json_string "$1"),\"description\":$(json_string "$2"),\"created_by\":$(json_string "$coord_entity")"
body+=",\"priority\":$(json_string "${3:-normal}"),\"requires_human\":$requires_human}"
coord_call POST /tasks/create "$body"
