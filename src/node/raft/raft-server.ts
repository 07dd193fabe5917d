/**
 * One Raft server: the engine in the loop, over a log and a state machine in one store, with links to the others. It
 * performs what the engine asks for and decides nothing.
 */
import { assert } from '../../base/assert.ts';
import { ok, refuse, type Refusal, type Result } from '../../base/result.ts';
import type {
  ConfigurationChange,
  Leader,
  RaftEffect,
  RaftInput,
  RaftStatus,
  SnapshotMeta,
} from '../../raft/contract.ts';
import { RaftEngine } from '../../raft/engine.ts';
import { History, type HistoryFacts, type Verdict } from '../../raft/history.ts';
import { ENTRY_TYPES, type Entry, type RaftResponse, type Server, type ServerId } from '../../raft/messages.ts';
import type { KnownServer } from '../../raft/sender.ts';
import type { HistoryRecord, StoredSnapshot } from '../../raft/stored-records.ts';
import type { ShareOf } from '../inbox.ts';
import { Loop, type Steps } from '../loop.ts';
import { Runner } from '../runner.ts';
import { Applier } from './applier.ts';
import type { IncomingAsk, RaftLinks } from './links.ts';
import { historyOp } from './log-store.ts';
import { metaOf, openServer, type OpenedRaft } from './open-server.ts';
import { Proposals, type Applied, type Settle } from './proposals.ts';
import { raftPlanner, type RaftOutlets } from './raft-turn.ts';
import { Requests } from './requests.ts';
import type { RaftServerOptions, ShellLimits } from './server-options.ts';
import { SnapshotSchedule } from './snapshot-schedule.ts';
import { Snapshotting } from './snapshotting.ts';

/** Proposals wait: the engine is handed all of them at its next turn. */
type ShellInput = RaftInput | { readonly kind: 'proposalsWait' };

export interface RaftServerStatus extends RaftStatus {
  readonly snapshot: { readonly lastIndex: number; readonly lastTerm: number; readonly sizeBytes: number } | null;
  readonly proposalsWaiting: number;
  readonly history: HistoryRecord | null;
  /** Another history has shown itself: this server follows nobody until its operator has decided. */
  readonly foreign: Refusal | null;
  /** Applied in memory; what the store holds of it is a little less. */
  readonly machineIndex: number;
}

const NOTHING: readonly RaftEffect[] = [];
const FOREIGN: ReadonlySet<string> = new Set(['raft-foreign-history', 'raft-conflict-below-commit']);

/**
 * @throws CodedError of `openServer` and of the links' start
 */
export async function startRaftServer<O>(options: RaftServerOptions<O>): Promise<RaftServer<O>> {
  const server = new RaftServer(options, await openServer(options));
  await server.start();
  return server;
}

export class RaftServer<O> {
  readonly #options: RaftServerOptions<O>;
  readonly #engine: RaftEngine;
  readonly #loop: Loop<ShellInput, RaftEffect>;
  readonly #runner: Runner<ShellInput, RaftEffect>;
  readonly #applier: Applier<O>;
  readonly #snapshotting: Snapshotting<O>;
  readonly #schedule: SnapshotSchedule;
  readonly #proposals: Proposals<O>;
  readonly #requests: Requests;
  readonly #history: History;
  #foreign: Refusal | null = null;
  readonly #asks = new Map<number, IncomingAsk>();
  /** Reads that wait until this much is applied, ascending. */
  readonly #reads: { readonly index: number; readonly resolve: () => void }[] = [];
  #links: RaftLinks | null = null;
  #leader: Leader | null = null;
  /** Of the configuration in force, and of the one before it until that is committed. */
  #configured: readonly Server[];
  #ask = 0;
  #stopping: Promise<void> | null = null;

  constructor(options: RaftServerOptions<O>, opened: OpenedRaft) {
    const { codec, limits, machine, nowMs, outlets, protocolVersion, seed, self, shellLimits, snapshots, timings } =
      options;
    const { applied, configurations, hardState, log, snapshot } = opened;
    this.#options = options;
    this.#engine = new RaftEngine({
      self,
      protocolVersion,
      timings,
      limits,
      seed,
      codec,
      hardState,
      log,
      snapshot: snapshot === null ? null : metaOf(snapshot),
      configurations,
      appliedIndex: applied.index,
    });
    const failed = (error: unknown): void => this.#runner.fail(error);
    this.#loop = new Loop<ShellInput, RaftEffect>({
      engine: this.#steps(),
      store: options.store,
      plan: raftPlanner(this.#outlets(log)),
      disk: { kind: 'beside', failed },
      nowMs,
      shareOf: sharesOf(shellLimits),
    });
    this.#runner = new Runner<ShellInput, RaftEffect>(this.#loop, nowMs, (error) => {
      this.#applier.stop();
      outlets.fatal(error);
    });
    const [configuration] = configurations;
    assert(configuration !== undefined, 'a configuration is in force, be it empty');
    this.#applier = new Applier<O>(
      {
        machine,
        codec,
        entry: (index) => this.#engine.entry(index),
        write: (write, written) => this.#loop.writeLater(write, written),
        outcome: ({ index, term }, outcome) => this.#proposals.applied(index, term, outcome),
        applied: (index) => this.#applied(index),
        failed,
      },
      applied,
      configuration,
    );
    this.#snapshotting = new Snapshotting<O>(
      {
        machine,
        snapshots,
        log,
        applier: this.#applier,
        write: (write) => this.#loop.write(write),
        taken: (meta) => this.#offer({ kind: 'snapshotTaken', snapshot: meta }),
        restored: (meta) => this.#restored(meta),
        restoreFailed: (ask, refusal) => this.#offer({ kind: 'restoreFailed', ask, refusal }),
        failed,
      },
      snapshot,
    );
    this.#schedule = new SnapshotSchedule(options.snapshotPolicy, seed, {
      isDue: (threshold) => this.#applier.applied.index - (this.#snapshotting.newest?.lastIndex ?? 0) >= threshold,
      take: () => this.snapshot(),
      failed: outlets.snapshotFailed,
    });
    this.#proposals = new Proposals<O>(shellLimits.maxGatheredProposals);
    this.#requests = new Requests(shellLimits.maxRequests);
    this.#history = this.#openHistory(opened);
    this.#configured = configurations.flatMap((logged) => logged.configuration.servers);
  }

  async start(): Promise<void> {
    this.#links = await this.#options.openLinks((ask) => this.#asked(ask), {
      configured: () => (this.#leader === null ? this.#configured : unionOf(this.#configured, [this.#leader])),
      leader: () => this.#leader?.id ?? null,
      refused: (refusal) => this.#refused(null, refusal),
    });
    this.#offer({ kind: 'started' });
  }

  /**
   * Refusals: `not-leader` with the leader, `busy`, `transferring`, `stopping`: certainly not written. `leadership-lost`:
   * perhaps written, so the same may be proposed again only where that does no harm.
   */
  propose(data: Uint8Array): Promise<Result<Applied<O>>> {
    return new Promise((settle) => {
      this.proposeWith(data, settle);
    });
  }

  /** The same without a promise. */
  proposeWith(data: Uint8Array | null, settle: Settle<O>, type: 0 | 1 | 4 = ENTRY_TYPES.command): void {
    if (this.#stopping !== null) return settle(stopping());
    const isFirst = this.#proposals.gathered === 0;
    this.#proposals.add(type, data, settle);
    if (isFirst) this.#offer({ kind: 'proposalsWait' });
  }

  /** Settles when everything that was committed before it is applied here. Refusals as of `propose`. */
  barrier(): Promise<Result<number>> {
    return new Promise((resolve) => {
      this.proposeWith(null, (outcome) => resolve(outcome.ok ? ok(outcome.value.index) : outcome), ENTRY_TYPES.barrier);
    });
  }

  /** Settles when a read of the state machine is linearizable: it holds all that was committed before the call. */
  async readIndex(): Promise<Result<number>> {
    const index = await this.#request((request) => ({ kind: 'readIndex', request }));
    if (index.ok) await this.#appliedUpTo(index.value);
    return this.#stopping === null ? index : stopping();
  }

  /** Settles when the change is committed. Refusals: those of the engine, `stopping`. */
  changeConfiguration(change: ConfigurationChange): Promise<Result<number>> {
    return this.#request((request) => ({ kind: 'changeConfiguration', request, change }));
  }

  /** Settles when another server leads. */
  transfer(to: ServerId | null): Promise<Result<number>> {
    return this.#request((request) => ({ kind: 'transferLeadership', request, to }));
  }

  /**
   * @returns null when nothing was applied since the newest snapshot
   * @throws CodedError of `SnapshotStore.write`
   */
  snapshot(): Promise<StoredSnapshot | null> {
    return this.#snapshotting.take();
  }

  status(): RaftServerStatus {
    const { newest } = this.#snapshotting;
    const { lastIndex, lastTerm, sizeBytes } = newest ?? { lastIndex: 0, lastTerm: 0, sizeBytes: 0 };
    return {
      ...this.#engine.status(),
      snapshot: newest === null ? null : { lastIndex, lastTerm, sizeBytes },
      proposalsWaiting: this.#proposals.waiting,
      history: this.#history.record,
      foreign: this.#foreign,
      machineIndex: this.#applier.applied.index,
    };
  }

  /** Of the log as the engine sees it: what is not durable yet is in it too. Undefined for what is compacted or not there. */
  entry(index: number): Entry | undefined {
    return this.#engine.entry(index);
  }

  /** Leaves the store open. What was proposed and not applied is refused with `stopping`: its fate is not known. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#schedule.stop();
    await this.#links?.stop();
    await this.#snapshotting.stop();
    await this.#runner.stop();
    this.#applier.stop();
    const { refusal } = stopping();
    this.#proposals.close(refusal);
    this.#requests.close(refusal);
    for (const { resolve } of this.#reads.splice(0)) resolve();
    for (const ask of this.#asks.values()) ask.refuse(refusal);
    this.#asks.clear();
  }

  #openHistory({ history, log }: OpenedRaft): History {
    const { codec, pinnedHistory } = this.#options;
    const facts: HistoryFacts = {
      entry: (index) => this.#engine.entry(index),
      lastIndex: () => log.lastIndex,
      commitIndex: () => this.#engine.status().commitIndex,
      isConfigured: (id) => this.#configured.some((server) => server.id === id),
      serversOf: (entry) => {
        const decoded = codec.decode(entry);
        return decoded.ok ? decoded.value.servers : [];
      },
    };
    return new History(history, pinnedHistory, facts, (record) =>
      this.#loop.writeLater({ operations: [historyOp(record)], sync: false }, null),
    );
  }

  /** The engine, with the proposals that were gathered. */
  #steps(): Steps<ShellInput, RaftEffect> {
    const engine = this.#engine;
    return {
      step: (input, nowMs) => {
        if (input.kind === 'asked') return this.#isForeign(input) ? NOTHING : engine.step(input, nowMs);
        if (input.kind !== 'proposalsWait') return engine.step(input, nowMs);
        const effects = engine.step({ kind: 'propose', proposals: this.#proposals.take() }, nowMs);
        if (this.#proposals.gathered > 0) this.#loop.put({ kind: 'proposalsWait' });
        return effects;
      },
      wakeAtMs: () => engine.wakeAtMs(),
    };
  }

  /** Before the engine: what a leader sends is of this server's history, or it is answered here. */
  #isForeign({ ask, from, isListed, request }: Extract<RaftInput, { kind: 'asked' }>): boolean {
    let verdict: Verdict;
    if (request.kind === 'appendEntries') verdict = this.#history.ofAppend(from, request);
    else if (request.kind === 'installSnapshot') verdict = this.#history.ofSnapshot(from, isListed, request);
    else return false;
    if (verdict.kind === 'pass') return false;
    if (verdict.kind === 'answer') {
      this.#answer(ask, verdict.response);
      return true;
    }
    const { refusal } = verdict;
    this.#asks.get(ask)?.refuse(refusal);
    this.#asks.delete(ask);
    this.#refused(from, refusal);
    this.#offer({ kind: 'foreignHistory', refusal });
    return true;
  }

  #refused(from: ServerId | null, refusal: Refusal): void {
    if (FOREIGN.has(refusal.code)) this.#foreign = refusal;
    this.#options.outlets.refused(from, refusal);
  }

  #outlets(log: OpenedRaft['log']): RaftOutlets {
    const { outlets } = this.#options;
    return {
      persistOps: (persist) => log.persistOps(persist),
      persisted: (persist) => this.#offer({ kind: 'persisted', persist }),
      call: (call) => this.#call(call),
      answer: (ask, response) => this.#answer(ask, response),
      commit: (index) => {
        const voters = this.#configured.filter(({ suffrage }) => suffrage === 'voter');
        if (this.#leader?.id === this.#options.self.id && voters.length > 1) this.#history.share();
        this.#applier.commitTo(index);
      },
      restore: (ask, snapshot) => this.#restore(ask, snapshot),
      compact: (upTo) => queueMicrotask(() => this.#snapshotting.cut(upTo)),
      proposed: (number, index, term) => this.#proposals.proposed(number, index, term),
      refusedProposal: (number, refusal) => this.#proposals.refused(number, refusal),
      settled: (request, index) => this.#requests.settled(request, index),
      unsettled: (request, refusal) => this.#requests.unsettled(request, refusal),
      readReady: (request, index) => this.#requests.settled(request, index),
      leaderChanged: (leader, term, isSelf) => {
        this.#leader = leader;
        this.#links?.configured();
        outlets.leaderChanged(leader, term, isSelf);
      },
      configurationChanged: (latest, isCommitted) => {
        const { servers } = latest.configuration;
        this.#configured = isCommitted ? servers : unionOf(servers, this.#configured);
        this.#links?.configured();
        outlets.configurationChanged(latest, isCommitted);
      },
      refused: (from, refusal) => this.#refused(from, refusal),
    };
  }

  #offer(input: ShellInput): boolean {
    return this.#runner.offer(input);
  }

  #request(input: (request: number) => RaftInput): Promise<Result<number>> {
    if (this.#stopping !== null) return Promise.resolve(stopping());
    return this.#requests.make((request) => void this.#offer(input(request)));
  }

  #asked(incoming: IncomingAsk): void {
    const ask = ++this.#ask;
    this.#asks.set(ask, incoming);
    const { from, isListed, request } = incoming;
    if (this.#offer({ kind: 'asked', ask, from, isListed, request })) return;
    this.#asks.delete(ask);
    incoming.refuse(refuse('busy', 'too many requests wait', { from }).refusal);
  }

  #answer(ask: number, response: RaftResponse): void {
    const incoming = this.#asks.get(ask);
    this.#asks.delete(ask);
    incoming?.answer(response);
  }

  #call({ address, call, channel, request, to }: Extract<RaftEffect, { kind: 'call' }>): void {
    const answered = (response: RaftResponse): void => void this.#offer({ kind: 'answered', call, response });
    const failed = (failure: 'unreachable' | 'closed' | 'timeout' | 'error'): void =>
      void this.#offer({ kind: 'callFailed', call, failure });
    if (this.#links === null) return failed('unreachable');
    if (request.kind !== 'installSnapshot') {
      return this.#links.call({ to, address, channel, request, body: null, answered, failed });
    }
    const stored = this.#snapshotting.find(request.lastIndex, request.lastTerm);
    assert(stored !== undefined, 'the snapshot that is sent is there', { lastIndex: request.lastIndex });
    const body = this.#options.snapshots.read(stored);
    const sized = { ...request, sizeBytes: stored.sizeBytes };
    this.#links.call({ to, address, channel, request: sized, body, answered, failed });
  }

  #restore(ask: number, snapshot: SnapshotMeta): void {
    const incoming = this.#asks.get(ask);
    assert(incoming?.body && incoming.request.kind === 'installSnapshot', 'a restore has its bytes', { ask });
    const { body, request } = incoming;
    queueMicrotask(() => this.#snapshotting.restore(ask, snapshot, body, request.sizeBytes));
  }

  #restored(snapshot: SnapshotMeta): void {
    this.#history.restored(snapshot);
    this.#offer({ kind: 'restored', snapshot });
    this.#serveReads(snapshot.lastIndex);
  }

  #applied(index: number): void {
    this.#offer({ kind: 'applied', index });
    this.#serveReads(index);
    this.#schedule.applied();
  }

  #appliedUpTo(index: number): Promise<void> {
    if (this.#applier.applied.index >= index || this.#stopping !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#reads.push({ index, resolve });
    });
  }

  #serveReads(applied: number): void {
    while (this.#reads.length > 0 && (this.#reads[0]?.index ?? 0) <= applied) this.#reads.shift()?.resolve();
  }
}

function unionOf<T extends KnownServer>(servers: readonly T[], others: readonly T[]): readonly T[] {
  const more = others.filter(({ id }) => !servers.some((server) => server.id === id));
  return more.length === 0 ? servers : [...servers, ...more];
}

/** Others have a share each for each kind of request, so that no heartbeat waits for room among entries. */
function sharesOf({ maxAsksPerServerAndKind }: ShellLimits): ShareOf<ShellInput> {
  return (input) =>
    input.kind === 'asked'
      ? { of: `${input.request.kind} ${input.from}`, weight: 1, bound: maxAsksPerServerAndKind }
      : null;
}

function stopping(): Extract<Result<never>, { ok: false }> {
  return refuse('stopping', 'the server is stopping');
}
