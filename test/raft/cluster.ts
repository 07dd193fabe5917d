/**
 * A cluster of Raft engines in memory, with a clock, a network and disks that a test controls. Nothing is asynchronous:
 * `run` and `runUntil` deliver what is due and move the clock, and the same calls do the same with the same seed.
 *
 *     const cluster = Cluster.started({ voters: 3 });
 *     const leader = cluster.waitForLeader();
 *     const [number] = cluster.propose(leader, 'first');
 *     cluster.runUntil('all have applied it', () => cluster.ids.every((id) => cluster.commands(id).includes('first')));
 *
 * Servers are called A, B, C, ...; the address of A is `A:1`. Messages take `latencyMs` and keep their order on each
 * channel; a lost one fails its call by timeout. A disk takes `diskMs` for all that waits for it (group commit), or
 * stands still (`stallDisk`). A crash loses what was not written. The state machine is the list of applied entries; it
 * begins again with the snapshot when a server starts.
 *
 * Whatever happens, `Watch` throws when a property of the paper's figure 3 breaks.
 */
import { textFromUtf8, utf8 } from '../../src/base/bytes.ts';
import type { Refusal } from '../../src/base/result.ts';
import type {
  Channel,
  ConfigurationChange,
  RaftEffect,
  RaftInput,
  RaftStatus,
  SnapshotMeta,
} from '../../src/raft/contract.ts';
import { votersOf } from '../../src/raft/configuration.ts';
import type { RaftEngine } from '../../src/raft/engine.ts';
import {
  ENTRY_TYPES,
  type CallFailure,
  type Entry,
  type LoggedConfiguration,
  type RaftRequest,
  type Server,
  type ServerId,
} from '../../src/raft/messages.ts';
import {
  configurationOf,
  diskWith,
  engineOn,
  type MemoryDisk,
  serverNamed,
  type EngineSettings,
  type StoredSnapshot,
} from './memory-disk.ts';
import { Watch } from './cluster-watch.ts';

export interface ClusterOptions extends EngineSettings {
  readonly voters?: number;
  readonly nonvoters?: number;
  /** Servers with a blank disk that are in no configuration, and whose operators list all others. */
  readonly blank?: number;
  readonly latencyMs?: number;
  readonly diskMs?: number;
  readonly callTimeoutMs?: number;
}

/** A message on its way, for those who lose or delay some. */
export interface Passage {
  readonly from: ServerId;
  readonly to: ServerId;
  readonly channel: Channel;
  readonly kind: RaftRequest['kind'];
  readonly isAnswer: boolean;
  readonly request: RaftRequest;
}

export type Outcome =
  | { readonly kind: 'proposed'; readonly index: number; readonly term: number }
  | { readonly kind: 'settled' | 'ready'; readonly index: number }
  | { readonly kind: 'refused'; readonly code: string };

export interface Refused {
  readonly by: ServerId;
  readonly from: ServerId | null;
  readonly code: string;
}

type CallEffect = Extract<RaftEffect, { kind: 'call' }>;
type Persist = Extract<RaftEffect, { kind: 'persist' }>;
type Restore = Extract<RaftEffect, { kind: 'restore' }>;

interface Question {
  readonly from: TestServer;
  readonly life: number;
  readonly call: CallEffect;
  readonly snapshot: StoredSnapshot | null;
}

export class TestServer {
  readonly id: ServerId;
  readonly disk: MemoryDisk;
  /** Null while it is down. */
  engine: RaftEngine | null = null;
  /** Counts its starts: what was meant for an earlier life is void. */
  life = 0;
  /** Whom its operator lists. */
  readonly listed = new Set<ServerId>();
  /** What its state machine has applied since the beginning of time. */
  applied: Entry[] = [];
  /** Everything that its engine has asked for. */
  effects: RaftEffect[] = [];
  /** A snapshot that comes is refused with this. */
  refusesSnapshots: Refusal | null = null;
  isStalled = false;
  isWriting = false;
  queue: (Persist | Restore)[] = [];
  held: { readonly after: number; readonly effect: RaftEffect }[] = [];
  lastPersist = 0;
  durablePersist = 0;
  readonly questions = new Map<number, Question>();

  constructor(id: ServerId, disk: MemoryDisk) {
    this.id = id;
    this.disk = disk;
  }
}

interface Scheduled {
  readonly atMs: number;
  readonly run: () => void;
}

export class Cluster {
  readonly servers: readonly TestServer[];
  readonly watch = new Watch();
  /** By the number of a proposal or of a request. */
  readonly outcomes = new Map<number, Outcome>();
  /** What engines refused of others, in order. */
  readonly refusals: Refused[] = [];
  nowMs = 0;
  readonly #options: ClusterOptions;
  readonly #queue: Scheduled[] = [];
  readonly #filters = new Map<string, (passage: Passage) => boolean>();
  readonly #closers = new Map<string, (passage: Passage) => boolean>();
  readonly #delays = new Map<string, (passage: Passage) => number>();
  /** When the last message of each channel arrives, as they keep their order. */
  readonly #arrivals = new Map<string, number>();
  #lastNumber = 0;
  #lastAsk = 0;

  constructor(options: ClusterOptions = {}) {
    const { voters = 3, nonvoters = 0, blank = 0 } = options;
    this.#options = options;
    const members = [
      ...names(0, voters).map((id) => serverNamed(id)),
      ...names(voters, nonvoters).map((id) => serverNamed(id, 'nonvoter')),
    ];
    const configuration = configurationOf(...members);
    const blanks = names(voters + nonvoters, blank).map((id) => new TestServer(id, diskWith({})));
    this.servers = [...members.map(({ id }) => new TestServer(id, diskWith({ configuration }))), ...blanks];
    for (const server of blanks) for (const { id } of this.servers) server.listed.add(id);
  }

  static started(options: ClusterOptions = {}): Cluster {
    const cluster = new Cluster(options);
    for (const { id } of cluster.servers) cluster.start(id);
    return cluster;
  }

  get ids(): ServerId[] {
    return this.servers.map(({ id }) => id);
  }

  get up(): TestServer[] {
    return this.servers.filter(({ engine }) => engine !== null);
  }

  server(id: ServerId): TestServer {
    const server = this.servers.find((other) => other.id === id);
    if (server === undefined) throw new Error(`there is no ${id}`);
    return server;
  }

  engine(id: ServerId): RaftEngine {
    const { engine } = this.server(id);
    if (engine === null) throw new Error(`${id} is down`);
    return engine;
  }

  status(id: ServerId): RaftStatus {
    return this.engine(id).status();
  }

  /** Texts of the commands that a server has applied. */
  commands(id: ServerId): string[] {
    return this.server(id)
      .applied.filter(({ type }) => type === ENTRY_TYPES.command)
      .map(({ data }) => textFromUtf8(data ?? new Uint8Array()));
  }

  /** Who leads, in the highest term where several believe that they do. */
  leader(): ServerId | undefined {
    const leaders = this.up.filter(({ id }) => this.status(id).role === 'leader');
    return leaders.sort((a, b) => this.status(b.id).term - this.status(a.id).term)[0]?.id;
  }

  /** Runs until a server leads whom a majority of its voters follow. */
  waitForLeader(withinMs = 60_000): ServerId {
    const found = (): ServerId | undefined => {
      const leader = this.leader();
      if (leader === undefined) return undefined;
      const voters = votersOf(this.status(leader).configuration.configuration);
      const isFollowed = ({ id }: Server): boolean => this.server(id).engine?.status().leader?.id === leader;
      return voters.filter(isFollowed).length * 2 > voters.length ? leader : undefined;
    };
    this.runUntil('a leader is elected', () => found() !== undefined, withinMs);
    return found() as ServerId;
  }

  // What a test does to the cluster.

  start(id: ServerId): void {
    const server = this.server(id);
    if (server.engine !== null) throw new Error(`${id} is up`);
    server.life++;
    server.applied = [...(server.disk.snapshot?.applied ?? [])];
    const seed = (this.#options.seed ?? 1) * 1000 + this.servers.indexOf(server) * 100 + server.life;
    server.engine = engineOn(server.disk, id, { ...this.#options, seed });
    this.step(id, { kind: 'started' });
  }

  /** Everything in memory is gone, and what the disk has not finished. */
  crash(id: ServerId): void {
    const server = this.server(id);
    server.engine = null;
    server.isWriting = false;
    server.queue = [];
    server.held = [];
    server.lastPersist = server.durablePersist = 0;
    for (const { from, life, call } of server.questions.values()) this.#fail(from, life, call, 'closed');
    server.questions.clear();
  }

  restart(id: ServerId): void {
    if (this.server(id).engine !== null) this.crash(id);
    this.start(id);
  }

  /** Nothing that it writes becomes durable until `resumeDisk`. */
  stallDisk(id: ServerId): void {
    this.server(id).isStalled = true;
  }

  resumeDisk(id: ServerId): void {
    const server = this.server(id);
    server.isStalled = false;
    this.#write(server);
  }

  /** Messages that this says true to are lost, until `heal`. */
  lose(name: string, filter: (passage: Passage) => boolean): void {
    this.#filters.set(name, filter);
  }

  /** Instead of such a message the connection is closed, until `heal`. */
  close(name: string, filter: (passage: Passage) => boolean): void {
    this.#closers.set(name, filter);
  }

  /** Messages take this much longer. */
  delay(name: string, extraMs: (passage: Passage) => number): void {
    this.#delays.set(name, extraMs);
  }

  /** Nothing passes between members of different groups; whoever is in no group is alone. */
  partition(...groups: readonly (readonly ServerId[])[]): void {
    const groupOf = (id: ServerId): string => {
      const group = groups.findIndex((members) => members.includes(id));
      return group < 0 ? id : String(group);
    };
    this.lose('partition', ({ from, to }) => groupOf(from) !== groupOf(to));
  }

  /** @param name without it, everything */
  heal(name?: string): void {
    for (const rules of [this.#filters, this.#closers, this.#delays]) {
      if (name === undefined) rules.clear();
      else rules.delete(name);
    }
  }

  /** In one step. @returns their numbers, for `outcomes` */
  propose(id: ServerId, ...texts: readonly string[]): number[] {
    const proposals = texts.map((text) => ({
      number: ++this.#lastNumber,
      type: ENTRY_TYPES.command,
      data: utf8(text),
    }));
    this.step(id, { kind: 'propose', proposals });
    return proposals.map(({ number }) => number);
  }

  /** @returns its number, for `outcomes` */
  change(id: ServerId, change: ConfigurationChange): number {
    const request = ++this.#lastNumber;
    this.step(id, { kind: 'changeConfiguration', request, change });
    return request;
  }

  transfer(id: ServerId, to: ServerId | null = null): number {
    const request = ++this.#lastNumber;
    this.step(id, { kind: 'transferLeadership', request, to });
    return request;
  }

  readIndex(id: ServerId): number {
    const request = ++this.#lastNumber;
    this.watch.asksToRead(request);
    this.step(id, { kind: 'readIndex', request });
    return request;
  }

  /** The server takes a snapshot of what it has applied and has on its disk. */
  snapshot(id: ServerId): SnapshotMeta {
    const { disk } = this.server(id);
    const applied = this.#appliedDurably(id);
    const last = applied.at(-1);
    if (last === undefined) throw new Error(`${id} has applied nothing`);
    const configuration = this.#configurationAt(id, last.index);
    const meta = { lastIndex: last.index, lastTerm: last.term, configuration };
    disk.snapshot = { meta, applied };
    this.step(id, { kind: 'snapshotTaken', snapshot: meta });
    return meta;
  }

  canSnapshot(id: ServerId): boolean {
    return this.server(id).engine !== null && this.#appliedDurably(id).length > 0;
  }

  /** Runs for so long. */
  run(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    this.#runWhile((nextMs) => nextMs <= untilMs);
    this.nowMs = untilMs;
  }

  /** Runs until this holds. @throws when it does not within so long */
  runUntil(what: string, condition: () => boolean, withinMs = 60_000): void {
    const untilMs = this.nowMs + withinMs;
    this.#runWhile((nextMs) => !condition() && nextMs <= untilMs);
    if (!condition()) throw new Error(`not within ${withinMs} ms: ${what}\n${this.describe()}`);
  }

  /** Gives an input to an engine and performs what it asks for. */
  step(id: ServerId, input: RaftInput): readonly RaftEffect[] {
    const server = this.server(id);
    if (server.engine === null) return [];
    const effects = server.engine.step(input, this.nowMs);
    for (const effect of effects) {
      server.effects.push(effect);
      this.#perform(server, effect);
    }
    return effects;
  }

  /** Sends a request as if `from` had made it. @returns the effects of the step that took it */
  inject(from: ServerId, to: ServerId, request: RaftRequest): readonly RaftEffect[] {
    const isListed = this.server(to).listed.has(from);
    return this.step(to, { kind: 'asked', ask: ++this.#lastAsk, from, isListed, request });
  }

  /** Log matching, over all that are up. */
  compareLogs(): void {
    this.watch.compare(this.up.map(({ id }) => ({ id, engine: this.engine(id) })));
  }

  describe(): string {
    return this.servers
      .map(({ id, engine, isStalled }) => {
        if (engine === null) return `${id} down`;
        const { role, term, leader, firstIndex, lastIndex, durableIndex, commitIndex, appliedIndex } = engine.status();
        const { index, configuration } = engine.status().configuration;
        const members = configuration.servers.map((other) => `${other.id} ${other.suffrage}`).join(', ');
        const log = `log ${firstIndex}..${lastIndex} durable ${durableIndex} commit ${commitIndex} applied ${appliedIndex}`;
        const others = engine
          .status()
          .followers.map((other) => `  ${other.id} ${other.state} ${other.matchIndex} next ${other.nextIndex}`);
        return [
          `${id} ${role} term ${term} leader ${leader?.id ?? 'none'} ${log}${isStalled ? ' stalled' : ''}`,
          `  knows since entry ${index}: ${members}`,
          ...others,
        ];
      })
      .flat()
      .join('\n');
  }

  // What the engines ask for.

  #perform(server: TestServer, effect: RaftEffect): void {
    switch (effect.kind) {
      case 'call':
      case 'answer':
        if (effect.when === 'now' || server.durablePersist === server.lastPersist) return this.#send(server, effect);
        server.held.push({ after: server.lastPersist, effect });
        return;
      case 'persist':
        server.lastPersist = effect.persist;
        server.queue.push(effect);
        return this.#write(server);
      case 'restore':
        server.queue.push(effect);
        return this.#write(server);
      case 'commit':
        return this.#apply(server, effect.index);
      case 'compact':
        return server.disk.compact(effect.upTo);
      case 'proposed':
        this.outcomes.set(effect.number, { kind: 'proposed', index: effect.index, term: effect.term });
        return;
      case 'refusedProposal':
        this.outcomes.set(effect.number, { kind: 'refused', code: effect.refusal.code });
        return;
      case 'settled':
        this.outcomes.set(effect.request, { kind: 'settled', index: effect.index });
        return;
      case 'readReady':
        this.watch.mayRead(server.id, effect.request, effect.index);
        this.outcomes.set(effect.request, { kind: 'ready', index: effect.index });
        return;
      case 'unsettled':
        this.outcomes.set(effect.request, { kind: 'refused', code: effect.refusal.code });
        return;
      case 'leaderChanged':
        if (effect.isSelf) this.watch.leads(server.id, effect.term, this.engine(server.id));
        return;
      case 'refused':
        this.refusals.push({ by: server.id, from: effect.from, code: effect.refusal.code });
        return;
      case 'configurationChanged':
        return;
    }
  }

  #apply(server: TestServer, upTo: number): void {
    const { applied } = server;
    const from = (applied.at(-1)?.index ?? 0) + 1;
    for (let index = from; index <= upTo; index++) {
      const entry = this.engine(server.id).entry(index);
      if (entry === undefined) throw new Error(`${server.id} commits entry ${index}, which it does not have`);
      this.watch.applies(server.id, entry);
      applied.push(entry);
    }
    this.#later(0, server, () => this.step(server.id, { kind: 'applied', index: upTo }));
  }

  /** The disk takes all that waits for it at once, or one snapshot. */
  #write(server: TestServer): void {
    if (server.isWriting || server.isStalled || server.queue.length === 0) return;
    server.isWriting = true;
    this.#later(this.#options.diskMs ?? 1, server, () => {
      server.isWriting = false;
      if (server.isStalled) return;
      this.#finishWrite(server);
      this.#write(server);
    });
  }

  #finishWrite(server: TestServer): void {
    const first = server.queue[0];
    if (first?.kind === 'restore') {
      server.queue.shift();
      return this.#restore(server, first);
    }
    while (server.queue[0]?.kind === 'persist') {
      const write = server.queue.shift() as Persist;
      server.disk.write(write);
      server.durablePersist = write.persist;
    }
    while ((server.held[0]?.after ?? Infinity) <= server.durablePersist) {
      const effect = server.held.shift()?.effect;
      if (effect !== undefined) this.#send(server, effect);
    }
    this.step(server.id, { kind: 'persisted', persist: server.durablePersist });
  }

  #restore(server: TestServer, { ask, snapshot }: Restore): void {
    const stored = server.questions.get(ask)?.snapshot;
    const refusal = server.refusesSnapshots;
    if (refusal !== null) {
      this.step(server.id, { kind: 'restoreFailed', ask, refusal });
    } else {
      if (stored?.meta.lastIndex !== snapshot.lastIndex) throw new Error(`ask ${ask} came without its snapshot`);
      server.disk.restore(stored);
      server.applied = [...stored.applied];
      this.step(server.id, { kind: 'restored', snapshot });
    }
  }

  #send(server: TestServer, effect: RaftEffect): void {
    if (effect.kind === 'call') return this.#ask(server, effect);
    if (effect.kind !== 'answer') throw new Error(`a ${effect.kind} is not sent`);
    const question = server.questions.get(effect.ask);
    server.questions.delete(effect.ask);
    if (question === undefined) return; // of `inject`
    const { from, life, call } = question;
    this.#pass(passageOf(call, server.id, from.id, true), from, life, call, () =>
      this.step(from.id, { kind: 'answered', call: call.call, response: effect.response }),
    );
  }

  #ask(from: TestServer, call: CallEffect): void {
    const to = this.server(call.to);
    const { life } = from;
    const snapshot = call.request.kind === 'installSnapshot' ? from.disk.snapshot : null;
    const { request } = call;
    this.#pass(passageOf(call, from.id, to.id, false), from, life, call, () => {
      if (to.engine === null) return this.#fail(from, life, call, 'unreachable');
      const ask = ++this.#lastAsk;
      to.questions.set(ask, { from, life, call, snapshot });
      this.step(to.id, { kind: 'asked', ask, from: from.id, isListed: to.listed.has(from.id), request });
    });
  }

  /** @param caller who hears of it when the message is lost */
  #pass(passage: Passage, caller: TestServer, life: number, call: CallEffect, arrive: () => void): void {
    if ([...this.#closers.values()].some((filter) => filter(passage)))
      return this.#fail(caller, life, call, 'closed', this.#options.latencyMs ?? 1);
    if ([...this.#filters.values()].some((filter) => filter(passage)))
      return this.#fail(caller, life, call, 'timeout', this.#options.callTimeoutMs ?? 1000);
    const extraMs = [...this.#delays.values()].reduce((sum, extra) => sum + extra(passage), 0);
    const line = `${passage.from} ${passage.to} ${passage.channel} ${passage.isAnswer}`;
    const atMs = this.nowMs + (this.#options.latencyMs ?? 1) + extraMs;
    const inOrderMs = Math.max(atMs, this.#arrivals.get(line) ?? 0);
    this.#arrivals.set(line, inOrderMs);
    const receiver = this.server(passage.to);
    if (passage.isAnswer) this.#later(inOrderMs - this.nowMs, receiver, arrive, life);
    else this.#schedule(inOrderMs, arrive);
  }

  #fail(caller: TestServer, life: number, { call }: CallEffect, failure: CallFailure, afterMs = 0): void {
    this.#later(afterMs, caller, () => this.step(caller.id, { kind: 'callFailed', call, failure }), life);
  }

  /** Only if the server still lives this life then. */
  #later(afterMs: number, server: TestServer, run: () => void, life = server.life): void {
    this.#schedule(this.nowMs + afterMs, () => {
      if (server.engine !== null && server.life === life) run();
    });
  }

  #schedule(atMs: number, run: () => void): void {
    let place = this.#queue.length;
    while (place > 0 && (this.#queue[place - 1] as Scheduled).atMs > atMs) place--;
    this.#queue.splice(place, 0, { atMs, run });
  }

  #runWhile(goOn: (nextMs: number) => boolean): void {
    for (let ticksAtOnce = 0; ;) {
      const wake = this.#nextWake();
      const nextMs = Math.min(this.#queue[0]?.atMs ?? Infinity, wake?.atMs ?? Infinity);
      if (nextMs === Infinity || !goOn(nextMs)) return;
      ticksAtOnce = nextMs > this.nowMs ? 0 : ticksAtOnce;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (wake !== undefined && wake.atMs <= nextMs) {
        if (ticksAtOnce++ > 100) throw new Error(`${wake.id} asks for ticks without end\n${this.describe()}`);
        this.step(wake.id, { kind: 'tick' });
      } else {
        this.#queue.shift()?.run();
      }
    }
  }

  #nextWake(): { readonly atMs: number; readonly id: ServerId } | undefined {
    let first: { atMs: number; id: ServerId } | undefined;
    for (const { id, engine } of this.servers) {
      const wakeAtMs = engine?.wakeAtMs();
      if (wakeAtMs === undefined) continue;
      const atMs = Math.max(this.nowMs, wakeAtMs);
      if (first === undefined || atMs < first.atMs) first = { atMs, id };
    }
    return first;
  }

  #appliedDurably(id: ServerId): Entry[] {
    const { durableIndex } = this.status(id);
    return this.server(id).applied.filter(({ index }) => index <= durableIndex);
  }

  #configurationAt(id: ServerId, index: number): LoggedConfiguration {
    const { disk } = this.server(id);
    const before = disk.configurations().filter((logged) => logged.index <= index);
    const found = before.at(-1) ?? disk.snapshot?.meta.configuration;
    if (found === undefined) throw new Error(`${id} knows no configuration at ${index}`);
    return found;
  }
}

function names(from: number, count: number): ServerId[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode(65 + from + index));
}

function passageOf({ channel, request }: CallEffect, from: ServerId, to: ServerId, isAnswer: boolean): Passage {
  return { from, to, channel, kind: request.kind, isAnswer, request };
}
