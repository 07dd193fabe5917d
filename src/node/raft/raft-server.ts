/**
 * One Raft server: the engine in the loop, over a log and a state machine in one store, with links to the others. It
 * performs what the engine asks for and decides nothing.
 */
import { assert } from '../../base/assert.ts';
import { ok, refuse, type Refusal, type Result } from '../../base/result.ts';
import type { ConfigurationChange, RaftEffect, RaftInput, RaftStatus, SnapshotMeta } from '../../raft/contract.ts';
import { RaftEngine } from '../../raft/engine.ts';
import { ENTRY_TYPES, type Entry, type RaftResponse, type ServerId } from '../../raft/messages.ts';
import type { HistoryRecord, StoredSnapshot } from '../../raft/stored-records.ts';
import type { ShareOf } from '../inbox.ts';
import { Loop, type Steps } from '../loop.ts';
import { Runner } from '../runner.ts';
import { Applier } from './applier.ts';
import { Asks } from './asks.ts';
import type { IncomingAsk, RaftLinks } from './links.ts';
import { HistoryGate } from './history-gate.ts';
import { Members } from './members.ts';
import { metaOf, openServer, type OpenedRaft } from './open-server.ts';
import { Proposals, type Applied, type Settle } from './proposals.ts';
import { raftPlanner, type RaftOutlets } from './raft-turn.ts';
import { Requests } from './requests.ts';
import type { RaftServerOptions, ShellLimits } from './server-options.ts';
import { SnapshotSchedule } from './snapshot-schedule.ts';
import { Snapshotting } from './snapshotting.ts';
import { Waiters } from './waiters.ts';

/** Proposals wait: the engine is handed all of them at its next turn. */
type ShellInput = RaftInput | { readonly kind: 'proposalsWait' };

export interface RaftServerStatus extends RaftStatus {
  readonly snapshot: { readonly lastIndex: number; readonly lastTerm: number; readonly sizeBytes: number } | null;
  readonly proposalsWaiting: number;
  readonly history: HistoryRecord | null;
  /**
   * Another history has shown itself, and nothing shows this server's own: it follows nobody until something does or its
   * operator has decided. Or, where it is the only voter: another cluster wants to lead it.
   */
  readonly foreign: Refusal | null;
  /** Applied in memory; what the store holds of it is a little less. */
  readonly machineIndex: number;
}

const NOTHING: readonly RaftEffect[] = [];
/** In election timeouts: for so long a server is taken to be among its own after it last led or was led. */
const RECENT_TIMEOUTS = 10;

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
  readonly #history: HistoryGate;
  readonly #members: Members;
  readonly #asks = new Asks();
  readonly #reads: Waiters;
  #links: RaftLinks | null = null;
  #stopping: Promise<void> | null = null;
  /** Nobody is answered any more: at the end, or after a failure. */
  #isClosed = false;

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
      this.#close();
      outlets.fatal(error);
    });
    this.#members = new Members(configurations);
    this.#reads = new Waiters(applied.index);
    const [configuration] = configurations;
    assert(configuration !== undefined, 'a configuration is in force, be it empty');
    this.#applier = new Applier<O>(
      {
        machine,
        codec,
        entry: (index) => this.#engine.entry(index),
        // Of a leader the proposers wait for it. A follower's leader waits for its disk, and for nothing that it applies.
        begin: (run) => (this.#members.leader?.id === self.id ? run() : this.#loop.afterWrites(run)),
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
        notTaken: outlets.snapshotFailed,
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
    this.#history = this.#gate(opened);
  }

  async start(): Promise<void> {
    this.#links = await this.#options.openLinks((ask) => this.#asked(ask), {
      configured: () => this.#members.known,
      leader: () => this.#members.leader?.id ?? null,
      refused: (refusal) => this.#refused(null, refusal),
    });
    this.#offer({ kind: 'started' });
    await this.#snapshotting.check();
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
    if (this.#isEnding) return settle(stopping());
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
    if (index.ok) await this.#reads.upTo(index.value);
    return this.#isEnding ? stopping() : index;
  }

  /** @returns whether everything up to the index was applied within this time */
  appliedUpTo(index: number, withinMs: number): Promise<boolean> {
    return this.#reads.upTo(index, withinMs);
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
      foreign: this.#history.foreign,
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
    this.#close();
  }

  /** Whoever waits hears that nothing comes any more. */
  #close(): void {
    this.#isClosed = true;
    this.#applier.stop();
    const { refusal } = stopping();
    this.#proposals.close(refusal);
    this.#requests.close(refusal);
    this.#reads.close();
    this.#asks.close(refusal);
  }

  #gate({ history, log }: OpenedRaft): HistoryGate {
    const { codec, nowMs, pinnedHistory, self, timings } = this.#options;
    return new HistoryGate({
      record: history,
      pinned: pinnedHistory,
      asks: this.#asks,
      nowMs,
      recentMs: RECENT_TIMEOUTS * timings.electionMs,
      leads: () => this.#members.leader?.id === self.id,
      isAlone: () => this.#members.isOnlyVoter(self.id),
      facts: {
        entry: (index) => this.#engine.entry(index),
        lastIndex: () => log.lastIndex,
        commitIndex: () => this.#engine.status().commitIndex,
        isConfigured: (id) => this.#members.isConfigured(id),
        serversOf: (entry) => {
          const decoded = codec.decode(entry);
          return decoded.ok ? decoded.value.servers : [];
        },
      },
      write: (operations) => this.#loop.writeLater({ operations, sync: false }, null),
      refused: (from, refusal) => this.#refused(from, refusal),
      foreign: (refusal) => void this.#offer({ kind: 'foreignHistory', refusal }),
    });
  }

  /** The engine, with the proposals that were gathered. */
  #steps(): Steps<ShellInput, RaftEffect> {
    const engine = this.#engine;
    return {
      step: (input, nowMs) => {
        if (input.kind === 'asked' && !this.#history.passes(input)) return NOTHING;
        if (input.kind !== 'proposalsWait') return engine.step(input, nowMs);
        const effects = engine.step({ kind: 'propose', proposals: this.#proposals.take() }, nowMs);
        if (this.#proposals.gathered > 0) this.#loop.put({ kind: 'proposalsWait' });
        return effects;
      },
      wakeAtMs: () => engine.wakeAtMs(),
    };
  }

  #refused(from: ServerId | null, refusal: Refusal): void {
    this.#history.refused(refusal);
    this.#options.outlets.refused(from, refusal);
  }

  #outlets(log: OpenedRaft['log']): RaftOutlets {
    const { outlets } = this.#options;
    return {
      persistOps: (persist) => log.persistOps(persist),
      persisted: (persist) => this.#offer({ kind: 'persisted', persist }),
      call: (call) => this.#call(call),
      answer: (ask, response) => this.#asks.answer(ask, response),
      commit: (index) => {
        if (this.#members.sharesWhatItCommits(this.#options.self.id)) this.#history.share();
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
        if (isSelf || this.#members.leader?.id === this.#options.self.id) this.#history.led();
        this.#members.leaderChanged(leader);
        this.#links?.configured();
        outlets.leaderChanged(leader, term, isSelf);
      },
      configurationChanged: (latest, isCommitted) => {
        this.#members.configurationChanged(latest, isCommitted);
        this.#links?.configured();
        outlets.configurationChanged(latest, isCommitted);
      },
      refused: (from, refusal) => this.#refused(from, refusal),
    };
  }

  get #isEnding(): boolean {
    return this.#stopping !== null || this.#isClosed;
  }

  #offer(input: ShellInput): boolean {
    return this.#runner.offer(input);
  }

  #request(input: (request: number) => RaftInput): Promise<Result<number>> {
    if (this.#isEnding) return Promise.resolve(stopping());
    return this.#requests.make((request) => void this.#offer(input(request)));
  }

  #asked(incoming: IncomingAsk): void {
    const ask = this.#asks.add(incoming);
    const { from, isListed, request } = incoming;
    if (this.#offer({ kind: 'asked', ask, from, isListed, request })) return;
    this.#asks.refuse(ask, refuse('busy', 'too many requests wait', { from }).refusal);
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
    if (stored === undefined) return failed('error');
    const body = this.#snapshotting.read(stored);
    const sized = { ...request, sizeBytes: stored.sizeBytes };
    this.#links.call({ to, address, channel, request: sized, body, answered, failed });
  }

  #restore(ask: number, snapshot: SnapshotMeta): void {
    const incoming = this.#asks.snapshot(ask);
    if (incoming === undefined) return;
    const { body, request } = incoming;
    queueMicrotask(() => this.#snapshotting.restore(ask, snapshot, body, request.sizeBytes));
  }

  #restored(snapshot: SnapshotMeta): void {
    this.#history.restored(snapshot);
    this.#offer({ kind: 'restored', snapshot });
    this.#reads.reached(snapshot.lastIndex);
  }

  #applied(index: number): void {
    this.#offer({ kind: 'applied', index });
    this.#reads.reached(index);
    this.#schedule.applied();
  }
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
