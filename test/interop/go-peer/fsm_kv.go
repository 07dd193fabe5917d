package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/ioutil"
	"sort"
	"sync"

	"github.com/hashicorp/raft"
)

// kvFSM applies the JSON commands of the older system: a map of keys to values, each a compact piece of JSON.
// A command that is not taken is counted and changes nothing. Values are replaced and never changed in place.
type kvFSM struct {
	mu     sync.Mutex
	values map[string]json.RawMessage
	// Of this process's life, and not in snapshots.
	count, malformed, restores, last uint64
	// Of the canonical snapshot; empty where the map has changed since it was computed.
	hash string
}

func newKVFSM() *kvFSM { return &kvFSM{values: map[string]json.RawMessage{}} }

func (f *kvFSM) Apply(l *raft.Log) interface{} {
	c, err := decodeCommand(l.Data)
	var value json.RawMessage
	if err == nil {
		value, err = compacted(c.Value)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	f.last = l.Index
	if err != nil {
		f.malformed++
		return map[string]string{"malformed": err.Error()}
	}
	f.values[c.Key] = value
	f.hash = ""
	return nil
}

func (f *kvFSM) report(int) map[string]interface{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hash == "" {
		sum := sha256.Sum256(canonical(f.values))
		f.hash = hex.EncodeToString(sum[:])
	}
	return map[string]interface{}{
		"count": f.count, "size": len(f.values), "hash": f.hash, "last": f.last, "malformed": f.malformed, "restores": f.restores,
	}
}

func (f *kvFSM) get(key string) (json.RawMessage, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, found := f.values[key]
	return value, found
}

func (f *kvFSM) dump() ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return canonical(f.values), true
}

type kvSnap struct{ values map[string]json.RawMessage }

func (f *kvFSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	values := make(map[string]json.RawMessage, len(f.values))
	for k, v := range f.values {
		values[k] = v
	}
	return &kvSnap{values}, nil
}

func (s *kvSnap) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(canonical(s.values)); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

func (s *kvSnap) Release() {}

func (f *kvFSM) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	data, err := ioutil.ReadAll(rc)
	if err != nil {
		return err
	}
	values, err := readMap(data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.values, f.hash, f.last = values, "", 0
	f.restores++
	f.mu.Unlock()
	return nil
}

// readMap reads a snapshot, whoever wrote it and with whatever space between.
func readMap(data []byte) (map[string]json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	if values == nil { // of the text null
		values = map[string]json.RawMessage{}
	}
	for k, v := range values {
		c, err := compacted(v)
		if err != nil {
			return nil, err
		}
		values[k] = c
	}
	return values, nil
}

// canonical gives the map as one JSON object: keys in the order of their UTF-8 bytes, no space, values as they
// are, nothing escaped for HTML. It is the snapshot, and what /fsm hashes.
func canonical(values map[string]json.RawMessage) []byte {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b bytes.Buffer
	names := json.NewEncoder(&b)
	names.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := names.Encode(k); err != nil {
			panic(err) // a string can be encoded
		}
		b.Truncate(b.Len() - 1) // the newline of Encode
		b.WriteByte(':')
		b.Write(values[k])
	}
	b.WriteByte('}')
	return b.Bytes()
}
