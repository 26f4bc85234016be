# shellcheck shell=bash
# What the coord-*.sh scripts share: JSON text, one call of the hub, exit statuses. Needs bash and curl, nothing else.
#
#   COORDHUB_URL     the hub                      http://localhost:8550
#   COORDHUB_ENTITY  who you are                  session-<user>-<host>
#   COORDHUB_TOKEN   your token, in token mode    none
#
# Exit statuses: 0 done, 1 the hub refused, 2 called wrongly, 3 no hub could be reached.

readonly EXIT_REFUSED=1 EXIT_USAGE=2 EXIT_UNREACHABLE=3

coord_url=${COORDHUB_URL:-http://localhost:8550}
coord_url=${coord_url%/}

# The same on every call from one machine and user, in characters that every id may have.
coord_default_entity() {
  local LC_ALL=C entity
  entity="session-${USER:-$(id -un)}-${HOSTNAME:-local}"
  entity=${entity//[!A-Za-z0-9._-]/-}
  printf '%s' "${entity:0:128}"
}
# shellcheck disable=SC2034 # the scripts that source this file use it
coord_entity=${COORDHUB_ENTITY:-$(coord_default_entity)}

# usage <line>: how the script is called, then the end.
usage() {
  printf 'usage: %s\n' "$1" >&2
  exit "$EXIT_USAGE"
}

# is_number <text>: whether the text is a number as JSON writes it.
is_number() {
  [[ $1 =~ ^(0|[1-9][0-9]{0,17})$ ]]
}

# json_string <text>: the text as a JSON string. Bytes from 0x80 up pass as they are: JSON is UTF-8, and what is not
# UTF-8 is for the hub to refuse.
json_string() {
  local LC_ALL=C text=$1 quote='"' backslash="\\" code character escape
  text=${text//"$backslash"/"$backslash$backslash"}
  text=${text//"$quote"/"$backslash$quote"}
  if [[ $text == *[$'\x01'-$'\x1f']* ]]; then
    for ((code = 1; code < 32; code++)); do
      printf -v escape '%su%04x' "$backslash" "$code"
      printf -v character '%b' "${backslash}x${escape: -2}"
      text=${text//"$character"/"$escape"}
    done
  fi
  printf '"%s"' "$text"
}

# url_part <text>: the text as one segment of a path or one value of a query.
url_part() {
  local LC_ALL=C text=$1 part='' character code encoded i
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case $character in
    [A-Za-z0-9._~-]) part+=$character ;;
    *)
      printf -v code '%d' "'$character"
      printf -v encoded '%%%02X' "$((code & 255))"
      part+=$encoded
      ;;
    esac
  done
  printf '%s' "$part"
}

# The headers go through a descriptor, so that no token shows in the list of processes.
coord_curl_config() {
  local token=${COORDHUB_TOKEN-}
  printf 'header = "Content-Type: application/json"\n'
  if [[ -n $token ]]; then
    token=${token//"\\"/"\\\\"}
    token=${token//'"'/"\\\""}
    printf 'header = "Authorization: Bearer %s"\n' "$token"
  fi
}

# The sentence in which the hub says what is wrong. Control characters stay escaped: they have no business on a terminal.
coord_detail() {
  local pattern='"detail"[[:space:]]*:[[:space:]]*"(([^"\\]|\\.)*)"' detail quote='"' backslash="\\"
  [[ $1 =~ $pattern ]] || return 1
  detail=${BASH_REMATCH[1]}
  detail=${detail//"$backslash$quote"/"$quote"}
  detail=${detail//"$backslash$backslash"/"$backslash"}
  printf '%s' "$detail"
}

# coord_call <method> <path> [body]: one call. The reply goes to stdout; a refusal ends the script.
coord_call() {
  local method=$1 path=$2 body=${3-} reply status failure=0 direct data=()
  # A proxy for the outside world must not catch calls to this machine.
  direct="localhost,127.0.0.1,::1,${no_proxy:-${NO_PROXY:-}}"
  case ${COORDHUB_TOKEN-} in
  *[$'\r\n']*)
    printf 'COORDHUB_TOKEN holds a line break\n' >&2
    exit "$EXIT_USAGE"
    ;;
  esac
  if [[ $method == POST ]]; then
    data=(--data-binary @-)
  fi
  reply=$(
    printf '%s' "$body" | curl -q --silent --show-error --globoff --path-as-is --noproxy "$direct" \
      --connect-timeout 5 --max-time 30 --config <(coord_curl_config) \
      --request "$method" ${data[@]+"${data[@]}"} --write-out '\n%{http_code}' -- "$coord_url$path"
  ) || failure=$?
  if ((failure)); then
    printf 'no hub could be reached at %s\n' "$coord_url" >&2
    exit "$EXIT_UNREACHABLE"
  fi
  status=${reply##*$'\n'}
  reply=${reply%$'\n'*}
  printf '%s\n' "$reply"
  if [[ $status != 2?? ]]; then
    printf '%s\n' "$(coord_detail "$reply" || printf 'the hub answered with status %s' "$status")" >&2
    exit "$EXIT_REFUSED"
  fi
}
