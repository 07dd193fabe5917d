#!/usr/bin/env bash
# What the real Go servers of test/interop are built from: Debian's packages of Go, hashicorp/raft and raft-boltdb.
# Does nothing where they are. Needs root.
set -euo pipefail
sources=/usr/share/gocode/src/github.com/hashicorp
if command -v go >/dev/null && [[ -f $sources/raft/api.go && -f $sources/raft-boltdb/bolt_store.go ]]; then
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  golang-go golang-github-hashicorp-raft-dev golang-github-hashicorp-raft-boltdb-dev
