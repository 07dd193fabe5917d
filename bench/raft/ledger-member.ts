/**
 * One member of a Raft cluster with the whole ledger on top, as a process of its own: log, ledger and projections on a disk,
 * signatures checked by a thread. It is told by messages of its parent what to do, and answers each.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ok, unwrap } from '../../src/base/result.ts';
import { encodeControlRecord } from '../../src/ledger/control-record.ts';
import { decodeSignedEvent, type SignedEvent } from '../../src/ledger/event.ts';
import { parseGenesis } from '../../src/ledger/genesis.ts';
import { TcpStreams } from '../../src/net/tcp-streams.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { RaftLedger } from '../../src/node/raft/ledger-machine.ts';
import type { LedgerOutcome } from '../../src/node/raft/ledger-outcome.ts';
import { LedgerProjections } from '../../src/node/raft/ledger-projections.ts';
import { LedgerSubmissions } from '../../src/node/raft/ledger-submissions.ts';
import { networkLinks } from '../../src/node/raft/network-links.ts';
import { bootstrap } from '../../src/node/raft/open-server.ts';
import { startRaftServer, type RaftServer } from '../../src/node/raft/raft-server.ts';
import { DEFAULT_SHELL_LIMITS, DEFAULT_SNAPSHOT_POLICY } from '../../src/node/raft/server-options.ts';
import { SnapshotFiles } from '../../src/node/raft/snapshot-files.ts';
import { SignatureThread } from '../../src/node/signature-thread.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet } from '../../src/qc/validator-set.ts';
import { DEFAULT_LIMITS, type RaftTimings } from '../../src/raft/contract.ts';
import { ENTRY_TYPES, type Server } from '../../src/raft/messages.ts';
import { configurationCodec } from '../../src/raft/wire/configuration-codec.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { summarize } from '../measure.ts';
import { Population } from '../validators/population.ts';
import type { Answer, MemberOptions, Order } from './ledger.ts';

/** No leader is lost here, be the machine as busy as it likes. */
const PATIENT_TIMINGS: RaftTimings = { heartbeatMs: 5_000, electionMs: 10_000, leaseMs: 5_000, commitMs: 50 };

const options = JSON.parse(process.argv[2] ?? '') as MemberOptions;
const { address, directory, id } = options;
const servers: readonly Server[] = options.servers.map((server) => ({ ...server, suffrage: 'voter' }));
const genesis = unwrap(parseGenesis(options.genesis));
const store = await LevelStore.open(join(directory, 'ledger'), { create: true });
await bootstrap(store, configurationCodec, { servers });

const stop = (error: unknown): never => {
  console.error(error);
  return process.exit(1);
};
const signatures = new SignatureThread();
const projections = new LedgerProjections({
  projections: CATALOG,
  logger: { error: stop, info: () => undefined },
  startRebuildOf: () => () => stop('nothing is stale in a new ledger'),
  onFailed: stop,
});
const ledger = await RaftLedger.open({
  store,
  genesis,
  validators: unwrap(makeValidatorSet(0, genesis.validators, nativeScheme)),
  validatorKey: null,
  decodeEvent: (chainId, bytes) => verifier.decode(chainId, bytes),
  outlets: {
    committed: (blocks) => {
      submissions.committed(blocks);
      projections.committed(ledger.ledger, blocks);
      for (const { block } of blocks) verifier.forget(block.events);
    },
    replacing: () => projections.end(),
    replaced: (replaced) => projections.begin(replaced),
  },
});
const { chainId } = ledger;
const verifier = new EventVerifier({
  chainId,
  verifySignature: signatures.verify,
  checkEvidence: () => Promise.resolve(ok(undefined)),
  maxRemembered: 32_768,
});
const submissions: LedgerSubmissions = new LedgerSubmissions({
  ledger,
  propose: (data, settle) => server.proposeWith(data, settle),
  verifier,
  policy: { kind: 'open' },
  maxWaiting: 16_384,
  maxWaitMs: 60_000,
  nowMs: () => Date.now(),
});
const server: RaftServer<LedgerOutcome> = await startRaftServer<LedgerOutcome>({
  self: { id, address },
  protocolVersion: 3,
  timings: PATIENT_TIMINGS,
  limits: DEFAULT_LIMITS,
  shellLimits: DEFAULT_SHELL_LIMITS,
  snapshotPolicy: DEFAULT_SNAPSHOT_POLICY,
  seed: process.pid,
  codec: configurationCodec,
  pinnedHistory: null,
  store,
  snapshots: await SnapshotFiles.open({ folder: join(directory, 'snapshots'), maxBytes: 2 ** 40, reserveBytes: 0 }),
  machine: ledger,
  openLinks: networkLinks({
    self: { id, address },
    streams: new TcpStreams({ listen: address }),
    protocolVersion: 3,
    listed: () => servers,
  }),
  nowMs: () => performance.now(),
  outlets: {
    leaderChanged: (leader, _term, isSelf) => submissions.leaderChanged(leader, isSelf),
    configurationChanged: () => undefined,
    refused: () => undefined,
    snapshotFailed: stop,
    fatal: stop,
  },
});

const SIGNED_IN_ONE_GO = 20;

let events: readonly SignedEvent[] = [];
let population: Population | undefined;

async function obey(order: Order): Promise<Answer> {
  switch (order.kind) {
    case 'status': {
      const { role, machineIndex, lastIndex } = server.status();
      const { user, system } = process.cpuUsage();
      const { stateRoot } = ledger;
      return { leads: role === 'leader', applied: machineIndex, lastIndex, stateRoot, cpuUs: user + system };
    }
    case 'base':
      await propose(encodeControlRecord({ kind: 'base', chainId, timeSeconds: Math.floor(Date.now() / 1000) }));
      return {};
    case 'sign':
      events = await signedEvents(order.nodes, order.events);
      return {};
    case 'load':
      return load(order.inFlight);
  }
}

function propose(data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    server.proposeWith(
      data,
      (outcome) => (outcome.ok ? resolve() : reject(new Error(outcome.refusal.code))),
      ENTRY_TYPES.noop,
    );
  });
}

/** Each node joins, and then moves again and again. In parts: meanwhile this member leads, and may not fall silent. */
async function signedEvents(nodes: number, count: number): Promise<readonly SignedEvent[]> {
  population ??= new Population(nodes, 'ed25519');
  const signed: SignedEvent[] = [];
  while (signed.length < count) {
    await setImmediate();
    const bytes = population.sign(Math.min(SIGNED_IN_ONE_GO, count - signed.length), chainId);
    for (const each of bytes) signed.push(unwrap(decodeSignedEvent(chainId, each)));
  }
  return signed;
}

async function load(inFlight: number): Promise<Answer> {
  const latenciesMs: number[] = [];
  const started = performance.now();
  let next = 0;
  const submitter = async (): Promise<void> => {
    for (let event = events[next++]; event !== undefined; event = events[next++]) {
      const at = performance.now();
      unwrap(await submissions.submissions.submit(event));
      latenciesMs.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, submitter));
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: latenciesMs.length / seconds, latency: summarize(latenciesMs) };
}

process.on('message', (order: Order) => {
  obey(order).then((answer) => process.send?.(answer), stop);
});
process.on('disconnect', () => process.exit(0));
process.send?.({});
