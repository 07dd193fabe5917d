package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

type entry struct {
	Index, Term uint64
	Data        []byte
}

// recFSM keeps a hash chain over (index, data) of every applied command, the
// count, and the last `keep` entries verbatim.
type recFSM struct {
	mu       sync.Mutex
	hash     [32]byte
	count    uint64
	last     uint64
	keep     int
	entries  []entry
	restores uint64
}

func (f *recFSM) Apply(l *raft.Log) interface{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ib [8]byte
	binary.BigEndian.PutUint64(ib[:], l.Index)
	h := sha256.New()
	h.Write(f.hash[:])
	h.Write(ib[:])
	h.Write(l.Data)
	h.Sum(f.hash[:0])
	f.count++
	f.last = l.Index
	if f.keep > 0 {
		f.entries = append(f.entries, entry{l.Index, l.Term, append([]byte(nil), l.Data...)})
		if len(f.entries) > 2*f.keep {
			f.entries = append([]entry(nil), f.entries[len(f.entries)-f.keep:]...)
		}
	}
	return f.count
}

func (f *recFSM) report(tail int) map[string]interface{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]interface{}{
		"count": f.count, "last": f.last, "hash": hex.EncodeToString(f.hash[:]), "restores": f.restores, "kept": len(f.entries),
	}
	if tail > 0 {
		t := []map[string]interface{}{}
		from := len(f.entries) - tail
		if from < 0 {
			from = 0
		}
		for _, e := range f.entries[from:] {
			t = append(t, map[string]interface{}{"index": e.Index, "term": e.Term, "data": hex.EncodeToString(e.Data)})
		}
		out["tail"] = t
	}
	return out
}

func (f *recFSM) get(string) (json.RawMessage, bool) { return nil, false }

func (f *recFSM) dump() ([]byte, bool) { return nil, false }

// Snapshot format (this program's own): hash[32] count[8] last[8] n[8] then n
// times index[8] term[8] len[4] data, all big endian.
type recSnap struct {
	hash        [32]byte
	count, last uint64
	entries     []entry
}

func (f *recFSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	es := f.entries
	if len(es) > f.keep {
		es = es[len(es)-f.keep:]
	}
	return &recSnap{f.hash, f.count, f.last, append([]entry(nil), es...)}, nil
}

func (s *recSnap) Persist(sink raft.SnapshotSink) error {
	w := bufio.NewWriterSize(sink, 1<<16)
	put := func(v uint64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], v)
		w.Write(b[:])
	}
	w.Write(s.hash[:])
	put(s.count)
	put(s.last)
	put(uint64(len(s.entries)))
	for _, e := range s.entries {
		put(e.Index)
		put(e.Term)
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(len(e.Data)))
		w.Write(b[:])
		w.Write(e.Data)
	}
	if err := w.Flush(); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

func (s *recSnap) Release() {}

func (f *recFSM) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	r := bufio.NewReaderSize(rc, 1<<16)
	var hash [32]byte
	if _, err := io.ReadFull(r, hash[:]); err != nil {
		return err
	}
	get := func(v *uint64) error {
		var b [8]byte
		_, err := io.ReadFull(r, b[:])
		*v = binary.BigEndian.Uint64(b[:])
		return err
	}
	var count, last, n uint64
	for _, p := range []*uint64{&count, &last, &n} {
		if err := get(p); err != nil {
			return err
		}
	}
	var es []entry
	for i := uint64(0); i < n; i++ {
		var e entry
		if err := get(&e.Index); err != nil {
			return err
		}
		if err := get(&e.Term); err != nil {
			return err
		}
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		e.Data = make([]byte, binary.BigEndian.Uint32(b[:]))
		if _, err := io.ReadFull(r, e.Data); err != nil {
			return err
		}
		es = append(es, e)
	}
	f.mu.Lock()
	f.hash, f.count, f.last, f.entries = hash, count, last, es
	f.restores++
	f.mu.Unlock()
	return nil
}
