package main

import (
	"encoding/json"

	"github.com/hashicorp/raft"
)

// machine is what the log drives: a state machine of the library that can be looked into.
type machine interface {
	raft.FSM
	// report is the answer to /fsm. tail: how many of the last commands to show, where they are kept.
	report(tail int) map[string]interface{}
	// get is the answer to /get, where there are keys.
	get(key string) (json.RawMessage, bool)
}

func newMachine(kind string, keep int) machine {
	switch kind {
	case "rec":
		return &recFSM{keep: keep}
	case "kv":
		return newKVFSM()
	}
	return nil
}
