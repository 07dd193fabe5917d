/**
 * Validators in one process on one virtual clock: production engines, codecs, admission rules, ledger and tree; what is
 * replaced is the disk (a map that keeps every effect), the network (a queue that a test controls), the keys and the time.
 * Everything is a function of the calls that a test makes: no seed, no chance.
 */
import { assert } from '../../src/base/assert.ts';
import type { Refusal } from '../../src/base/result.ts';
import type { Effect, Input, ValidatorIndex } from '../../src/consensus/engine.ts';
import { admitOwn, candidateOf } from '../../src/hotstuff/admission.ts';
import type { HotstuffEngine } from '../../src/hotstuff/engine.ts';
import type { AdmittedMessage, HotstuffMessage } from '../../src/hotstuff/messages.ts';
import type { Pacing } from '../../src/hotstuff/replica.ts';
import { decodeMessage, encodeMessage, withSignature } from '../../src/hotstuff/wire.ts';
import { NEWEST_EVENT_SCHEMA } from '../../src/ledger/newest-schema.ts';
import type { LedgerMachine } from '../../src/ledger/machine.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { runCollectJob, type CollectJob, type CollectOutcome } from '../../src/qc/collect.ts';
import { admitBlocks, admitSealed, fulfil } from './admitting.ts';
import { identitySignature, START, testChain, type TestChain } from './chain.ts';
import { roundOf } from './message-round.ts';
import { engineOn } from './start-engine.ts';
import { TestDisk } from './test-disk.ts';
import { Watch } from './watch.ts';

type HotstuffInput = Input<AdmittedMessage, CollectOutcome>;
type HotstuffEffect = Effect<HotstuffMessage, CollectJob>;

/** What can be lost on the way: a message by its kind, forwarded events, a fetch or its answer. */
export interface Passage {
  readonly from: ValidatorIndex;
  readonly to: ValidatorIndex;
  readonly kind: HotstuffMessage['kind'] | 'events' | 'fetch';
  /** Round of the message; 0 for events and fetches. */
  readonly round: number;
  readonly message: HotstuffMessage | null;
}

export interface DriverOptions {
  readonly n: number;
  readonly depth?: 2 | 3;
  readonly chain?: TestChain;
  readonly pacing?: Pacing;
  /** Of every message, milliseconds. */
  readonly latencyMs?: number;
  /** Of every pairing, milliseconds. */
  readonly pairingMs?: number;
}

export interface TestNode {
  readonly index: ValidatorIndex;
  readonly disk: TestDisk;
  /** Null while it is down. */
  engine: HotstuffEngine | null;
  machine: LedgerMachine;
  /** That its program knows. */
  newestSchema: number;
  /** Its clock minus the driver's. */
  clockOffsetMs: number;
  /** Counts starts, so that nothing meant for an earlier life arrives in a later one. */
  life: number;
  /** Every effect of its engine, in order. */
  readonly effects: HotstuffEffect[];
}

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export const TEST_PACING: Pacing = { baseTimeoutMs: 1000, backupDelayMs: 100 };

export class Driver {
  readonly chain: TestChain;
  readonly nodes: readonly TestNode[];
  readonly watch: Watch;
  /** Readable lines of what happened, for scenarios. */
  readonly trace: string[] = [];
  nowMs = START * 1000;
  readonly #pacing: Pacing;
  readonly #latencyMs: number;
  readonly #pairingMs: number;
  readonly #queue: Scheduled[] = [];
  readonly #filters = new Map<string, (passage: Passage) => boolean>();
  readonly #delays = new Map<string, (passage: Passage) => number>();
  #order = 0;

  constructor(options: DriverOptions) {
    this.chain = options.chain ?? testChain(options.n, options.depth ?? 2);
    this.#pacing = options.pacing ?? TEST_PACING;
    this.#latencyMs = options.latencyMs ?? 1;
    this.#pairingMs = options.pairingMs ?? 2;
    this.watch = new Watch(this.chain);
    this.nodes = Array.from({ length: options.n }, (_, index) => this.#newNode(index));
  }

  /** All of them, connected. */
  static started(options: DriverOptions): Driver {
    const driver = new Driver(options);
    for (const { index } of driver.nodes) driver.start(index);
    driver.run(20);
    return driver;
  }

  node(index: ValidatorIndex): TestNode {
    const node = this.nodes[index];
    assert(node !== undefined, 'there is such a node', { index });
    return node;
  }

  engine(index: ValidatorIndex): HotstuffEngine {
    const { engine } = this.node(index);
    assert(engine !== null, 'the node is up', { index });
    return engine;
  }

  /** Messages that this says true to are lost, until `heal`. */
  lose(name: string, filter: (passage: Passage) => boolean): void {
    this.#filters.set(name, filter);
  }

  /** Messages take this much longer. */
  delay(name: string, extraMs: (passage: Passage) => number): void {
    this.#delays.set(name, extraMs);
  }

  /** @param name without it, everything */
  heal(name?: string): void {
    for (const rules of [this.#filters, this.#delays]) {
      if (name === undefined) rules.clear();
      else rules.delete(name);
    }
  }

  /** Nothing passes between members of different groups. */
  partition(...groups: readonly (readonly ValidatorIndex[])[]): void {
    const groupOf = (index: ValidatorIndex) => groups.findIndex((group) => group.includes(index));
    this.lose('partition', ({ from, to }) => groupOf(from) !== groupOf(to));
  }

  /** From its disk. It and all that are up connect to each other. */
  start(index: ValidatorIndex, silence: Refusal | null = null): void {
    const node = this.node(index);
    assert(node.engine === null, 'a node starts once', { index });
    node.life++;
    const { engine, machine } = engineOn(this.chain, node.disk, {
      self: index,
      pacing: this.#pacing,
      silence,
      newestSchema: node.newestSchema,
    });
    node.engine = engine;
    node.machine = machine;
    this.step(index, { kind: 'started' });
    for (const other of this.nodes)
      if (other.index !== index && other.engine !== null) this.connect(index, other.index);
  }

  connect(a: ValidatorIndex, b: ValidatorIndex): void {
    this.step(a, { kind: 'connected', peer: b });
    this.step(b, { kind: 'connected', peer: a });
  }

  /** Everything in memory is gone. */
  crash(index: ValidatorIndex): void {
    const node = this.node(index);
    assert(node.engine !== null, 'a node that is up can crash', { index });
    node.engine = null;
    for (const other of this.nodes)
      if (other.engine !== null) this.step(other.index, { kind: 'disconnected', peer: index });
  }

  restart(index: ValidatorIndex): void {
    if (this.node(index).engine !== null) this.crash(index);
    this.start(index);
  }

  /** The node takes the events, and forwards them to all others. */
  submit(at: ValidatorIndex, ...events: readonly VerifiedEvent[]): void {
    this.step(at, { kind: 'submitted', events });
    this.#forward(at, events);
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

  /** Runs until all that are up are idle and nothing is under way. */
  settle(withinMs = 60_000): void {
    this.runUntil(
      'everybody is idle',
      () => this.#queue.length === 0 && this.nodes.every(({ engine }) => engine === null || engine.status().idle),
      withinMs,
    );
  }

  /** The least height of those that are up. */
  get height(): number {
    return Math.min(...this.nodes.map(({ engine }) => engine?.status().height ?? Infinity));
  }

  describe(): string {
    return this.nodes
      .map(({ index, engine }) => {
        if (engine === null) return `${index} down`;
        const { round, height, highCertificateRound, lastVotedRound, lockedRound, ...rest } = engine.status();
        const { uncommittedBlocks, mempoolEvents, idle, silentBecause } = rest;
        const flags = `${idle ? ' idle' : ''}${silentBecause === null ? '' : ' silent'}`;
        const rounds = `round ${round} certificate ${highCertificateRound} voted ${lastVotedRound} lock ${lockedRound}`;
        return `${index} height ${height} ${rounds} uncommitted ${uncommittedBlocks} mempool ${mempoolEvents}${flags}`;
      })
      .join('\n');
  }

  /** Gives an input to an engine and performs what it answers. */
  step(index: ValidatorIndex, input: HotstuffInput): readonly HotstuffEffect[] {
    const node = this.node(index);
    if (node.engine === null) return [];
    const effects = node.engine.step(input, this.nowMs + node.clockOffsetMs);
    node.effects.push(...effects);
    for (const effect of effects) this.#perform(node, effect);
    return effects;
  }

  /** Sends as if `from` had made it, whatever it is. */
  inject(from: ValidatorIndex, to: ValidatorIndex, message: HotstuffMessage): void {
    this.#deliver(from, to, encodeMessage(message), message);
  }

  signBallot(index: ValidatorIndex, preimage: Uint8Array): Uint8Array {
    return this.chain.scheme.sign(this.chain.secretKeys[index] as Uint8Array, preimage);
  }

  #newNode(index: ValidatorIndex): TestNode {
    const disk = new TestDisk(this.chain);
    const { machine } = engineOn(this.chain, disk, { self: index, pacing: this.#pacing, silence: null });
    return {
      index,
      disk,
      engine: null,
      machine,
      newestSchema: NEWEST_EVENT_SCHEMA,
      clockOffsetMs: 0,
      life: 0,
      effects: [],
    };
  }

  #perform(node: TestNode, effect: HotstuffEffect): void {
    const { index, disk } = node;
    switch (effect.kind) {
      case 'persist':
        disk.safety = effect.safety;
        for (const { id, bytes } of effect.blocks) disk.uncommitted.set(id, bytes);
        return;
      case 'commit':
        for (const committed of effect.blocks) {
          this.watch.committed(index, committed.sealed);
          disk.commit(committed.sealed, committed.changes);
          node.machine.settled(committed.block.header.height);
          const { height, round } = committed.block.header;
          this.#note(`${index} commits block ${height} of round ${round}, ${committed.block.events.length} events`);
        }
        for (const id of effect.forgotten) disk.uncommitted.delete(id);
        return;
      case 'cast': {
        const peerId = this.chain.validators.member(index).peerId;
        const signature =
          effect.signWith === 'bls'
            ? this.signBallot(index, effect.preimage)
            : identitySignature(peerId, effect.preimage);
        const message = withSignature(effect.message, signature);
        this.watch.cast(index, message, disk);
        this.#noteMessage(index, message, effect.to);
        return this.#send(index, message, effect.to);
      }
      case 'send':
        this.#noteMessage(index, effect.message, effect.to);
        return this.#send(index, effect.message, effect.to);
      case 'verify':
        return this.#verify(node, effect.job, effect.work);
      case 'fetch':
        return this.#fetch(node, effect);
      case 'forward':
        return this.#forward(index, effect.events);
      case 'rejected':
        return this.#note(`${index} rejects an event: ${effect.refusal.code}`);
      case 'refused':
        return this.#note(`${index} refuses what came from ${effect.from ?? 'itself'}: ${effect.refusal.code}`);
      case 'evidence':
        disk.evidence.push(effect.bytes);
        return this.#note(`${index} has evidence against ${effect.offender}`);
    }
  }

  #send(from: ValidatorIndex, message: HotstuffMessage, to: Extract<HotstuffEffect, { kind: 'send' }>['to']): void {
    const recipients = to === 'all' ? this.nodes.map(({ index }) => index).filter((index) => index !== from) : to;
    const bytes = encodeMessage(message);
    for (const recipient of recipients) {
      if (recipient !== from) this.#deliver(from, recipient, bytes, message);
      else if (message.kind === 'vote' || message.kind === 'timeout') {
        this.#later(0, from, () => this.step(from, { kind: 'received', from, message: admitOwn(message) }));
      }
    }
  }

  #deliver(from: ValidatorIndex, to: ValidatorIndex, bytes: Uint8Array, message: HotstuffMessage): void {
    const passage: Passage = { from, to, kind: message.kind, round: roundOf(message), message };
    if (this.#isLost(passage)) return;
    this.#later(this.#latencyMs + this.#delayOf(passage), to, () => this.#receive(from, to, bytes));
  }

  /** The view is of the moment of arrival; the step comes when the checks are done, as in the shell. */
  #receive(from: ValidatorIndex, to: ValidatorIndex, bytes: Uint8Array): void {
    const message = decodeMessage(this.chain.chainId, bytes);
    if (!message.ok) return this.#note(`${to} refuses what came from ${from}: ${message.refusal.code}`);
    const candidate = candidateOf(message.value, from, this.engine(to).admissionView());
    if (!candidate.ok) return this.#note(`${to} refuses what came from ${from}: ${candidate.refusal.code}`);
    const { duties } = candidate.value;
    const pairings = (duties.certificate === null ? 0 : 1) + (duties.timeoutCertificate === null ? 0 : 1);
    this.#later(pairings * this.#pairingMs, to, () => {
      const admitted = fulfil(this.chain, candidate.value);
      if (!admitted.ok) return this.#note(`${to} refuses what came from ${from}: ${admitted.refusal.code}`);
      this.step(to, { kind: 'received', from, message: admitted.value });
    });
  }

  #verify(node: TestNode, job: number, work: CollectJob): void {
    const outcome = runCollectJob(work, this.chain.validators, this.chain.scheme);
    this.#later(this.#pairingMs, node.index, () => this.step(node.index, { kind: 'verified', job, outcome }));
  }

  #forward(from: ValidatorIndex, events: readonly VerifiedEvent[]): void {
    for (const { index } of this.nodes) {
      const passage: Passage = { from, to: index, kind: 'events', round: 0, message: null };
      if (index === from || this.#isLost(passage)) continue;
      this.#later(this.#latencyMs + this.#delayOf(passage), index, () =>
        this.step(index, { kind: 'submitted', events }),
      );
    }
  }

  #fetch(node: TestNode, { request, what, from }: Extract<HotstuffEffect, { kind: 'fetch' }>): void {
    const server = from[0];
    assert(server !== undefined, 'a fetch names a server', { request });
    const target = what.kind === 'blocks' ? 'a block' : `sealed blocks from ${what.fromHeight}`;
    this.#note(`${node.index} asks ${server} for ${target}`);
    const passage = { from: node.index, to: server, kind: 'fetch', round: 0, message: null } as const;
    if (this.#isLost(passage)) return;
    this.#later(this.#latencyMs, node.index, () => {
      const { disk, engine } = this.node(server);
      if (this.#isLost({ ...passage, from: server, to: node.index })) return;
      const answer = engine === null ? null : disk.serve(this.chain, what);
      this.#later(this.#latencyMs, node.index, () => {
        if (answer === null) {
          const refusal = { code: 'block-not-held', message: 'not held', details: {} };
          this.step(node.index, { kind: 'fetchFailed', request, refusal });
        } else if (what.kind === 'blocks') {
          const message = admitBlocks(this.chain, answer, server, this.engine(node.index).admissionView());
          this.step(node.index, { kind: 'fetched', request, message });
        } else {
          this.step(node.index, { kind: 'sealed', blocks: answer.map((bytes) => admitSealed(this.chain, bytes)) });
        }
      });
    });
  }

  #isLost(passage: Passage): boolean {
    return [...this.#filters.values()].some((filter) => filter(passage));
  }

  #delayOf(passage: Passage): number {
    return [...this.#delays.values()].reduce((sum, extra) => sum + extra(passage), 0);
  }

  /** Only if the node still lives the same life then. */
  #later(afterMs: number, index: ValidatorIndex, run: () => void): void {
    const node = this.node(index);
    const { life } = node;
    const scheduled: Scheduled = {
      atMs: this.nowMs + afterMs,
      order: this.#order++,
      run: () => {
        if (node.engine !== null && node.life === life) run();
      },
    };
    let place = this.#queue.length;
    while (place > 0 && (this.#queue[place - 1] as Scheduled).atMs > scheduled.atMs) place--;
    this.#queue.splice(place, 0, scheduled);
  }

  #runWhile(goOn: (nextMs: number) => boolean): void {
    for (let ticksAtOnce = 0; ;) {
      const wake = this.#nextWake();
      const nextMs = Math.min(this.#queue[0]?.atMs ?? Infinity, wake?.atMs ?? Infinity);
      if (nextMs === Infinity || !goOn(nextMs)) return;
      ticksAtOnce = nextMs > this.nowMs ? 0 : ticksAtOnce;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (wake !== undefined && wake.atMs <= nextMs) {
        assert(ticksAtOnce++ < 100, 'a tick moves on what it was asked for', { node: wake.index });
        this.step(wake.index, { kind: 'tick' });
      } else {
        this.#queue.shift()?.run();
      }
    }
  }

  #nextWake(): { readonly atMs: number; readonly index: ValidatorIndex } | undefined {
    let first: { atMs: number; index: ValidatorIndex } | undefined;
    for (const { index, engine, clockOffsetMs } of this.nodes) {
      const wakeAtMs = engine?.wakeAtMs();
      if (wakeAtMs === undefined) continue;
      const atMs = Math.max(this.nowMs, wakeAtMs - clockOffsetMs);
      if (first === undefined || atMs < first.atMs) first = { atMs, index };
    }
    return first;
  }

  #note(line: string): void {
    this.trace.push(line);
  }

  #noteMessage(
    from: ValidatorIndex,
    message: HotstuffMessage,
    to: Extract<HotstuffEffect, { kind: 'send' }>['to'],
  ): void {
    const text = describeMessage(message);
    if (text !== null) this.#note(`${from} ${text} to ${to === 'all' ? 'all' : to.join(' and ')}`);
  }
}

/** For the trace; null for what only fills it. */
export function describeMessage(message: HotstuffMessage): string | null {
  switch (message.kind) {
    case 'proposal': {
      const { block, justify, timeoutCertificate } = message;
      const skipped = timeoutCertificate === null ? '' : `, timeout certificate ${timeoutCertificate.round}`;
      const { round, height } = block.header;
      return `proposes block ${height} in round ${round} on certificate ${justify.vote.round}${skipped}, ${block.events.length} events`;
    }
    case 'vote': {
      const { round, commit } = message.vote;
      return `votes in round ${round}${commit === null ? '' : ` to commit block ${commit.height}`}`;
    }
    case 'timeout':
      return `gives up round ${message.timeout.round}, knowing certificate ${message.timeout.highRound}`;
    case 'certificate':
      return `sends certificate ${message.certificate.vote.round}`;
    case 'timeoutCertificate':
      return `sends timeout certificate ${message.certificate.round}`;
    default:
      return null;
  }
}
