/**
 * One production engine on a disk and a state machine that a test can look into. It performs effects as the contract
 * says and checks, always, what no test should have to: that nothing leaves a server before the disk holds what it
 * promises (law 1), that a vote and a term are kept, that what was committed stays.
 */
import { assert } from '../../src/base/assert.ts';
import { refuse } from '../../src/base/result.ts';
import type {
  RaftEffect,
  RaftEngineContract,
  RaftInput,
  RaftLimits,
  RaftStatus,
  RaftTimings,
} from '../../src/raft/contract.ts';
import { ENTRY_TYPES, type Entry, type LoggedConfiguration, type RaftRequest } from '../../src/raft/messages.ts';
import { RaftDisk, type HeldSnapshot } from './disk.ts';
import { engineOf, TEST_LIMITS, TEST_TIMINGS } from './engine-under-test.ts';
import { assertKept, type Promised } from './promises.ts';
import { addressOf, decodeConfiguration, idOf, testCodec, textOf } from './words.ts';

export type Call = Extract<RaftEffect, { kind: 'call' }>;
export type Answer = Extract<RaftEffect, { kind: 'answer' }>;

/** What hears of a server. */
export interface Surroundings {
  /** An effect, where the engine lists it. */
  readonly onEffect?: (effect: RaftEffect) => void;
  readonly onCall: (call: Call) => void;
  readonly onAnswer: (answer: Answer) => void;
  /** The outcome of writes that waited for a disk that stood still. */
  readonly onDurable?: (persist: number) => void;
  /** After each step. */
  readonly onStep?: (input: RaftInput) => void;
}

export interface ServerOptions {
  readonly number: number;
  readonly disk?: RaftDisk;
  readonly protocolVersion?: 2 | 3;
  readonly timings?: Partial<RaftTimings>;
  readonly limits?: Partial<RaftLimits>;
  readonly seed?: number;
  readonly nowMs?: number;
  readonly isDiskStalled?: boolean;
}

export class Server {
  readonly number: number;
  readonly disk: RaftDisk;
  /** The log as it is once all that was asked for is written. */
  #written: RaftDisk;
  /** Its own clock. */
  nowMs: number;
  /** Texts of the commands that were applied, in order. */
  readonly applied: { readonly index: number; readonly text: string }[] = [];
  appliedIndex = 0;
  commitIndex = 0;
  /** While this is so, nothing that is written becomes durable. */
  isDiskStalled = false;
  /** While this is so, nothing that was committed is applied. */
  isMachineStalled = false;
  /** A snapshot that comes in cannot be read. */
  failsToRestore = false;
  readonly #options: ServerOptions;
  readonly #surroundings: Surroundings;
  #engine: RaftEngineContract | null = null;
  #inbox: RaftInput[] = [];
  #isStepping = false;
  /** Effects in the order of the disk: writes, and what waits for them. */
  #disk: RaftEffect[] = [];
  #persists = 0;
  readonly #asks = new Map<number, Promised>();
  readonly #incoming = new Map<number, readonly string[]>();
  #configuration: LoggedConfiguration | null = null;

  constructor(options: ServerOptions, surroundings: Surroundings) {
    this.number = options.number;
    this.disk = options.disk ?? new RaftDisk();
    this.#written = this.disk.copy();
    this.nowMs = options.nowMs ?? 1000;
    this.isDiskStalled = options.isDiskStalled ?? false;
    this.#options = options;
    this.#surroundings = surroundings;
  }

  get isUp(): boolean {
    return this.#engine !== null;
  }

  get status(): RaftStatus {
    return this.#running.status();
  }

  get wakeAtMs(): number | undefined {
    return this.#engine?.wakeAtMs();
  }

  /** Something waits for the disk. */
  get isWriting(): boolean {
    return this.#disk.some(({ kind }) => kind === 'persist' || kind === 'restore');
  }

  get #running(): RaftEngineContract {
    assert(this.#engine !== null, 'the server is up', { server: this.number });
    return this.#engine;
  }

  start(): void {
    assert(this.#engine === null, 'a server starts once', { server: this.number });
    const snapshot = this.disk.snapshot;
    this.#written = this.disk.copy();
    this.#recall(snapshot);
    this.commitIndex = this.appliedIndex;
    this.#persists = 0;
    this.#engine = engineOf({
      self: { id: idOf(this.number), address: addressOf(this.number) },
      protocolVersion: this.#options.protocolVersion ?? 3,
      timings: { ...TEST_TIMINGS, ...this.#options.timings },
      limits: { ...TEST_LIMITS, ...this.#options.limits },
      seed: this.#options.seed ?? this.number,
      hardState: this.disk.hardState,
      log: this.disk,
      codec: testCodec,
      snapshot: snapshot?.meta ?? null,
      configurations: this.disk.configurations(this.appliedIndex),
      appliedIndex: this.appliedIndex,
    });
    this.step({ kind: 'started' });
  }

  /** What was not durable is gone. What was applied is on the disk with the log, as far as the log goes. */
  crash(): void {
    this.#engine = null;
    this.#inbox = [];
    this.#disk = [];
    this.#asks.clear();
    this.#incoming.clear();
    const kept = this.applied.filter(({ index }) => index <= this.disk.lastIndex);
    this.applied.splice(0, this.applied.length, ...kept);
    this.appliedIndex = Math.min(this.appliedIndex, this.disk.lastIndex);
  }

  step(input: RaftInput): void {
    this.#inbox.push(input);
    this.#work();
  }

  /** Time passes; the engine is woken whenever it wanted to be. */
  elapse(ms: number): void {
    const end = this.nowMs + ms;
    for (let wakes = 0; this.#engine !== null; wakes++) {
      assert(wakes <= 10 * ms + 10, 'an engine that is woken waits again', { server: this.number, ms });
      const at = this.wakeAtMs;
      if (at === undefined || at > end) break;
      this.nowMs = Math.max(this.nowMs, at);
      this.step({ kind: 'tick' });
    }
    this.nowMs = end;
  }

  /**
   * @param isListed the operator's list of the cluster names the sender
   * @param state of the snapshot that comes with the request
   */
  ask(ask: number, from: number, request: RaftRequest, isListed: boolean, state: readonly string[] = []): void {
    this.#asks.set(ask, { server: this.number, request });
    if (request.kind === 'installSnapshot') this.#incoming.set(ask, state);
    this.step({ kind: 'asked', ask, from: idOf(from), isListed, request });
  }

  /** The state as it is applied becomes a snapshot on the disk. */
  takeSnapshot(): void {
    const configuration = this.#configuration;
    assert(configuration !== null && this.appliedIndex > 0, 'there is something to keep', { server: this.number });
    assert(!this.isWriting, 'the log behind a snapshot is durable', { server: this.number });
    const lastTerm = this.#written.termAt(this.appliedIndex);
    assert(lastTerm !== undefined, 'the last applied entry is known', { index: this.appliedIndex });
    const meta = { lastIndex: this.appliedIndex, lastTerm, configuration };
    const snapshot = { meta, state: this.applied.map(({ text }) => text) };
    this.disk.snapshot = snapshot;
    this.#written.snapshot = snapshot;
    this.step({ kind: 'snapshotTaken', snapshot: meta });
  }

  stallDisk(): void {
    this.isDiskStalled = true;
  }

  resumeDisk(): void {
    this.isDiskStalled = false;
    this.#work();
  }

  /** One write more becomes durable, and no other. */
  resumeDiskOnce(): void {
    const isWrite = ({ kind }: RaftEffect) => kind === 'persist' || kind === 'restore';
    const next = this.#disk.findIndex(isWrite);
    assert(next >= 0, 'something waits to be written', { server: this.number });
    const after = this.#disk.findIndex((effect, at) => at > next && isWrite(effect));
    for (const effect of this.#disk.splice(0, after < 0 ? this.#disk.length : after)) this.#perform(effect);
    this.#work();
  }

  resumeMachine(): void {
    this.isMachineStalled = false;
    if (this.isUp) this.#apply();
    this.#work();
  }

  /** The entry as the engine has it: durable or on its way. */
  entry(index: number): Entry | undefined {
    return this.#written.entry(index);
  }

  get lastIndex(): number {
    return this.#written.lastIndex;
  }

  /** Terms of the log, durable or on its way, from its first index on. */
  get terms(): number[] {
    return this.#written.entries.map(({ term }) => term);
  }

  #work(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (;;) {
        if (!this.isDiskStalled) this.#flush();
        const input = this.#inbox.shift();
        if (input === undefined || this.#engine === null) return;
        const effects = this.#engine.step(input, this.nowMs);
        for (const effect of effects) this.#take(effect);
        this.#surroundings.onStep?.(input);
      }
    } finally {
      this.#isStepping = false;
    }
  }

  #flush(): void {
    for (const effect of this.#disk.splice(0)) this.#perform(effect);
  }

  /** An effect as the engine lists it. */
  #take(effect: RaftEffect): void {
    this.#surroundings.onEffect?.(effect);
    if (effect.kind === 'persist') this.#note(effect);
    const isOfTheDisk = ['persist', 'restore', 'compact'].includes(effect.kind);
    const waits = (effect.kind === 'call' || effect.kind === 'answer') && effect.when === 'durable';
    if (isOfTheDisk || (waits && this.#disk.length > 0)) this.#disk.push(effect);
    else this.#perform(effect);
  }

  #note({ persist, truncateFrom, hardState, entries }: Extract<RaftEffect, { kind: 'persist' }>): void {
    assert(persist === ++this.#persists, 'writes are numbered from 1', { persist, expected: this.#persists });
    const { commitIndex } = this;
    const isKept = truncateFrom === null || truncateFrom > commitIndex;
    assert(isKept, 'what was committed is never cut', { server: this.number, truncateFrom, commitIndex });
    this.#written.write({ hardState, truncateFrom, entries });
  }

  #perform(effect: RaftEffect): void {
    switch (effect.kind) {
      case 'persist':
        this.disk.write(effect);
        this.#inbox.push({ kind: 'persisted', persist: effect.persist });
        this.#surroundings.onDurable?.(effect.persist);
        break;
      case 'restore':
        this.#restore(effect);
        break;
      case 'compact':
        this.disk.compact(effect.upTo);
        this.#written.compact(effect.upTo);
        break;
      case 'commit':
        assert(effect.index > this.commitIndex, 'a commit index grows', { from: this.commitIndex, to: effect.index });
        this.commitIndex = effect.index;
        this.#apply();
        break;
      case 'call':
        assertKept(this.disk, { server: this.number, request: effect.request }, null);
        this.#surroundings.onCall(effect);
        break;
      case 'answer':
        this.#answer(effect);
        break;
      default:
    }
  }

  #answer(effect: Answer): void {
    const asked = this.#asks.get(effect.ask);
    assert(asked !== undefined, 'an answer is to what was asked, once', { server: this.number, ask: effect.ask });
    assert(asked.request.kind === effect.response.kind, 'an answer is of the kind of the request', { ask: effect.ask });
    this.#asks.delete(effect.ask);
    assertKept(this.disk, asked, effect.response);
    this.#surroundings.onAnswer(effect);
  }

  #restore({ ask, snapshot }: Extract<RaftEffect, { kind: 'restore' }>): void {
    const state = this.#incoming.get(ask);
    assert(state !== undefined, 'a snapshot is restored from the request that brought it', { ask });
    this.#incoming.delete(ask);
    if (this.failsToRestore) {
      const { refusal } = refuse('snapshot-malformed', 'the bytes end too early', { ask });
      this.#inbox.push({ kind: 'restoreFailed', ask, refusal });
      return;
    }
    const held = { meta: snapshot, state };
    this.disk.install(held);
    this.#written.install(held);
    this.applied.length = 0;
    this.appliedIndex = 0;
    this.#recall(held);
    this.commitIndex = Math.max(this.commitIndex, snapshot.lastIndex);
    this.#inbox.push({ kind: 'restored', snapshot });
  }

  /** The state machine is where the snapshot is, unless it is further. */
  #recall(snapshot: HeldSnapshot | null): void {
    if (snapshot === null || this.appliedIndex >= snapshot.meta.lastIndex) return;
    const { lastIndex, configuration } = snapshot.meta;
    this.applied.splice(0, this.applied.length, ...snapshot.state.map((text) => ({ index: lastIndex, text })));
    this.appliedIndex = lastIndex;
    this.#configuration = configuration;
  }

  #apply(): void {
    if (this.isMachineStalled || this.appliedIndex >= this.commitIndex) return;
    for (let index = this.appliedIndex + 1; index <= this.commitIndex; index++) {
      const entry = this.#running.entry(index);
      assert(entry !== undefined, 'what is committed is in the log', { server: this.number, index });
      const written = this.#written.entry(index)?.term;
      assert(written === entry.term, 'what is applied is what is written', { index, term: entry.term, written });
      if (entry.type === ENTRY_TYPES.command) this.applied.push({ index, text: textOf(entry.data) });
      if (entry.type === ENTRY_TYPES.configuration) {
        const configuration = decodeConfiguration(entry.data ?? new Uint8Array());
        this.#configuration = { index, configuration };
      }
    }
    this.appliedIndex = this.commitIndex;
    this.#inbox.push({ kind: 'applied', index: this.appliedIndex });
  }
}
