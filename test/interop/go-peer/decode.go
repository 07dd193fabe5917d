package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
)

// The greatest command that -decode reads, as hexadecimal text.
const maxLine = 16 << 20

// decodeLines reads the hexadecimal bytes of one command a line (a command may hold newlines, and bytes that are no
// text) and answers with one JSON line each: what encoding/json made of it, and whether the machine takes it.
// With asMap each line is a snapshot, and the answer its canonical bytes.
func decodeLines(r io.Reader, w io.Writer, asMap bool) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 1<<16), maxLine)
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for in.Scan() {
		data, err := hex.DecodeString(in.Text())
		if err != nil {
			return err
		}
		answer := decodeOne
		if asMap {
			answer = decodeMap
		}
		if err := enc.Encode(answer(data)); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return out.Flush()
}

func decodeOne(data []byte) interface{} {
	c, err := decodeCommand(data)
	if err != nil {
		return map[string]interface{}{"taken": false, "why": err.Error()}
	}
	value, err := compacted(c.Value)
	if err != nil {
		return map[string]interface{}{"taken": false, "why": err.Error()}
	}
	return map[string]interface{}{"taken": true, "op": c.Op, "key": c.Key, "value": hex.EncodeToString(value)}
}

func decodeMap(data []byte) interface{} {
	values, err := readMap(data)
	if err != nil {
		return map[string]interface{}{"taken": false, "why": err.Error()}
	}
	return map[string]interface{}{"taken": true, "size": len(values), "canonical": hex.EncodeToString(canonical(values))}
}
