package main

import (
	"encoding/hex"
	"encoding/json"
	"io/ioutil"
	"log"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// How long a request may wait to be taken by the library.
const enqueue = 5 * time.Second

// admin is the server's HTTP port: what the library offers, one path each.
type admin struct {
	r    *raft.Raft
	fsm  machine
	disk stores
}

func (a *admin) serve(addr string) {
	r := a.r
	mux := http.NewServeMux()
	mux.HandleFunc("/status", func(w http.ResponseWriter, q *http.Request) { reply(w, a.status(), nil) })
	mux.HandleFunc("/fsm", func(w http.ResponseWriter, q *http.Request) { reply(w, a.fsm.report(number(q, "tail", 0)), nil) })
	mux.HandleFunc("/get", func(w http.ResponseWriter, q *http.Request) {
		value, found := a.fsm.get(q.URL.Query().Get("key"))
		raw(w, value, found)
	})
	mux.HandleFunc("/dump", func(w http.ResponseWriter, q *http.Request) {
		all, found := a.fsm.dump()
		raw(w, all, found)
	})
	mux.HandleFunc("/log", a.log)
	mux.HandleFunc("/apply", a.apply)
	mux.HandleFunc("/bench", func(w http.ResponseWriter, q *http.Request) { bench(r, w, q) })
	mux.HandleFunc("/barrier", func(w http.ResponseWriter, q *http.Request) { reply(w, true, r.Barrier(enqueue).Error()) })
	mux.HandleFunc("/verify", func(w http.ResponseWriter, q *http.Request) { reply(w, true, r.VerifyLeader().Error()) })
	mux.HandleFunc("/addvoter", func(w http.ResponseWriter, q *http.Request) { settle(w, r.AddVoter(sid(q), adr(q), 0, enqueue)) })
	mux.HandleFunc("/addnonvoter", func(w http.ResponseWriter, q *http.Request) { settle(w, r.AddNonvoter(sid(q), adr(q), 0, enqueue)) })
	// The API of before there were ids, ProtocolVersion <= 2 only (writes LogRemovePeerDeprecated below version 2).
	mux.HandleFunc("/addpeer", func(w http.ResponseWriter, q *http.Request) { reply(w, true, r.AddPeer(adr(q)).Error()) })
	mux.HandleFunc("/demote", func(w http.ResponseWriter, q *http.Request) { settle(w, r.DemoteVoter(sid(q), 0, enqueue)) })
	mux.HandleFunc("/remove", func(w http.ResponseWriter, q *http.Request) { settle(w, r.RemoveServer(sid(q), 0, enqueue)) })
	mux.HandleFunc("/snapshot", func(w http.ResponseWriter, q *http.Request) { reply(w, true, r.Snapshot().Error()) })
	mux.HandleFunc("/transfer", func(w http.ResponseWriter, q *http.Request) {
		if sid(q) == "" {
			reply(w, true, r.LeadershipTransfer().Error())
		} else {
			reply(w, true, r.LeadershipTransferToServer(sid(q), adr(q)).Error())
		}
	})
	// /stall?ms= : writes of the log wait for so long from now on; 0 ends it.
	mux.HandleFunc("/stall", func(w http.ResponseWriter, q *http.Request) {
		a.disk.stall.stallFor(time.Duration(number(q, "ms", 0)) * time.Millisecond)
		reply(w, true, nil)
	})
	log.Printf("%s raft=%s http=%s store=%s fsm=%s lib=%s", *id, *raftAddr, *httpAddr, *store, *fsmKind, libName)
	log.Fatal(http.ListenAndServe(addr, mux))
}

func (a *admin) status() interface{} {
	r := a.r
	out := map[string]interface{}{
		"id": *id, "state": r.State().String(), "leader": string(r.Leader()), "stats": r.Stats(), "lib": libName,
		"lastIndex": r.LastIndex(), "appliedIndex": r.AppliedIndex(),
	}
	if cf := r.GetConfiguration(); cf.Error() == nil {
		ss := []map[string]string{}
		for _, s := range cf.Configuration().Servers {
			ss = append(ss, map[string]string{"id": string(s.ID), "addr": string(s.Address), "suffrage": s.Suffrage.String()})
		}
		out["servers"], out["configIndex"] = ss, cf.Index()
	}
	return out
}

// apply writes the body as one command.
func (a *admin) apply(w http.ResponseWriter, q *http.Request) {
	b, err := ioutil.ReadAll(q.Body)
	if err != nil {
		reply(w, nil, err)
		return
	}
	f := a.r.Apply(b, enqueue)
	if err := f.Error(); err != nil {
		reply(w, nil, err)
		return
	}
	reply(w, map[string]interface{}{"index": f.Index(), "result": f.Response()}, nil)
}

// raw answers with these bytes, 404 where there are none.
func raw(w http.ResponseWriter, data []byte, found bool) {
	if !found {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Write(data)
}

// log shows the entries of the ?n= indices from ?from= on, as they are in the store.
func (a *admin) log(w http.ResponseWriter, q *http.Request) {
	first, err := a.disk.logs.FirstIndex()
	if err != nil {
		reply(w, nil, err)
		return
	}
	last, err := a.disk.logs.LastIndex()
	if err != nil {
		reply(w, nil, err)
		return
	}
	from := uint64(number(q, "from", 1))
	i := from
	if i < first {
		i = first
	}
	entries := []map[string]interface{}{}
	for ; i <= last && i < from+uint64(number(q, "n", 1000)); i++ {
		var l raft.Log
		if err := a.disk.logs.GetLog(i, &l); err == raft.ErrLogNotFound {
			continue // Compacted meanwhile, or in the hole that a snapshot from the leader leaves behind older entries.
		} else if err != nil {
			reply(w, nil, err)
			return
		}
		entries = append(entries, map[string]interface{}{
			"index": l.Index, "term": l.Term, "type": l.Type, "data": hex.EncodeToString(l.Data), "extensions": hex.EncodeToString(l.Extensions),
		})
	}
	reply(w, map[string]interface{}{"first": first, "last": last, "entries": entries}, nil)
}

func sid(q *http.Request) raft.ServerID      { return raft.ServerID(q.URL.Query().Get("id")) }
func adr(q *http.Request) raft.ServerAddress { return raft.ServerAddress(q.URL.Query().Get("addr")) }

func number(q *http.Request, name string, otherwise int) int {
	if v, err := strconv.Atoi(q.URL.Query().Get(name)); err == nil {
		return v
	}
	return otherwise
}

// reply answers with JSON; an error of the library is a 409 with its text.
func reply(w http.ResponseWriter, v interface{}, err error) {
	w.Header().Set("content-type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	json.NewEncoder(w).Encode(v)
}

func settle(w http.ResponseWriter, f raft.IndexFuture) {
	if err := f.Error(); err != nil {
		reply(w, nil, err)
		return
	}
	reply(w, map[string]uint64{"index": f.Index()}, nil)
}
