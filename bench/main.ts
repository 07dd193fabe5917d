/**
 * `npm run bench`: the floors of this machine, the bare skeleton of the protocol, then real validators, in one run.
 * Prints one table and writes one JSON to bench/results. docs/benchmarks.md says what is measured, and what it gave.
 *
 *     node bench/main.ts [--smoke] [--only floors,skeleton,validators,replay,replay-memory,snapshot,snapshot-beside,rebuild,follower,join,raft,raft-ledger,start] [--dir DIR] [--json]
 *
 * Run it on a machine that does nothing else. Ratios are more reliable than the absolute figures.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureFirstCommit } from './first-commit.ts';
import { measureFloors } from './floors.ts';
import { measureFollower } from './ledger/follower.ts';
import { measureJoin } from './ledger/join.ts';
import { measureReplay } from './ledger/replay.ts';
import { measureReplayMemory } from './ledger/replay-memory.ts';
import { machine } from './measure.ts';
import * as parts from './parts.ts';
import { save, table, type Part, type Report } from './report.ts';
import { measureRaftLedger } from './raft/ledger.ts';
import { measureRaft } from './raft/main.ts';
import { runSkeleton, type SkeletonResult } from './skeleton/main.ts';
import { measureSnapshot } from './snapshot/main.ts';
import { measureValidators } from './validators/main.ts';
import { measureRebuild } from './validators/rebuild.ts';
import { measureSnapshotBeside } from './validators/snapshot.ts';

const EVENT_BYTES = 300;

/** `smoke` shows in seconds that everything runs; its figures say nothing. */
const SIZES = {
  full: {
    warmUp: { commits: 300, events: 4_000 },
    commits: 300,
    nodes: 10_000,
    loads: [
      { keyType: 'ed25519', inFlight: 64, events: 3_000 },
      { keyType: 'ed25519', inFlight: 1024, events: 16_000 },
      { keyType: 'secp256k1', inFlight: 1024, events: 4_000 },
    ],
    reads: 2_000,
    snapshot: { nodes: 1_000_000, commits: 1_000 },
    snapshotBeside: { nodes: 1_000_000, eventsPerBlock: 1_000, warmUp: 300, commits: 1_000 },
    replayed: 60_000,
    replays: 5,
    // The shortest log has more blocks than are checked without a thread, which takes 45 MB.
    remembered: { nodes: 10_000, events: [100_000, 1_000_000, 3_000_000], eventsPerBlock: 250 },
    rebuilt: { nodes: 10_000, events: 1_000_000, eventsPerBlock: 1_000, warmUp: 300, commits: 300 },
    followed: { records: 100_000, blocks: 20, eventsPerBlock: 1_000 },
    /** Who sends a heartbeat each 20 minutes, as the rules ask for, makes 83 events/s of 100,000 nodes: ten a block of 0.1 s. */
    joined: { nodes: 100_000, events: 990_000, blocks: 1_000, eventsPerBlock: [10, 100] },
    raft: {
      loads: [
        { inFlight: 1, commands: 1_000, warmUp: 200 },
        { inFlight: 64, commands: 12_000, warmUp: 2_000 },
        { inFlight: 1024, commands: 24_000, warmUp: 4_000 },
      ],
      rounds: 3,
      kills: 20,
    },
    raftLedger: {
      /** After 4,000 the compiler still takes a seventh of all processor time. */
      warmUp: 16_000,
      loads: [
        { inFlight: 1, events: 500 },
        { inFlight: 64, events: 16_000 },
        { inFlight: 1024, events: 24_000 },
      ],
    },
  },
  smoke: {
    warmUp: { commits: 10, events: 64 },
    commits: 10,
    nodes: 400,
    loads: [
      { keyType: 'ed25519', inFlight: 64, events: 128 },
      { keyType: 'secp256k1', inFlight: 64, events: 64 },
    ],
    reads: 20,
    snapshot: { nodes: 5_000, commits: 20 },
    snapshotBeside: { nodes: 2_000, eventsPerBlock: 200, warmUp: 10, commits: 10 },
    replayed: 1_000,
    replays: 1,
    remembered: { nodes: 40, events: [500, 1_000], eventsPerBlock: 100 },
    rebuilt: { nodes: 400, events: 2_000, eventsPerBlock: 200, warmUp: 10, commits: 10 },
    followed: { records: 500, blocks: 2, eventsPerBlock: 50 },
    joined: { nodes: 500, events: 700, blocks: 5, eventsPerBlock: [2, 20] },
    raft: {
      loads: [
        { inFlight: 1, commands: 20, warmUp: 5 },
        { inFlight: 64, commands: 500, warmUp: 100 },
      ],
      rounds: 1,
      kills: 1,
    },
    raftLedger: { warmUp: 100, loads: [{ inFlight: 64, events: 500 }] },
  },
} as const;

/** Of the replay of few keys; an event of which takes a quarter of the time of one with a key of its own. */
const FEW_KEYS = 40;
const FEW_KEYS_TIMES = 4;
const REPLAYED_EVENTS_PER_BLOCK = 1_000;

const { values: options } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    /** Names of parts, with commas; all without it. The floors are always measured: the rest is judged by them. */
    only: { type: 'string', default: '' },
    /** On the disk that is to be measured. */
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});

const parent = options.dir;
const size = options.smoke ? SIZES.smoke : SIZES.full;
const startedAt = new Date().toISOString();
const only = options.only === '' ? null : options.only.split(',');
const wanted = (name: string): boolean => only === null || only.includes(name);
const measured: Part[] = [];

function add(part: Part): void {
  measured.push(part);
  console.error(`measured: ${part.name}`);
}

const floors = await measureFloors(parent);
add(parts.floorsPart(floors));
let skeleton: SkeletonResult | null = null;
if (wanted('skeleton')) {
  skeleton = await runSkeleton({ warmUp: size.warmUp.commits, commits: size.commits, eventBytes: EVENT_BYTES }, parent);
  add(parts.skeletonPart(skeleton, floors));
}
if (wanted('validators')) {
  add(parts.validatorsPart(await measureValidators({ parent, ...size }), floors, skeleton));
}
if (wanted('follower')) {
  const { followed } = size;
  add(parts.followerPart(await measureFollower({ parent, ...followed }), followed));
}
if (wanted('replay')) {
  const events = size.replayed;
  const eventsPerBlock = Math.min(REPLAYED_EVENTS_PER_BLOCK, events);
  const common = { parent, eventsPerBlock, trials: size.replays };
  const distinct = await measureReplay({ ...common, nodes: events, events });
  const few = await measureReplay({ ...common, nodes: FEW_KEYS, events: FEW_KEYS_TIMES * events });
  add(parts.replayPart({ distinct, few, fewKeys: FEW_KEYS }));
}
if (wanted('replay-memory')) {
  add(parts.replayMemoryPart(await measureReplayMemory({ parent, ...size.remembered }), size.remembered.nodes));
}
if (wanted('snapshot')) add(parts.snapshotPart(await measureSnapshot({ parent, ...size.snapshot })));
if (wanted('snapshot-beside')) {
  add(parts.snapshotBesidePart(await measureSnapshotBeside({ parent, ...size.snapshotBeside })));
}
if (wanted('rebuild')) add(parts.rebuildPart(await measureRebuild({ parent, ...size.rebuilt })));
if (wanted('join')) add(parts.joinPart(await measureJoin({ parent, ...size.joined }), size.joined.nodes));
if (wanted('raft')) {
  const loads = size.raft.loads.map((load) => ({ ...load, commandBytes: EVENT_BYTES }));
  const results = await measureRaft(parent, { ...size.raft, loads });
  add(parts.raftPart(results, EVENT_BYTES, floors));
}
if (wanted('raft-ledger')) {
  add(parts.raftLedgerPart(await measureRaftLedger(parent, size.raftLedger), floors));
}
if (wanted('start')) add(parts.startPart(await measureFirstCommit(parent)));

const report: Report = { startedAt, machine: machine(), parts: measured };
const path = save(report, join(import.meta.dirname, 'results'));
console.log(options.json ? JSON.stringify(report) : `${table(report)}\n\n${path}`);
