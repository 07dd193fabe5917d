// Command go-peer runs one hashicorp/raft server over its TCP NetworkTransport
// with an in-memory or BoltDB log/stable store and a state machine that tests
// can look into, plus a tiny HTTP admin port (loopback only). It is what
// interoperability tests hold this repository's servers against, and uses
// nothing but the library's public API.
package main

import (
	"flag"
	"io"
	"io/ioutil"
	"log"
	"math/rand"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

var (
	id        = flag.String("id", "n1", "server id")
	raftAddr  = flag.String("raft", "127.0.0.1:7001", "raft bind address")
	httpAddr  = flag.String("http", "127.0.0.1:8001", "admin bind address (loopback)")
	store     = flag.String("store", "inmem", "inmem | bolt")
	fsmKind   = flag.String("fsm", "rec", "rec (a hash chain of the commands) | kv (the JSON commands of the older system)")
	dir       = flag.String("dir", "", "data directory (bolt + file snapshots)")
	bootstrap = flag.String("bootstrap", "", "id=addr,id=addr,... bootstrap configuration")
	hb        = flag.Duration("heartbeat", 1000*time.Millisecond, "HeartbeatTimeout")
	el        = flag.Duration("election", 1000*time.Millisecond, "ElectionTimeout")
	lease     = flag.Duration("lease", 500*time.Millisecond, "LeaderLeaseTimeout")
	commit    = flag.Duration("commit", 50*time.Millisecond, "CommitTimeout")
	trailing  = flag.Uint64("trailing", 10240, "TrailingLogs")
	snapThr   = flag.Uint64("snapthreshold", 8192, "SnapshotThreshold")
	snapInt   = flag.Duration("snapinterval", 120*time.Second, "SnapshotInterval")
	maxAppend = flag.Int("maxappend", 64, "MaxAppendEntries")
	proto     = flag.Int("proto", 3, "ProtocolVersion")
	maxPool   = flag.Int("maxpool", 3, "transport MaxPool")
	timeout   = flag.Duration("timeout", 10*time.Second, "transport timeout")
	keep      = flag.Int("keep", 100000, "entries kept by the recorder")
	untilEnd  = flag.Bool("until-input-ends", false, "end when standard input ends: with whoever started this")
	logLevel  = flag.String("loglevel", "INFO", "hclog level")
	decode    = flag.Bool("decode", false, "read hexadecimal commands from stdin, say what becomes of them, run no server")
	canon     = flag.Bool("canonical", false, "as -decode, for snapshots")
)

func main() {
	flag.Parse()
	if *decode || *canon {
		if err := decodeLines(os.Stdin, os.Stdout, *canon); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *untilEnd {
		go func() {
			io.Copy(ioutil.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	rand.Seed(time.Now().UnixNano())
	host, _, err := net.SplitHostPort(*httpAddr)
	if err != nil || net.ParseIP(host) == nil || !net.ParseIP(host).IsLoopback() {
		log.Fatal("-http must be a loopback address")
	}
	fsm := newMachine(*fsmKind, *keep)
	if fsm == nil {
		log.Fatalf("-fsm must be rec or kv, not %q", *fsmKind)
	}
	cfg := configuration()
	adv, err := net.ResolveTCPAddr("tcp", *raftAddr)
	if err != nil {
		log.Fatal(err)
	}
	trans, err := newTransport(*raftAddr, adv, *maxPool, *timeout, cfg.Logger)
	if err != nil {
		log.Fatal(err)
	}
	disk, err := openStores(*store, *dir)
	if err != nil {
		log.Fatal(err)
	}
	if *bootstrap != "" {
		err := raft.BootstrapCluster(cfg, disk.logs, disk.stable, disk.snaps, trans, servers(*bootstrap))
		if err != nil && err != raft.ErrCantBootstrap {
			log.Fatal("bootstrap: ", err)
		}
	}
	r, err := raft.NewRaft(cfg, fsm, disk.logs, disk.stable, disk.snaps, trans)
	if err != nil {
		log.Fatal(err)
	}
	(&admin{r, fsm, disk}).serve(*httpAddr)
}

func configuration() *raft.Config {
	cfg := raft.DefaultConfig()
	cfg.ProtocolVersion = raft.ProtocolVersion(*proto)
	cfg.LocalID = raft.ServerID(*id)
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = *hb, *el
	cfg.LeaderLeaseTimeout, cfg.CommitTimeout = *lease, *commit
	cfg.TrailingLogs, cfg.SnapshotThreshold, cfg.SnapshotInterval = *trailing, *snapThr, *snapInt
	cfg.MaxAppendEntries = *maxAppend
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Name: *id, Level: hclog.LevelFromString(*logLevel), Output: os.Stderr})
	return cfg
}

func servers(list string) raft.Configuration {
	var conf raft.Configuration
	for _, p := range strings.Split(list, ",") {
		kv := strings.SplitN(p, "=", 2)
		if len(kv) != 2 {
			log.Fatalf("-bootstrap: %q is not id=addr", p)
		}
		conf.Servers = append(conf.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(kv[0]), Address: raft.ServerAddress(kv[1]),
		})
	}
	return conf
}
