#!/usr/bin/env bash
# Whether a path of Wasmill's own HTTP server answers 200. For images, which have no HTTP client.
#
#   probe PATH [PORT]      probe /livez: the process answers; probe /readyz: it does its work
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${2:-8080}"
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
read -r -t 2 _ status _ <&3
[[ $status == 200 ]]
