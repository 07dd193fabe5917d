package main

import (
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// libName says what this program was built against. Debian bookworm has these versions.
const libName = "hashicorp/raft 1.1.2 (Debian), go-msgpack 0.5.5"

func newTransport(bind string, adv net.Addr, maxPool int, timeout time.Duration, lg hclog.Logger) (*raft.NetworkTransport, error) {
	return raft.NewTCPTransportWithLogger(bind, adv, maxPool, timeout, lg)
}
