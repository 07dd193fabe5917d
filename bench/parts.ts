/** What was measured, beside what it is judged by: the targets stand here and nowhere else. */
import { machine, percentile, type Summary } from './measure.ts';
import type { Floors } from './floors.ts';
import type { FollowerOptions, FollowerResult } from './ledger/follower.ts';
import { MAX_BLOCK_EVENTS } from '../src/ledger/block.ts';
import type { JoinResult, MeasuredJoin } from './ledger/join.ts';
import type { ReplayedInProcess } from './ledger/replay-process.ts';
import type { ReplayResult } from './ledger/replay.ts';
import { latency, type Measurement, type Part, type Ratio } from './report.ts';
import type { LedgerFigures } from './raft/ledger.ts';
import { RAFT_CLUSTERS, type RaftResult } from './raft/main.ts';
import type { SnapshotResult } from './snapshot/main.ts';
import type { SkeletonResult } from './skeleton/main.ts';
import type { ValidatorsResult } from './validators/main.ts';
import type { RebuildResult } from './validators/rebuild.ts';
import type { SnapshotBesideResult } from './validators/snapshot.ts';

const VALIDATORS = 4;
const US_PER_S = 1e6;
const US_PER_MS = 1e3;

/** A validator may spend this on an event besides checking its signature. */
const EVENT_BUDGET_US = 150;
const MEMORY_BUDGET_MB = 300;
const REPLAY_DISTINCT_PER_SECOND = 15_000;
const REPLAY_FEW_PER_SECOND = 40_000;
/** V8 and LevelDB take what they may at first. */
const REPLAY_MEMORY_GROWTH = 1.25;
const JOIN_BUDGET_S = 30;
const FIRST_COMMIT_BUDGET_S = 10;
/** Of a rebuild of a million events. */
const REBUILD_BUDGET_S = 300;
/** Of the ledger under Raft, 64 in flight. */
const LEDGER_EVENTS_PER_SECOND = 2_500;
/** Of the Raft clusters that are measured: the default of hashicorp/raft. */
const ELECTION_TIMEOUT_MS = 1_000;
const LEADING_GO_PER_SECOND = 25_000;

export function floorsPart(measured: Floors): Part {
  return {
    name: 'Floors of this machine',
    measurements: [
      latency('append 4 KiB and fdatasync', measured.appendAndSync),
      latency('loopback round trip of 1 KiB', measured.loopbackRoundTrip),
      latency('S: verify ed25519', measured.ed25519Verify),
      latency('the same as hotledger does', measured.ed25519Check, [
        { of: 'S', value: measured.ed25519Check.p50Ms / measured.ed25519Verify.p50Ms },
      ]),
      latency('verify secp256k1', measured.secp256k1Verify),
      latency('BLS sign', measured.blsSign),
      latency('BLS aggregate 3', measured.blsAggregate),
      latency('V: BLS verify', measured.blsVerify),
      latency('BLS verify an aggregate of 3', measured.blsVerifyAggregate),
    ],
  };
}

export function skeletonPart({ cpuPerCommitMs, latency: measured }: SkeletonResult, { blsVerify }: Floors): Part {
  return {
    name: 'Bare skeleton of the protocol: four processes, one event at a time',
    measurements: [
      latency('commit latency', measured, [inV(measured.p50Ms, blsVerify)]),
      { what: 'CPU a commit, all four', value: cpuPerCommitMs, unit: 'ms', ratios: [inV(cpuPerCommitMs, blsVerify)] },
    ],
  };
}

/** @param skeleton null where it was not measured in this run */
export function validatorsPart(result: ValidatorsResult, floors: Floors, skeleton: SkeletonResult | null): Part {
  const { commit, loads, memoryMb, nodes, reads } = result;
  const { blsVerify } = floors;
  const latencyRatios = [...againstSkeleton(commit.latency, skeleton), inV(commit.latency.p50Ms, blsVerify)];
  return {
    name: `Four validators with ${nodes} nodes: each a process, TLS, durable`,
    measurements: [
      latency('commit latency, one event at a time', commit.latency, latencyRatios),
      { what: 'CPU a commit, all four', value: commit.cpuMs, unit: 'ms', ratios: [inV(commit.cpuMs, blsVerify)] },
      ...loads.flatMap((load) => loadMeasurements(load, floors)),
      latency('verified read, 16 at once, one reader', reads.latency),
      { what: 'verified reads', value: reads.perSecond, unit: '1/s' },
      {
        what: 'memory of a validator, started',
        value: memoryMb.started,
        unit: 'MB',
        ratios: [memory(memoryMb.started)],
      },
      {
        what: 'memory of a validator, after all',
        value: memoryMb.loaded,
        unit: 'MB',
        ratios: [memory(memoryMb.loaded)],
      },
    ],
  };
}

function againstSkeleton(measured: Summary, skeleton: SkeletonResult | null): Ratio[] {
  if (skeleton === null) return [];
  const { p50Ms, p99Ms } = skeleton.latency;
  return [
    { of: 'skeleton', value: measured.p50Ms / p50Ms, target: { atMost: 1.6 } },
    { of: 'skeleton, p99', value: measured.p99Ms / p99Ms, target: { atMost: 3 } },
  ];
}

function loadMeasurements(load: ValidatorsResult['loads'][number], floors: Floors): Measurement[] {
  const { blocks, cpuMs, events, inFlight, keyType, seconds } = load;
  const isEd25519 = keyType === 'ed25519';
  const checkUs = (isEd25519 ? floors.ed25519Check : floors.secp256k1Verify).p50Ms * US_PER_MS;
  const boundOf = (verify: Summary): number => (machine().cores * US_PER_S) / (VALIDATORS * verify.p50Ms * US_PER_MS);
  const name = `${inFlight} in flight, ${keyType}`;
  const perSecond = events / seconds;
  const besidesCheckUs = (cpuMs.validators * US_PER_MS) / events / VALIDATORS - checkUs;
  const target = isEd25519 && inFlight > 64 ? { target: { atLeast: 0.4 } } : {};
  const bound = boundOf(isEd25519 ? floors.ed25519Verify : floors.secp256k1Verify);
  const ownBound = isEd25519 ? [{ of: 'that by its own check', value: perSecond / boundOf(floors.ed25519Check) }] : [];
  return [
    {
      what: `${name}: committed`,
      value: perSecond,
      unit: '1/s',
      ratios: [{ of: 'signature bound', value: perSecond / bound, ...target }, ...ownBound],
    },
    {
      what: '  CPU an event and validator, check taken off',
      value: besidesCheckUs,
      unit: 'us',
      ratios: [{ of: 'its check', value: besidesCheckUs / checkUs }],
    },
    { what: '  CPU an event of the client', value: (cpuMs.client * US_PER_MS) / events, unit: 'us' },
    { what: '  events a block, empty ones counted', value: events / blocks, unit: '' },
  ];
}

export function followerPart(
  { cpuUsPerEvent }: FollowerResult,
  { eventsPerBlock, records }: Pick<FollowerOptions, 'eventsPerBlock' | 'records'>,
): Part {
  const ratios = [{ of: `${EVENT_BUDGET_US} us`, value: cpuUsPerEvent / EVENT_BUDGET_US, target: { atMost: 1 } }];
  return {
    name: `A replica in one process, without libp2p and checks: ${eventsPerBlock} distinct of ${records} nodes a block`,
    measurements: [{ what: 'CPU an event: taken in, voted for, committed', value: cpuUsPerEvent, unit: 'us', ratios }],
  };
}

export interface Replays {
  /** A key an event. */
  readonly distinct: ReplayResult;
  readonly few: ReplayResult;
  readonly fewKeys: number;
}

export function replayPart({ distinct, few, fewKeys }: Replays): Part {
  const [events, fewEvents] = [distinct, few].map(({ executed }) => executed[0]?.events ?? 0);
  return {
    name: `Replay of ${events} events of a key each, and ${fewEvents} of ${fewKeys} keys, each time in a process as "hotledger replay" is one`,
    measurements: [
      ...executedReplay('without checks, a key an event', distinct, REPLAY_DISTINCT_PER_SECOND),
      ...executedReplay(`without checks, ${fewKeys} keys`, few, REPLAY_FEW_PER_SECOND),
      checkedReplay('with checks, a key an event', distinct),
      checkedReplay(`with checks, ${fewKeys} keys`, few),
      {
        what: 'and to compare it, a key an event',
        value: percentile(
          distinct.executed.map(({ compareSeconds }) => compareSeconds ?? Number.NaN),
          0.5,
        ),
        unit: 's',
      },
    ],
  };
}

function executedReplay(what: string, { executed }: ReplayResult, target: number): Measurement[] {
  const rates = executed.map(({ events, seconds }) => events / seconds);
  const checkUs = executed.map((trial) => trial.checkUs);
  const median = percentile(rates, 0.5);
  return [
    {
      what,
      value: median,
      unit: '1/s',
      ratios: [{ of: `${target}/s`, value: median / target, target: { atLeast: 1 } }],
    },
    { what: `  slowest of ${rates.length}`, value: Math.min(...rates), unit: '1/s' },
    { what: '  fastest', value: Math.max(...rates), unit: '1/s' },
    { what: '  a check of a signature, meanwhile', value: percentile(checkUs, 0.5), unit: 'us' },
  ];
}

/** How many cores the work itself keeps busy: a check, and what executing an event took without any, moments before. */
function checkedReplay(what: string, { checked, executed }: ReplayResult): Measurement {
  const cores = checked.map(({ checkUs, events, seconds }, trial) => {
    const { cpuUsPerEvent = 0 } = executed[trial] ?? {};
    return ((events / seconds) * (checkUs + cpuUsPerEvent)) / US_PER_S;
  });
  const rates = checked.map(({ events, seconds }) => events / seconds);
  const value = percentile(cores, 0.5) / machine().cores;
  return {
    what,
    value: percentile(rates, 0.5),
    unit: '1/s',
    ratios: [{ of: 'all cores busy', value, target: { atLeast: 0.8 } }],
  };
}

/** The first is the measure of the others: the tree over the state is as large in each. */
export function replayMemoryPart(replays: readonly ReplayedInProcess[], nodes: number): Part {
  const [first] = replays;
  return {
    name: `Memory of a replay without signature checks, ${nodes} nodes, each in a process of its own`,
    measurements: replays.flatMap(({ events, peakMegabytes, peakResidentMegabytes, seconds }) => [
      {
        what: `peak with ${events} events`,
        value: peakMegabytes,
        unit: 'MB',
        ratios:
          first === undefined || events === first.events
            ? []
            : [
                {
                  of: `${first.events} events`,
                  value: peakMegabytes / first.peakMegabytes,
                  target: { atMost: REPLAY_MEMORY_GROWTH },
                },
              ],
      },
      { what: '  with mapped tables', value: peakResidentMegabytes, unit: 'MB' as const },
      { what: '  events', value: events / seconds, unit: '1/s' as const },
    ]),
  };
}

export function snapshotPart(result: SnapshotResult): Part {
  const { commitBefore, commitMeanwhile, createMemoryMegabytes, createSeconds, entries, megabytes } = result;
  const { projectionSeconds, rawWriteSeconds, restoreSeconds } = result;
  const p99 = { of: 'p99 before', value: commitMeanwhile.p99Ms / commitBefore.p99Ms, target: { atMost: 2 } };
  const raw = { of: 'raw batches', value: rawWriteSeconds / restoreSeconds, target: { atLeast: 0.5 } };
  return {
    name: `A snapshot of ${entries} nodes, ${Math.round(megabytes)} MB: a synced batch stands for a commit`,
    measurements: [
      latency('commit, before', commitBefore),
      latency('commit, while it is made', commitMeanwhile, [p99]),
      { what: 'made in', value: createSeconds, unit: 's' },
      { what: '  memory that it takes at most', value: createMemoryMegabytes, unit: 'MB' },
      { what: 'raw batches of the same bytes', value: rawWriteSeconds, unit: 's' },
      { what: 'restored, every chunk checked', value: restoreSeconds, unit: 's', ratios: [raw] },
      { what: '  and rows of projections after it', value: projectionSeconds, unit: 's' },
    ],
  };
}

export function snapshotBesidePart({ before, done, during, nodes, seconds }: SnapshotBesideResult): Part {
  return {
    name: `A snapshot of ${nodes} nodes, ${Math.round(done.bytes / 1e6)} MB, made by one of four validators that commit one event at a time`,
    measurements: [
      latency('commit latency before it', before),
      latency('commit latency during it', during, [
        { of: 'p99 before', value: during.p99Ms / before.p99Ms, target: { atMost: 2 } },
        { of: 'before', value: during.p50Ms / before.p50Ms },
      ]),
      { what: 'it takes', value: seconds, unit: 's' },
    ],
  };
}

export function rebuildPart({ before, during, events, seconds }: RebuildResult): Part {
  return {
    name: `A rebuild of all projections from ${events} events, in one of four validators that commit one event at a time`,
    measurements: [
      latency('commit latency before it', before),
      latency('commit latency during it', during, [
        { of: 'before', value: during.p50Ms / before.p50Ms, target: { atMost: 1.25 } },
      ]),
      {
        what: 'it takes',
        value: seconds,
        unit: 's',
        ratios: [{ of: `${REBUILD_BUDGET_S} s`, value: seconds / REBUILD_BUDGET_S, target: { atMost: 1 } }],
      },
      { what: '  events', value: events / seconds, unit: '1/s' },
    ],
  };
}

export function raftPart(results: readonly RaftResult[], commandBytes: number, { appendAndSync }: Floors): Part {
  return {
    name: `Raft: three servers, each a process, ${commandBytes} bytes a command, the load in the leader's process`,
    measurements: results.flatMap(({ cluster, runs, failover }) => [
      ...runs.flatMap(({ inFlight, perSecond, latency: measured }) => [
        {
          what: `${cluster}: ${inFlight} in flight`,
          value: perSecond,
          unit: '1/s' as const,
          ratios: againstGo(results, cluster, inFlight, perSecond),
        },
        latency('  latency of a command', measured, [{ of: 'sync', value: measured.p50Ms / appendAndSync.p50Ms }]),
      ]),
      ...(failover === null ? [] : [failoverMeasurement(cluster, failover)]),
    ]),
  };
}

export function raftLedgerPart(figures: readonly LedgerFigures[], { appendAndSync, ed25519Verify }: Floors): Part {
  const checkUs = ed25519Verify.p50Ms * US_PER_MS;
  return {
    name: 'The whole ledger under Raft: three members, each a process, signatures checked by the leader',
    measurements: figures.flatMap(({ cpuUsPerEvent, inFlight, latency: measured, perSecond }) => [
      {
        what: `events, ${inFlight} in flight`,
        value: perSecond,
        unit: '1/s' as const,
        ratios: inFlight === 64 ? [atLeast(perSecond, LEDGER_EVENTS_PER_SECOND)] : [],
      },
      latency('  latency of an event', measured, [{ of: 'sync', value: measured.p50Ms / appendAndSync.p50Ms }]),
      {
        what: '  CPU an event, all three',
        value: cpuUsPerEvent,
        unit: 'us' as const,
        ratios: [{ of: 'S', value: cpuUsPerEvent / checkUs }],
      },
    ]),
  };
}

function atLeast(perSecond: number, target: number): Ratio {
  return { of: `${target}/s`, value: perSecond / target, target: { atLeast: 1 } };
}

/** What is ours, beside the Go servers of the same run where they are here. */
function againstGo(results: readonly RaftResult[], cluster: string, inFlight: number, perSecond: number): Ratio[] {
  if (cluster === RAFT_CLUSTERS.oursLeadingGo && inFlight === 64) {
    const value = perSecond / LEADING_GO_PER_SECOND;
    return [{ of: `${LEADING_GO_PER_SECOND}/s`, value, target: { atLeast: 1 } }];
  }
  if (cluster !== RAFT_CLUSTERS.oursOnDisk) return [];
  const to = (other: string): number | undefined =>
    results.find((result) => result.cluster === other)?.runs.find((run) => run.inFlight === inFlight)?.perSecond;
  const [go, tuned] = [to(RAFT_CLUSTERS.goOnDisk), to(RAFT_CLUSTERS.goTuned)];
  const target = { atLeast: inFlight > 64 ? 1.5 : 1 };
  return [
    ...(go === undefined ? [] : [{ of: 'Go on BoltDB', value: perSecond / go, target }]),
    ...(tuned === undefined ? [] : [{ of: 'Go with 1024 entries a message', value: perSecond / tuned }]),
  ];
}

function failoverMeasurement(cluster: string, { p50Ms, samples, p99Ms }: Summary): Measurement {
  const target = cluster === RAFT_CLUSTERS.oursOnDisk ? { target: { atMost: 2 } } : {};
  const ratios = [{ of: 'election timeouts', value: p50Ms / ELECTION_TIMEOUT_MS, ...target }];
  const what = `${cluster}: no writes after a leader is killed, ${samples} kills`;
  return { what, value: p50Ms, unit: 'ms', p99Ms, ratios };
}

export function joinPart({ joins, snapshotBytes }: JoinResult, nodes: number): Part {
  const [usual, ...busier] = joins;
  const measurements: Measurement[] = joins.flatMap((join) => joinMeasurements(join, join === usual));
  const busiest = busier.at(-1);
  if (usual !== undefined && busiest !== undefined) measurements.push(fullestBlocks(usual, busiest));
  return {
    name: `A new node on a ledger of ${usual?.ledgerEvents ?? 0} events and ${nodes} nodes`,
    measurements: [{ what: 'the snapshot', value: snapshotBytes / 1e6, unit: 'MB' }, ...measurements],
  };
}

function joinMeasurements(join: MeasuredJoin, isUsual: boolean): readonly Measurement[] {
  const { blocks, eventsPerBlock, projectedSeconds, seconds, steps } = join;
  const target = isUsual ? { target: { atMost: 1 } } : {};
  const ratios: readonly Ratio[] = [{ of: `${JOIN_BUDGET_S} s`, value: seconds / JOIN_BUDGET_S, ...target }];
  return [
    { what: `follows, ${blocks} blocks of ${eventsPerBlock} events behind it`, value: seconds, unit: 's', ratios },
    ...steps.map((step): Measurement => ({ what: `  ${step.what}`, value: step.seconds, unit: 's' })),
    { what: '  its projections are at the head', value: projectedSeconds, unit: 's' },
  ];
}

/** Reckoned by what an event more costs. */
function fullestBlocks(usual: MeasuredJoin, busy: MeasuredJoin): Measurement {
  const events = busy.blocks * (busy.eventsPerBlock - usual.eventsPerBlock);
  const secondsPerEvent = Math.max(0, busy.seconds - usual.seconds) / events;
  const more = usual.blocks * (MAX_BLOCK_EVENTS - usual.eventsPerBlock);
  return {
    what: `reckoned: with ${usual.blocks} of the largest blocks (${MAX_BLOCK_EVENTS} events)`,
    value: usual.seconds + more * secondsPerEvent,
    unit: 's',
  };
}

export function startPart(seconds: number): Part {
  const ratio = { of: `${FIRST_COMMIT_BUDGET_S} s`, value: seconds / FIRST_COMMIT_BUDGET_S, target: { atMost: 1 } };
  return {
    name: 'A network of this machine',
    measurements: [{ what: 'npm start to the first commit', value: seconds, unit: 's', ratios: [ratio] }],
  };
}

function inV(ms: number, blsVerify: Summary): Ratio {
  return { of: 'V', value: ms / blsVerify.p50Ms };
}

function memory(megabytes: number): Ratio {
  return { of: `${MEMORY_BUDGET_MB} MB`, value: megabytes / MEMORY_BUDGET_MB, target: { atMost: 1 } };
}
