package main

import (
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

// stores is a server's disk.
type stores struct {
	logs   raft.LogStore
	stable raft.StableStore
	snaps  raft.SnapshotStore
	// The way to make logs stall.
	stall *stallingStore
}

func openStores(kind, dir string) (stores, error) {
	switch kind {
	case "inmem":
		m := raft.NewInmemStore()
		s := &stallingStore{LogStore: m}
		return stores{s, m, raft.NewInmemSnapshotStore(), s}, nil
	case "bolt":
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return stores{}, err
		}
		b, err := raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
		if err != nil {
			return stores{}, err
		}
		s := &stallingStore{LogStore: b}
		c, err := raft.NewLogCache(512, s)
		if err != nil {
			return stores{}, err
		}
		fs, err := raft.NewFileSnapshotStore(dir, 2, ioutil.Discard)
		if err != nil {
			return stores{}, err
		}
		return stores{c, b, fs, s}, nil
	}
	return stores{}, fmt.Errorf("-store must be inmem or bolt, not %q", kind)
}

// stallingStore is a log store whose writes wait while its disk is said to hang.
type stallingStore struct {
	raft.LogStore
	mu    sync.Mutex
	until time.Time
	// Replaced with each change of until, closed by the next.
	changed chan struct{}
}

// stallFor makes every write of the log wait for this long from now on; 0 ends a stall.
func (s *stallingStore) stallFor(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(d)
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

func (s *stallingStore) wait() {
	for {
		s.mu.Lock()
		left, changed := time.Until(s.until), s.changed
		s.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-changed:
		}
	}
}

func (s *stallingStore) StoreLog(l *raft.Log) error {
	s.wait()
	return s.LogStore.StoreLog(l)
}

func (s *stallingStore) StoreLogs(ls []*raft.Log) error {
	s.wait()
	return s.LogStore.StoreLogs(ls)
}
