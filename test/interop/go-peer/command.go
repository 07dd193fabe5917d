package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// command is what the older system writes into its log, as its own struct decodes it.
type command struct {
	Op    string
	Key   string
	Value json.RawMessage
}

var errNoValue = errors.New("a command without a value")

// decodeCommand reads one command. What Go decodes is in the answer even where the command is not taken.
// A command is taken when encoding/json takes it, Op is one of the two, and there is a Value, of which null is one.
func decodeCommand(data []byte) (command, error) {
	var c command
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	if c.Op != "set" && c.Op != "updateNodeData" {
		return c, fmt.Errorf("unknown operation %q", c.Op)
	}
	if c.Value == nil {
		return c, errNoValue
	}
	return c, nil
}

// compacted gives the value without insignificant space, everything else byte for byte.
func compacted(value json.RawMessage) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
