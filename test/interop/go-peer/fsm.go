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
	// dump is the answer to /dump, where there are keys: all of them, as in a snapshot.
	dump() ([]byte, bool)
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
