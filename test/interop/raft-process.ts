/**
 * One server of this repository as a process: the flags and the admin port of the Go peer (`go-peer/README.md`), so that
 * whatever drives one drives the other. What is its own: `-cluster=id=address,...`, the operator's list of the cluster.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TcpStreams } from '../../src/net/tcp-streams.ts';
import { networkLinks } from '../../src/node/raft/network-links.ts';
import { bootstrap } from '../../src/node/raft/open-server.ts';
import { startRaftServer } from '../../src/node/raft/raft-server.ts';
import { DEFAULT_SHELL_LIMITS } from '../../src/node/raft/server-options.ts';
import { SnapshotFiles } from '../../src/node/raft/snapshot-files.ts';
import type { SnapshotStore } from '../../src/node/raft/snapshot-store.ts';
import { configurationCodec } from '../../src/raft/wire/configuration-codec.ts';
import { DEFAULT_LIMITS } from '../../src/raft/contract.ts';
import type { Configuration, Server } from '../../src/raft/messages.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { MemorySnapshots } from '../node/raft/memory-snapshots.ts';
import { serveAdmin } from './raft-admin.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { ledgerPeer } from './older-system.ts';
import type { PeerMachine } from './peer-machine.ts';
import { recorderPeer } from './recorder-peer.ts';
import { StallableStore } from './stallable-store.ts';

const text = { type: 'string' } as const;

/** Go takes one dash or two, and `-name=value` only; so does this. */
function flagsOf(argv: readonly string[]) {
  return parseArgs({
    args: argv.map((flag) => flag.replace(/^--?/, '--')),
    options: {
      id: { ...text, default: 'n1' },
      raft: { ...text, default: '127.0.0.1:7001' },
      http: { ...text, default: '127.0.0.1:8001' },
      store: { ...text, default: 'inmem' },
      dir: { ...text, default: '' },
      bootstrap: { ...text, default: '' },
      cluster: { ...text, default: '' },
      heartbeat: { ...text, default: '1000ms' },
      election: { ...text, default: '1000ms' },
      lease: { ...text, default: '500ms' },
      commit: { ...text, default: '50ms' },
      trailing: { ...text, default: '10240' },
      snapthreshold: { ...text, default: '8192' },
      snapinterval: { ...text, default: '120s' },
      maxappend: { ...text, default: String(DEFAULT_LIMITS.maxAppendEntries) },
      proto: { ...text, default: '3' },
      keep: { ...text, default: '100000' },
      fsm: { ...text, default: 'rec' },
      loglevel: { ...text, default: 'INFO' },
      'until-input-ends': { type: 'boolean', default: false },
    },
  }).values;
}

function durationMs(duration: string): number {
  const [, number = '', unit = ''] = /^([\d.]+)(ms|s|m)$/.exec(duration) ?? [];
  const factor = { ms: 1, s: 1000, m: 60_000 }[unit];
  if (factor === undefined) throw new Error(`not a duration: ${duration}`);
  return Number(number) * factor;
}

function serversOf(list: string): readonly Server[] {
  if (list === '') return [];
  return list.split(',').map((pair) => {
    const [id = '', address = ''] = pair.split('=');
    return { id, address, suffrage: 'voter' };
  });
}

const flags = flagsOf(process.argv.slice(2));
if (flags['until-input-ends']) process.stdin.resume().once('end', () => process.exit(0));
const self = { id: flags.id, address: flags.raft };
const log = (message: string): void => void process.stderr.write(`${new Date().toISOString()} ${message}\n`);

let disk: Store;
let snapshots: SnapshotStore;
if (flags.store === 'inmem') {
  disk = new InMemoryStore();
  snapshots = new MemorySnapshots();
} else {
  mkdirSync(flags.dir, { recursive: true });
  disk = await LevelStore.open(join(flags.dir, 'ledger'), { create: true });
  const folder = join(flags.dir, 'raft', 'snapshots');
  snapshots = await SnapshotFiles.open({ folder, maxBytes: 2 ** 40, reserveBytes: 1 << 20 });
}
const store = new StallableStore(disk);

if (flags.bootstrap !== '') {
  const configuration: Configuration = { servers: serversOf(flags.bootstrap) };
  await bootstrap(store, configurationCodec, configuration).catch((error: { code?: string }) => {
    // As the Go peer: the flag of the first start may stay.
    if (error.code !== 'raft-log-exists') throw error;
  });
}
const protocolVersion = flags.proto === '2' ? 2 : 3;
const listed = serversOf(flags.cluster);
if (flags.fsm === 'kv') await serve(await ledgerPeer(store));
else await serve(await recorderPeer(store, snapshots, Number(flags.keep)));

async function serve<O>(peerMachine: PeerMachine<O>): Promise<void> {
  const server = await startRaftServer<O>({
    self,
    protocolVersion,
    timings: {
      heartbeatMs: durationMs(flags.heartbeat),
      electionMs: durationMs(flags.election),
      leaseMs: durationMs(flags.lease),
      commitMs: durationMs(flags.commit),
    },
    limits: {
      ...DEFAULT_LIMITS,
      trailingEntries: Number(flags.trailing),
      maxAppendEntries: Number(flags.maxappend),
    },
    shellLimits: DEFAULT_SHELL_LIMITS,
    snapshotPolicy: { intervalMs: durationMs(flags.snapinterval), threshold: Number(flags.snapthreshold) },
    seed: process.pid,
    codec: configurationCodec,
    pinnedHistory: null,
    store,
    snapshots,
    machine: peerMachine.machine,
    openLinks: networkLinks({
      self,
      streams: new TcpStreams({ listen: flags.raft }),
      protocolVersion,
      listed: () => listed,
    }),
    nowMs: () => performance.now(),
    outlets: {
      leaderChanged: (leader, term) => log(`term ${term}: ${leader === null ? 'nobody' : leader.id} leads`),
      configurationChanged: ({ index, configuration }, isCommitted) =>
        log(`configuration ${index}${isCommitted ? ', committed' : ''}: ${JSON.stringify(configuration.servers)}`),
      refused: (from, { code, details, message }) =>
        log(`refused from ${from ?? 'somebody'}: ${code}: ${message} ${JSON.stringify(details)}`),
      snapshotFailed: (error) => log(`no snapshot: ${String(error)}`),
      fatal: (error) => {
        log(`stops: ${error instanceof Error ? error.stack : String(error)}`);
        process.exit(1);
      },
    },
  });
  serveAdmin({ self, server, machine: peerMachine, store, address: flags.http });
  log(`${self.id} raft=${flags.raft} http=${flags.http} store=${flags.store}`);
}
