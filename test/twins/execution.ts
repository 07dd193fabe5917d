/**
 * Plays a scenario: production engines with their codecs, admission and order of effects, on virtual time.
 *
 * All instances are given an event at the start, and another one whenever something was committed, so that there is always
 * something to agree on; and before a twin leads, each of its instances is given one of its own, so that the two
 * propose different blocks. When the scenario's rounds are over, or nothing has moved for so long that nothing will, the
 * network heals, and every correct validator must commit an event that is given to them then.
 */
import { assert } from '../../src/base/assert.ts';
import { unwrap } from '../../src/base/result.ts';
import type { Effect, Input, Recipients } from '../../src/consensus/engine.ts';
import { admitOwn, candidateOf } from '../../src/hotstuff/admission.ts';
import { leaderOf } from '../../src/hotstuff/leader.ts';
import type { AdmittedMessage, HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { timeoutMs } from '../../src/hotstuff/pacemaker.ts';
import { decodeMessage, encodeMessage, withSignature } from '../../src/hotstuff/wire.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { runCollectJob, type CollectJob, type CollectOutcome } from '../../src/qc/collect.ts';
import { admitBlocks, admitSealed, fulfil } from '../hotstuff/admitting.ts';
import { identitySignature, joinOf, START, testChain, type TestChain } from '../hotstuff/chain.ts';
import { describeMessage, TEST_PACING } from '../hotstuff/driver.ts';
import { roundOf } from '../hotstuff/message-round.ts';
import type { Violation } from '../simulator/checkers/violation.ts';
import { Checks } from './checks.ts';
import { Instance } from './instance.ts';
import { LATENCY_MS, TwinsNetwork } from './network.ts';
import { instanceNames, type TwinsScenario } from './scenario.ts';

type TwinsInput = Input<AdmittedMessage, CollectOutcome>;
type TwinsEffect = Effect<HotstuffMessage, CollectJob>;

export interface Outcome {
  readonly violation: Violation | null;
  /** The highest round that a correct validator was in. */
  readonly rounds: number;
  /** Height of the chain at the end. */
  readonly commits: number;
  /** Timeouts that were signed, each once. */
  readonly timeouts: number;
  /** Rounds after the healing until everybody had committed. */
  readonly roundsToCommit: number;
}

/** After the healing: twice every leader in turn, as twins may spoil their own rounds and a commit needs three others. */
export function roundsToCommitMax(n: number): number {
  return 2 * n + 2;
}

/** A step is an input to an engine: far more than any scenario takes that comes to an end. */
const MAX_STEPS = 50_000;
const MAX_HEALED_MS = 300_000;

export class Execution {
  readonly #scenario: TwinsScenario;
  readonly #chain: TestChain;
  readonly #network: TwinsNetwork;
  readonly #instances: readonly Instance[];
  /** Those of each validator. */
  readonly #byIndex: readonly (readonly Instance[])[];
  readonly #correct: readonly Instance[];
  readonly #checks: Checks;
  readonly #onLine: ((line: string) => void) | null;
  #violation: Violation | null = null;
  #topRound = 0;
  #movedAtMs = 0;
  #steps = 0;
  #timeouts = 0;
  #nextEvent = 0;
  /** Events that everybody was given, and the height of the chain when it was the last. */
  readonly #given = new Set<VerifiedEvent>();
  #givenAtHeight = -1;
  /** The event that is given after the healing, and who has committed it. */
  #fresh: VerifiedEvent | null = null;
  readonly #committedFresh = new Set<Instance>();

  constructor(scenario: TwinsScenario, onLine: ((line: string) => void) | null = null) {
    const { n, twins, commitDepth } = scenario;
    this.#scenario = scenario;
    this.#onLine = onLine;
    this.#chain = testChain(n, commitDepth);
    this.#network = new TwinsNetwork(scenario, START * 1000);
    this.#checks = new Checks(this.#chain, (violation) => {
      this.#violation ??= violation;
    });
    this.#instances = instanceNames(scenario).map((name, id) => {
      const index = id < n ? id : (twins[id - n] as number);
      return new Instance(this.#chain, { id, index, name, isTwin: twins.includes(index) }, TEST_PACING);
    });
    this.#byIndex = Array.from({ length: n }, (_, index) => this.#instances.filter((one) => one.index === index));
    this.#correct = this.#instances.filter(({ isTwin }) => !isTwin);
  }

  run(): Outcome {
    this.#start();
    const { firstRound, rounds } = this.#scenario;
    const lastRound = firstRound + rounds.length - 1;
    this.#runUntil(() => this.#correct.every(({ round }) => round > lastRound) || this.#hasStalled(), Infinity);
    const roundsToCommit = this.#violation === null ? this.#heal() : 0;
    return {
      violation: this.#violation,
      rounds: this.#topRound,
      commits: this.#checks.height,
      timeouts: this.#timeouts,
      roundsToCommit,
    };
  }

  /** Nobody has moved for as long as the timer of the round takes, and until its timeouts were sent once more. */
  #hasStalled(): boolean {
    const { baseTimeoutMs } = TEST_PACING;
    const failedRounds = Math.max(0, this.#topRound - this.#scenario.firstRound);
    const stallMs = timeoutMs(baseTimeoutMs, failedRounds) + baseTimeoutMs + 100;
    return this.#network.nowMs - this.#movedAtMs > stallMs;
  }

  /**
   * All streams are up, and a quorum has told each instance that it holds no ballot of it. Nobody starts again later, so
   * that is all there is of such testimony.
   */
  #start(): void {
    const { n } = this.#scenario;
    this.#movedAtMs = this.#network.nowMs;
    const testimony: HotstuffMessage = { kind: 'witness', epoch: 0, asks: false, vote: null, timeout: null };
    for (const instance of this.#instances) {
      this.#step(instance, { kind: 'started' });
      for (const peer of this.#instances) {
        if (peer.index === instance.index || instance.engine.status().silentBecause === null) continue;
        this.#receive(peer, instance, testimony);
      }
      for (let peer = 0; peer < n; peer++) {
        if (peer !== instance.index) this.#step(instance, { kind: 'connected', peer });
      }
    }
    this.#enter(1);
  }

  /** @returns in how many rounds everybody committed */
  #heal(): number {
    this.#network.isHealed = true;
    const from = this.#topRound;
    const limit = from + roundsToCommitMax(this.#scenario.n);
    const untilMs = this.#network.nowMs + MAX_HEALED_MS;
    this.#note(`the network is whole; in round ${from} every correct validator is given an event`);
    this.#fresh = this.#newEvent();
    for (const instance of this.#correct) this.#step(instance, { kind: 'submitted', events: [this.#fresh] });
    const isDone = () => this.#committedFresh.size === this.#correct.length;
    this.#runUntil(() => isDone() || this.#topRound > limit, untilMs);
    if (!isDone()) {
      const missing = this.#correct.filter((instance) => !this.#committedFresh.has(instance));
      this.#violated('all correct validators commit soon after the network has healed', {
        healedInRound: from,
        rounds: this.#topRound - from,
        missing: missing.map(({ name }) => name).join(' '),
      });
    }
    return this.#topRound - from;
  }

  #runUntil(isOver: () => boolean, untilMs: number): void {
    while (this.#violation === null && !isOver()) {
      const happening = this.#network.next() ?? this.#nextMillisecond(untilMs);
      if (happening === undefined) return;
      happening();
    }
  }

  /** What was sent arrives, unless an instance wants to be told the time before. */
  #nextMillisecond(untilMs: number): (() => void) | undefined {
    let wakeMs = Infinity;
    for (const instance of this.#instances) {
      instance.wakeAtMs ??= instance.hasStopped ? Infinity : (instance.engine.wakeAtMs() ?? Infinity);
      wakeMs = Math.min(wakeMs, instance.wakeAtMs);
    }
    if (!this.#network.isEmpty && wakeMs >= this.#network.nowMs + LATENCY_MS) return this.#network.arrive();
    return wakeMs > untilMs || wakeMs === Infinity ? undefined : () => this.#tick(wakeMs);
  }

  #tick(wakeMs: number): void {
    this.#network.nowMs = Math.max(this.#network.nowMs, wakeMs);
    for (const instance of this.#instances) {
      if ((instance.wakeAtMs ?? Infinity) <= this.#network.nowMs) this.#step(instance, { kind: 'tick' });
    }
  }

  #step(instance: Instance, input: TwinsInput): void {
    if (instance.hasStopped || this.#violation !== null) return;
    if (this.#steps++ > MAX_STEPS) return this.#violated('a scenario comes to an end', { steps: MAX_STEPS });
    try {
      const effects = instance.engine.step(input, this.#network.nowMs);
      this.#look(instance);
      for (const effect of effects) this.#perform(instance, effect);
    } catch (error) {
      this.#gaveOut(instance, error);
    }
  }

  /** A twin may meet what no validator can that is alone with its key; a correct one meets nothing of the kind. */
  #gaveOut(instance: Instance, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#note(`${instance.name} stops: ${message}`);
    instance.hasStopped = true;
    instance.wakeAtMs = null;
    if (!instance.isTwin) this.#violated('no correct validator stops by itself', { by: instance.name, message });
  }

  #look(instance: Instance): void {
    const { round, lastVotedRound } = instance.engine.admissionView();
    instance.wakeAtMs = null;
    instance.unwrittenRound = lastVotedRound;
    if (round === instance.round) return;
    this.#note(`${instance.name} enters round ${round}`);
    instance.round = round;
    if (instance.isTwin) return;
    this.#movedAtMs = this.#network.nowMs;
    if (round > this.#topRound) this.#network.now(() => this.#enter(round));
  }

  /** A correct validator is in this round, the first to be. */
  #enter(round: number): void {
    if (round <= this.#topRound) return;
    this.#topRound = round;
    if (this.#network.isHealed) return;
    const { n, twins } = this.#scenario;
    for (const leader of round === 1 ? [1, 2] : [round + 1]) {
      if (!twins.includes(leaderOf(0, leader, n))) continue;
      for (const twin of this.#byIndex[leaderOf(0, leader, n)] ?? []) {
        this.#step(twin, { kind: 'submitted', events: [this.#newEvent()] });
      }
    }
    if (this.#givenAtHeight < this.#checks.height) {
      this.#givenAtHeight = this.#checks.height;
      const event = this.#newEvent();
      this.#given.add(event);
      for (const instance of this.#instances) this.#step(instance, { kind: 'submitted', events: [event] });
    }
  }

  #newEvent(): VerifiedEvent {
    return eventOfNumber(this.#chain, this.#nextEvent++);
  }

  #perform(instance: Instance, effect: TwinsEffect): void {
    switch (effect.kind) {
      case 'persist':
        instance.disk.safety = effect.safety;
        instance.durableRound = instance.unwrittenRound;
        for (const { id, bytes } of effect.blocks) instance.disk.uncommitted.set(id, bytes);
        return;
      case 'commit':
        return this.#commit(instance, effect);
      case 'cast':
        return this.#cast(instance, effect);
      case 'send':
        return this.#send(instance, effect.message, effect.to);
      case 'verify': {
        const { job, work } = effect;
        const outcome = runCollectJob(work, this.#chain.validators, this.#chain.scheme);
        return this.#network.now(() => this.#step(instance, { kind: 'verified', job, outcome }));
      }
      case 'fetch':
        return this.#fetch(instance, effect);
      case 'forward':
        return this.#forward(instance, effect.events);
      case 'refused':
        return this.#note(`${instance.name} refuses what came from ${effect.from ?? 'itself'}: ${effect.refusal.code}`);
      case 'rejected':
        return;
      case 'evidence':
        this.#note(`${instance.name} has evidence against ${effect.offender}`);
        return this.#checks.evidence(instance, effect.offender, this.#scenario.twins);
    }
  }

  #commit(instance: Instance, { blocks, forgotten }: Extract<TwinsEffect, { kind: 'commit' }>): void {
    this.#checks.committed(instance, blocks, instance.machine.head.stateRoot);
    for (const { block, sealed, changes } of blocks) {
      instance.disk.commit(sealed, changes);
      const { height, round } = block.header;
      instance.machine.settled(height);
      if (block.events.some(({ id }) => id === this.#fresh?.id)) this.#committedFresh.add(instance);
      this.#note(`${instance.name} commits block ${height} of round ${round}, ${block.events.length} events`);
    }
    for (const id of forgotten) instance.disk.uncommitted.delete(id);
  }

  #cast(instance: Instance, { signWith, preimage, message, to }: Extract<TwinsEffect, { kind: 'cast' }>): void {
    const { scheme, secretKeys, validators } = this.#chain;
    const { index } = instance;
    const signature =
      signWith === 'bls'
        ? scheme.sign(secretKeys[index] as Uint8Array, preimage)
        : identitySignature(validators.member(index).peerId, preimage);
    if (signWith === 'bls') this.#checks.signed(instance, preimage);
    if (message.kind === 'timeout' && message.timeout.round > instance.gaveUpRound) {
      instance.gaveUpRound = message.timeout.round;
      this.#timeouts++;
    }
    this.#send(instance, withSignature(message, signature), to);
  }

  #send(from: Instance, message: HotstuffMessage, to: Recipients): void {
    if (message.kind === 'witness') return;
    this.#checks.sent(from, message);
    if (this.#onLine !== null) this.#noteMessage(from, message, to);
    const round = roundOf(message);
    let decoded: HotstuffMessage | undefined;
    for (const receiver of this.#receivers(from, to)) {
      if (receiver === from) {
        if (message.kind !== 'vote' && message.kind !== 'timeout') continue;
        const own = admitOwn(message);
        this.#network.now(() => this.#step(from, { kind: 'received', from: from.index, message: own }));
      } else if (this.#network.passes(from, receiver, round)) {
        // Every receiver decodes the same bytes to the same: it is done once.
        decoded ??= unwrap(decodeMessage(this.#chain.chainId, encodeMessage(message)));
        const arrived = decoded;
        this.#network.later(() => this.#receive(from, receiver, arrived));
      }
    }
  }

  /** Both instances of a twin, and of one's own validator oneself only: nobody keeps a stream to its own key. */
  #receivers(from: Instance, to: Recipients): readonly Instance[] {
    if (to === 'all') return this.#instances.filter(({ index }) => index !== from.index);
    return to.flatMap((index) => (index === from.index ? [from] : (this.#byIndex[index] ?? [])));
  }

  #receive(from: Instance, to: Instance, message: HotstuffMessage): void {
    const candidate = candidateOf(message, from.index, to.engine.admissionView());
    const admitted = candidate.ok ? fulfil(this.#chain, candidate.value) : candidate;
    if (admitted.ok) this.#step(to, { kind: 'received', from: from.index, message: admitted.value });
    else this.#note(`${to.name} refuses what came from ${from.name}: ${admitted.refusal.code}`);
  }

  /** In the frame that a shell has for them, which is no message of the engine's. What everybody was given is left out. */
  #forward(from: Instance, waiting: readonly VerifiedEvent[]): void {
    const events = waiting.filter((event) => !this.#given.has(event));
    if (events.length === 0) return;
    for (const receiver of this.#receivers(from, 'all')) {
      if (!this.#network.passes(from, receiver, from.round)) continue;
      this.#network.later(() => this.#step(receiver, { kind: 'submitted', events }));
    }
  }

  /** Of a twin the instance answers that can be reached. */
  #fetch(from: Instance, { request, what, from: servers }: Extract<TwinsEffect, { kind: 'fetch' }>): void {
    const index = servers[0];
    assert(index !== undefined, 'a fetch names a server', { request });
    const isReached = (one: Instance) => !one.hasStopped && this.#network.passes(from, one, from.round);
    const server = this.#byIndex[index]?.find(isReached);
    this.#note(`${from.name} asks ${index} for ${what.kind === 'blocks' ? 'a block' : 'sealed blocks'}`);
    if (server === undefined) return;
    this.#network.later(() => {
      const answer = server.disk.serve(this.#chain, what);
      this.#network.later(() => {
        if (answer === null) {
          const refusal = { code: 'block-not-held', message: 'not held', details: {} };
          this.#step(from, { kind: 'fetchFailed', request, refusal });
        } else if (what.kind === 'blocks') {
          const message = admitBlocks(this.#chain, answer, index, from.engine.admissionView());
          this.#step(from, { kind: 'fetched', request, message });
        } else {
          const blocks = answer.map((bytes) => admitSealed(this.#chain, bytes));
          this.#step(from, { kind: 'sealed', blocks });
        }
      });
    });
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#violation ??= { checker: 'twins', message, details };
  }

  #note(line: string): void {
    if (this.#onLine === null) return;
    const seconds = (this.#network.nowMs / 1000 - START).toFixed(3);
    this.#onLine(`${seconds.padStart(8)}  ${line}`);
  }

  #noteMessage(from: Instance, message: HotstuffMessage, to: Recipients): void {
    const text = describeMessage(message);
    if (text === null) return;
    const round = roundOf(message);
    const others = this.#receivers(from, to).filter((receiver) => receiver !== from);
    const [reached, lost] = [true, false].map((passes) =>
      others.filter((receiver) => this.#network.passes(from, receiver, round) === passes).map(({ name }) => name),
    ) as [string[], string[]];
    const losses = lost.length === 0 ? '' : `, lost to ${lost.join(' ')}`;
    this.#note(`${from.name} ${text} -> ${reached.length === 0 ? 'nobody' : reached.join(' ')}${losses}`);
  }
}

/** By chain and number: made once, as scenarios are many. */
const events = new Map<string, VerifiedEvent>();

function eventOfNumber(chain: TestChain, number: number): VerifiedEvent {
  const key = `${chain.chainId} ${number}`;
  const known = events.get(key) ?? joinOf(chain, number);
  events.set(key, known);
  return known;
}
