package main

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"net/http"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// bench is /bench?n=ops&c=concurrency&size=bytes&warm=ops: a load made inside the leader's process.
func bench(r *raft.Raft, w http.ResponseWriter, q *http.Request) {
	n, c, size, warm := number(q, "n", 1000), number(q, "c", 1), number(q, "size", 300), number(q, "warm", 200)
	if n < 1 || c < 1 || size < 8 {
		reply(w, nil, fmt.Errorf("n and c are at least 1, size at least 8"))
		return
	}
	if warm > 0 {
		if _, _, err := load(r, warm, c, size); err != nil {
			reply(w, nil, err)
			return
		}
	}
	lat, secs, err := load(r, n, c, size)
	if err != nil {
		reply(w, nil, err)
		return
	}
	sort.Float64s(lat)
	p := func(f float64) float64 { return lat[int(f*float64(len(lat)-1))] }
	reply(w, map[string]interface{}{
		"n": n, "c": c, "size": size, "secs": secs, "ops_s": float64(n) / secs,
		"p50_ms": p(.5), "p95_ms": p(.95), "p99_ms": p(.99), "max_ms": lat[len(lat)-1],
	}, nil)
}

// load applies n commands of size bytes, at most c in flight, and gives the latency of each in milliseconds.
func load(r *raft.Raft, n, c, size int) ([]float64, float64, error) {
	lat := make([]float64, n)
	var next int64 = -1
	var firstErr atomic.Value
	var wg sync.WaitGroup
	start := time.Now()
	for g := 0; g < c; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			buf := make([]byte, size)
			rand.New(rand.NewSource(int64(g))).Read(buf)
			for {
				i := atomic.AddInt64(&next, 1)
				if i >= int64(n) {
					return
				}
				d := append([]byte(nil), buf...)
				binary.BigEndian.PutUint64(d, uint64(i))
				t := time.Now()
				if err := r.Apply(d, 30*time.Second).Error(); err != nil {
					firstErr.Store(err.Error())
					return
				}
				lat[i] = float64(time.Since(t).Nanoseconds()) / 1e6
			}
		}(g)
	}
	wg.Wait()
	secs := time.Since(start).Seconds()
	if e := firstErr.Load(); e != nil {
		return nil, 0, fmt.Errorf("%v", e)
	}
	return lat, secs, nil
}
